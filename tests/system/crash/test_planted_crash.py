"""R19: the crash matrix finds bugs that were planted in the server and the witness.

Each bug is a release that does not wait for what it promises.  The points are those of
the matrix itself, in its order; they are tried until one shows the bug.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash import server_check, witness_run
from tests.system.crash.calls import Call, Fault, Point, points_of, why_not
from tests.system.crash.inside import Desk
from tests.system.crash.server_run import grown_case, new_case
from tests.system.loopback import Loopback

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(600)]

MOST = 40
NOWHERE = Point(Call("fsync", "no/such/file", 1), Fault.EIO)
FAULTS = {"early": Fault.KILL, "deaf": Fault.EIO}

HERE = Path(__file__).parent


def program(file: str, bug: str) -> list[str]:
    """The command line that stands for `tallystick`."""
    return [sys.executable, str(HERE / file), bug]


def find(
    points: list[Point], bug: str, attempt: Callable[[int, Point], list[str]]
) -> tuple[int, str]:
    """Try points of the store until one shows the bug: how many, and what it showed."""
    assert attempt(0, NOWHERE) == []  # without a fault it looks healthy
    tried = 0
    for point in points:
        is_of_store = point.call.path.endswith("data.mdb")
        if point.fault is not FAULTS[bug] or not is_of_store:
            continue
        tried += 1
        if found := attempt(tried, point):
            return tried, f"{point}: {found[0][:60]}"
        if tried == MOST:
            break
    return tried, ""


@pytest.fixture(autouse=True)
def traced(form: Form) -> None:
    """Skip where nothing can be hit, or there is no time for it."""
    if why := why_not():
        pytest.skip(why)
    form.needs(Form.CI, "some points have to be tried until one shows the bug")


@pytest.mark.row("R19")
@pytest.mark.parametrize("bug", FAULTS)
def test_a_server_that_does_not_wait_for_its_commit_is_found(
    bug: str, tmp_path: Path, figures: Figures
) -> None:
    desk = Desk()
    with Loopback(desk) as loopback:
        new = new_case(tmp_path / "new", url=loopback.url, desk=desk)
        case = grown_case(new, tmp_path / "grown")
        points = points_of(server_check.list_calls(case.copy(tmp_path / "listed")))

        def attempt(number: int, point: Point) -> list[str]:
            copy = case.copy(tmp_path / str(number))
            server_check.hit(copy, point, program=program("sabotaged_server.py", bug))
            copy.book.wrong.clear()  # how it ends does not count, what it leaves does
            return server_check.recover(copy)

        tried, found = find(points, bug, attempt)

    name = f"planted: a server that is {bug}"
    figures.record(name, tried=tried, bad=0 if found else 1, note=f"crash {found}")
    assert found


@pytest.mark.row("R19")
@pytest.mark.parametrize("bug", FAULTS)
def test_a_witness_that_does_not_wait_for_its_store_is_found(
    bug: str, tmp_path: Path, figures: Figures
) -> None:
    home = witness_run.new_home(tmp_path / "new")
    points = points_of(witness_run.list_calls(home.copy(tmp_path / "listed")))

    def attempt(number: int, point: Point) -> list[str]:
        copy = home.copy(tmp_path / str(number))
        witness_run.hit(copy, point, program=program("sabotaged_witness.py", bug))
        copy.told.wrong.clear()
        return witness_run.recover(copy)

    tried, found = find(points, bug, attempt)

    name = f"planted: a witness that is {bug}"
    figures.record(name, tried=tried, bad=0 if found else 1, note=f"crash {found}")
    assert found
