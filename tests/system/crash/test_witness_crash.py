"""R1: the witness is hit at every write-side call, and forgets nothing it cosigned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash.calls import Point, part_of, points_of, why_not
from tests.system.crash.matrix import Matrix
from tests.system.crash.witness_run import hit, list_calls, new_home, recover

PARTS = 2

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.row("R1")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_witness_survives_a_fault_at_any_call(
    tmp_path: Path, part: int, form: Form, figures: Figures
) -> None:
    if part:
        form.needs(Form.CI, "one part is enough for a quick look")
    if why := why_not():
        pytest.skip(why)
    home = new_home(tmp_path / "new")
    points = points_of(list_calls(home.copy(tmp_path / "listed")))
    matrix = Matrix(tmp_path)

    def attempt(place: Path, point: Point) -> list[str] | None:
        copy = home.copy(place)
        was_hit = hit(copy, point)
        found = recover(copy)
        return found if was_hit or found else None

    mine = part_of(points, part, of=PARTS)
    matrix.run(mine, attempt, most=form.pick(quick=2, ci=16, long=1000))

    least = form.pick(quick=2, ci=16, long=150)
    matrix.record(figures, "crash points: witness", least=least)
