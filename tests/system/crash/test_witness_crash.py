"""R1: the witness is hit at every write-side call, and forgets nothing it cosigned."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tallystick_witness.anchor import MAX_LINES
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash.calls import Point, part_of, points_of, why_not
from tests.system.crash.matrix import Matrix
from tests.system.crash.witness_run import (
    FIRST,
    Asker,
    Home,
    hit,
    list_calls,
    new_home,
    recover,
)

PARTS = 2

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(autouse=True)
def traced() -> None:
    """Skip where nothing can be hit."""
    if why := why_not():
        pytest.skip(why)


def attempt(home: Home, place: Path, point: Point) -> list[str] | None:
    """Try a point in a copy of a home."""
    copy = home.copy(place)
    was_hit = hit(copy, point)
    found = recover(copy)
    return found if was_hit or found else None


@pytest.mark.row("R1")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_witness_survives_a_fault_at_any_call(
    tmp_path: Path, part: int, form: Form, figures: Figures
) -> None:
    if part:
        form.needs(Form.CI, "one part is enough for a quick look")
    home = new_home(tmp_path / "new")
    points = points_of(list_calls(home.copy(tmp_path / "listed")))
    matrix = Matrix(tmp_path)

    mine = part_of(points, part, of=PARTS)
    most = form.pick(quick=2, ci=16, long=1000)
    matrix.run(mine, partial(attempt, home), most=most)

    least = form.pick(quick=2, ci=16, long=150)
    matrix.record(figures, "crash points: witness", least=least)


@pytest.mark.row("R1")
def test_a_witness_survives_a_fault_while_its_anchor_is_written_anew(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    form.needs(Form.CI, "the anchor has to be long before it is written anew")
    home = new_home(tmp_path / "new")
    with home.serve() as process:
        assert Asker(home, process).grow(FIRST, 1)
        assert process.stop() == 0
    head, line = home.anchor.read_bytes().splitlines(keepends=True)
    home.anchor.write_bytes(head + line * (MAX_LINES + 1))  # the next one is too many
    calls = list_calls(home.copy(tmp_path / "listed"))
    assert any(call.name == "rename" for call in calls)
    points = points_of(call for call in calls if call.path.startswith("other"))
    matrix = Matrix(tmp_path)

    most = form.pick(quick=0, ci=3, long=1000)
    matrix.run(points, partial(attempt, home), most=most)

    least = form.pick(quick=0, ci=3, long=30)
    matrix.record(figures, "crash points: anchor of a witness", least=least)
