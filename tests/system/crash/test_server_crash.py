"""R1: the server is hit at every write-side call, and loses and forks nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash.calls import Point, part_of, points_of, why_not
from tests.system.crash.inside import Desk
from tests.system.crash.matrix import Matrix
from tests.system.crash.server_check import hit, list_calls, recover
from tests.system.crash.server_run import Case, grown_case, new_case
from tests.system.loopback import Loopback

PARTS = 2

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Case]:
    """A log that was never served, and a witness for it."""
    if why := why_not():
        pytest.skip(why)
    desk = Desk()
    with Loopback(desk) as loopback:
        yield new_case(tmp_path / "new", url=loopback.url, desk=desk)


def try_all(case: Case, directory: Path, part: int, *, most: int) -> Matrix:
    """Try the points of a part of a case, each in a copy of its own."""
    matrix = Matrix(directory)
    points = points_of(list_calls(case.copy(directory / "listed")))

    def attempt(place: Path, point: Point) -> list[str] | None:
        copy = case.copy(place)
        was_hit = hit(copy, point)
        found = recover(copy)
        return found if was_hit or found else None

    matrix.run(part_of(points, part, of=PARTS), attempt, most=most)
    return matrix


@pytest.mark.row("R1")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_grown_log_survives_a_fault_at_any_call(
    new: Case, tmp_path: Path, part: int, form: Form, figures: Figures
) -> None:
    if part:
        form.needs(Form.CI, "one part is enough for a quick look")
    case = grown_case(new, tmp_path / "grown")

    matrix = try_all(case, tmp_path, part, most=form.pick(quick=2, ci=13, long=1000))

    least = form.pick(quick=2, ci=13, long=100)
    matrix.record(figures, "crash points: server, a log that grows", least=least)


@pytest.mark.row("R1")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_new_log_survives_a_fault_at_any_call(
    new: Case, tmp_path: Path, part: int, form: Form, figures: Figures
) -> None:
    form.needs(Form.CI, "each point starts a server twice")

    matrix = try_all(new, tmp_path, part, most=form.pick(quick=0, ci=10, long=1000))

    least = form.pick(quick=0, ci=10, long=100)
    matrix.record(figures, "crash points: server, a new log", least=least)
