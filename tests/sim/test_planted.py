"""Every planted bug is found within 50 seeds, by a rule that is about it (R19)."""

from __future__ import annotations

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.sim.planted import PLANTED
from tests.sim.world import Plan, Scale, run

MOST_SEEDS = 50


@pytest.mark.row("R19")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, form: Form, figures: Figures) -> None:
    plan = PLANTED[bug].plant(Plan(Scale(hours=form.pick(quick=0.5, ci=1.0, long=1.0))))
    found = ""
    for tried in range(1, MOST_SEEDS + 1):
        outcome = run(tried, plan)
        if outcome.broken:
            found = outcome.broken[0]
            break
    rule = found.partition(" s: ")[2].partition(":")[0]

    figures.record(
        f"planted: {bug}", tried=tried, bad=0 if found else 1, note=f"rule: {rule}"
    )
    assert found, f"{bug}: not found in {MOST_SEEDS} seeds"
    assert rule in PLANTED[bug].breaks
