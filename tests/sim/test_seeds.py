"""Worlds drawn from seeds: whatever goes wrong in them, every rule holds (R7, R14, R2).

A red seed is run again with `python -m tests.sim SEED`, which gives the same history.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.sim.world import Outcome, Plan, Scale, run

PARTS = 8
"""The seeds of a run are tried in so many parts, which may run side by side."""

QUICK = Plan(Scale(hours=0.25))
HOUR = Plan(Scale(hours=1.0))


def broken(seeds: range, plan: Plan, outcomes: list[Outcome]) -> list[str]:
    """Run worlds; give what was broken, with the seed that shows it again."""
    found = []
    for seed in seeds:
        outcome = run(seed, plan)
        outcomes.append(outcome)
        found += [f"seed {seed}: {rule}" for rule in outcome.broken]
    return found


def total(outcomes: list[Outcome], event: str) -> int:
    return sum(one.counts.get(event, 0) for one in outcomes)


@pytest.mark.row("R7")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_in_worlds_where_much_goes_wrong_every_rule_holds(
    part: int, form: Form, figures: Figures
) -> None:
    seeds = form.pick(quick=1, ci=25, long=63)
    plan = form.pick(quick=QUICK, ci=HOUR, long=HOUR)
    outcomes: list[Outcome] = []

    found = broken(range(part * 1000, part * 1000 + seeds), plan, outcomes)

    strikes = sum(sum(one.strikes.values()) for one in outcomes)
    deaths = total(outcomes, "died")
    figures.record(
        f"seeds of {plan.scale.hours:g} simulated hours",
        tried=len(outcomes),
        bad=len(found),
        note=f"misfortunes {strikes:,}, processes killed or ended {deaths:,}, heads "
        f"seen {total(outcomes, 'released'):,}, receipts verified offline "
        f"{sum(one.receipts for one in outcomes):,}",
    )
    assert found == []


@pytest.mark.row("R14")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_history_of_every_client_is_that_of_one_log(
    part: int, form: Form, figures: Figures
) -> None:
    """Busy clients: acked entries are in every later head, in the order of acks."""
    seeds = form.pick(quick=1, ci=1, long=4)
    hours = form.pick(quick=0.01, ci=0.2, long=1.0)
    plan = Plan(Scale(hours=hours, mean_s=90.0, services=6, auditors=2, pace_s=8.0))
    outcomes: list[Outcome] = []

    found = broken(range(part * 1000 + 500, part * 1000 + 500 + seeds), plan, outcomes)

    figures.record(
        "operations of busy clients",
        tried=sum(one.operations for one in outcomes),
        bad=len(found),
        note=f"acked requests {total(outcomes, 'acked'):,}, audits "
        f"{total(outcomes, 'audited'):,}, worlds {len(outcomes):,}",
    )
    assert found == []


@pytest.mark.row("R2")
@pytest.mark.timeout(1800)
def test_a_second_fault_while_recovering_from_the_first_breaks_nothing(
    form: Form, figures: Figures
) -> None:
    """A world in which little happens but that starts are hit again."""
    seeds = form.pick(quick=1, ci=8, long=60)
    hours = form.pick(quick=0.2, ci=1.0, long=1.0)
    outcomes: list[Outcome] = []

    found = broken(
        range(9000, 9000 + seeds), Plan(Scale(hours=hours, mean_s=20.0)), outcomes
    )

    again = sum(one.counts.get("died in its start", 0) for one in outcomes)
    figures.record(
        "simulated starts that were hit again",
        tried=again,
        bad=len(found),
        note=f"worlds {len(outcomes):,}, starts {total(outcomes, 'boot'):,}",
    )
    assert found == []
    assert again > 0


def test_the_same_seed_gives_the_same_history_in_any_process() -> None:
    here = run(42, QUICK)
    elsewhere = [
        subprocess.run(
            [sys.executable, "-m", "tests.sim", "42", "--hours", "0.25"],
            env={**os.environ, "PYTHONHASHSEED": number},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    ]

    assert all(f"history {here.history}" in said for said in elsewhere), elsewhere
    assert run(43, QUICK).history != here.history


def test_a_planted_bug_can_be_seen_again_by_hand() -> None:
    bug = "a witness answers before it persists"
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim", "3", "--plant", bug],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "BROKEN" in done.stdout
    assert "no cosignature without persistence" in done.stdout
