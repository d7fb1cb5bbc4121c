"""R19: the fuzzers find the bugs that were put there for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.mutate import enlarge
from tests.fuzz.planted import PLANTED, quadratic, seeds
from tests.fuzz.running import BrokenError, cost, fuzz, scatter, why_not
from tests.rows.forms import Form
from tests.rows.report import Figures

_TRIES = 20_000


@pytest.mark.row("R19")
@pytest.mark.parametrize("name", PLANTED)
def test_the_mutator_finds_a_planted_bug(name: str, figures: Figures) -> None:
    found = ""
    try:
        scatter(PLANTED[name], seeds(), count=_TRIES, seed="planted")
    except BrokenError as error:
        found = str(error)

    what = name.removeprefix("planted-")
    figures.record(
        f"planted: a parser with a {what} bug, for the mutator",
        tried=_TRIES,
        bad=int(not found),
        note=f"caught by {found.partition(':')[0]}",
    )
    assert found


@pytest.mark.row("R19")
@pytest.mark.parametrize("name", PLANTED)
def test_libfuzzer_finds_a_planted_bug(
    name: str, form: Form, figures: Figures, tmp_path: Path
) -> None:
    form.needs(Form.CI, "libFuzzer takes seconds for each target")
    if reason := why_not():
        pytest.skip(reason)

    run = fuzz(name, seconds=30, place=tmp_path)

    what = name.removeprefix("planted-")
    figures.record(
        f"planted: a parser with a {what} bug, for libFuzzer",
        tried=run.executed,
        bad=int(run.found is None),
        note=f"caught at input {run.executed:,}",
    )
    assert run.found is not None, run.output[-2000:]


@pytest.mark.row("R19")
def test_a_long_input_shows_a_parser_that_copies_what_is_left(figures: Figures) -> None:
    inputs = enlarge(b"seed\n")
    caught = 0
    for data in inputs:
        with pytest.raises(BrokenError, match="BudgetError"):
            cost(quadratic, data)
        caught += 1

    figures.record(
        "planted: a parser of quadratic cost",
        tried=len(inputs),
        bad=len(inputs) - caught,
        note="caught by each input of 64 KiB",
    )
    assert caught == len(inputs)
