"""R11: whatever bytes come in, only our own errors come out, and cheaply.

The quick form feeds each target its kept inputs, some hundreds of mutated ones, and
inputs of the longest length.  From the CI form on libFuzzer looks for more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.folders import CORPUS, FOUND, kept
from tests.fuzz.mutate import enlarge
from tests.fuzz.registry import GROUPS, parsers, seeds, target
from tests.fuzz.running import cost, fuzz, replay, scatter, why_not
from tests.rows.forms import Form
from tests.rows.report import Figures

MOST_MS = 1000
"""Time that no input may take; the aim is 50 ms, the machine is shared."""

MOST_BYTES = 64 * 1024 * 1024
"""Memory that no input may take."""

MOST_KEPT = 8 * 1024
"""Longest input that is kept, in bytes."""


def test_every_parser_belongs_to_one_target() -> None:
    named = [parser for group in GROUPS.values() for parser in group]

    assert sorted(named) == sorted(parsers())


def test_every_kept_input_belongs_to_a_target_and_is_small() -> None:
    paths = [path for place in (CORPUS, FOUND) for path in place.glob("*/*")]

    assert {path.parent.name for path in paths if "planted" not in str(path)} <= set(
        GROUPS
    )
    assert [path for path in paths if path.stat().st_size > MOST_KEPT] == []
    assert [name for name in GROUPS if not kept(name)] == []


@pytest.mark.row("R11")
@pytest.mark.timeout(400)
def test_kept_and_mutated_inputs_break_nothing(form: Form, figures: Figures) -> None:
    count = form.pick(quick=100, ci=500, long=5000)
    held = 0
    for name in GROUPS:
        feed, inputs = target(name), kept(name)
        replay(feed, inputs)
        scatter(feed, [data for _, data in inputs], count=count, seed=f"{name} 1")
        held += len(inputs)

    figures.record(
        "kept and mutated inputs",
        tried=held + count * len(GROUPS),
        note=f"{held} kept, {len(parsers())} parsers in {len(GROUPS)} targets",
    )


@pytest.mark.row("R11")
@pytest.mark.timeout(400)
def test_an_input_of_any_length_costs_little(form: Form, figures: Figures) -> None:
    most_seeds = form.pick(quick=1, ci=2, long=8)
    costs: list[tuple[float, int, str]] = []
    for name in GROUPS:
        feed, good = target(name), seeds(name)
        replay(feed, [("a good input", data) for data in good])  # loads and caches
        for seed in good[:most_seeds]:
            chosen = enlarge(seed)[:: form.pick(quick=2, ci=1, long=1)]
            costs += [(*cost(feed, large), name) for large in chosen]

    slowest_ms, _, slow = max(costs)
    peak, large = max((taken, name) for _, taken, name in costs)
    bad = [one for one in costs if one[0] > MOST_MS or one[1] > MOST_BYTES]
    figures.record(
        "inputs of 64 KiB",
        tried=len(costs),
        bad=len(bad),
        note=f"at most {slowest_ms:.0f} ms ({slow}) and {peak / 2**20:.0f} MiB "
        f"({large})",
    )
    assert bad == []


@pytest.mark.row("R11")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", GROUPS)
def test_libfuzzer_finds_nothing(
    name: str, form: Form, figures: Figures, tmp_path: Path
) -> None:
    form.needs(Form.CI, "libFuzzer takes seconds for each target")
    if reason := why_not():
        pytest.skip(reason)

    run = fuzz(name, seconds=form.pick(quick=1, ci=5, long=22), place=tmp_path)

    figures.record(
        f"libFuzzer: {name}",
        tried=run.executed,
        bad=int(run.found is not None),
        note=f"{run.covered} edges, slowest {run.slowest_ms:.0f} ms, instrumented",
    )
    assert run.found is None, f"{run.found!r}\n{run.output[-3000:]}"
