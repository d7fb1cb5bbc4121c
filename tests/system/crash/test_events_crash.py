"""R1: a log of events is hit at every call, its vault too: all acked is readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash.calls import Point, part_of, points_of, why_not
from tests.system.crash.events_run import hit, list_calls, new_case, recover
from tests.system.crash.matrix import Matrix

PARTS = 2

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.row("R1")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_acked_event_is_unreadable_after_a_fault_at_any_call(
    part: int, tmp_path: Path, form: Form, figures: Figures
) -> None:
    if why := why_not():
        pytest.skip(why)
    if part:
        form.needs(Form.CI, "one part is enough for a quick look")
    case, matrix = new_case(tmp_path / "new"), Matrix(tmp_path)
    points = points_of(list_calls(case.copy(tmp_path / "listed")))

    def attempt(place: Path, point: Point) -> list[str] | None:
        copy = case.copy(place)
        was_hit = hit(copy, point)
        found = recover(copy)
        return found if was_hit or found else None

    chosen = part_of(points, part, of=PARTS)
    matrix.run(chosen, attempt, most=form.pick(quick=2, ci=12, long=1000))

    least = form.pick(quick=2, ci=12, long=80)
    matrix.record(figures, "crash points: a log of events and its vault", least=least)
