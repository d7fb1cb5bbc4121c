"""R19: the crash matrix finds a server whose log goes ahead of its vault."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash.calls import Call, Fault, Point, points_of, why_not
from tests.system.crash.events_run import Case, hit, list_calls, new_case, recover
from tests.system.crash.process import Traced

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(600)]

PROGRAM = Path(__file__).with_name("lazy_server.py")
NOWHERE = Point(Call("fsync", "no/such/file", 1), Fault.KILL)
MOST = 40


class Lazy(Case):
    """A case whose first run is that of the lazy server."""

    def serve(
        self, *more: str, point: Point | None = None, listing: bool = False
    ) -> Traced:
        """Start the lazy server where a point is hit, the real one to recover."""
        words = [*self.words("serve"), *more]
        program = None if point is None else [sys.executable, str(PROGRAM)]
        return Traced(
            words, place=self.place, point=point, listing=listing, program=program
        )


def lazily(case: Case, place: Path, point: Point) -> list[str]:
    """Try a point on a copy; give what the start after it finds wrong."""
    copy = case.copy(place)
    lazy = Lazy(copy.place, copy.vkey, copy.token)
    hit(lazy, point)
    lazy.wrong.clear()  # how it ends does not count, what it leaves does
    return recover(lazy)


@pytest.mark.row("R19")
def test_a_log_that_goes_ahead_of_its_vault_is_found(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    if why := why_not():
        pytest.skip(why)
    form.needs(Form.LONG, "many points have to be tried until one shows the bug")
    case = new_case(tmp_path / "new")
    points = points_of(list_calls(case.copy(tmp_path / "listed")))
    kills = [one for one in points if one.fault is Fault.KILL][:MOST]
    assert lazily(case, tmp_path / "nowhere", NOWHERE) == []

    found, tried = "", 0
    for tried, point in enumerate(kills, 1):
        if wrong := lazily(case, tmp_path / str(tried), point):
            found = f"{point}: {wrong[0][:60]}"
            break

    figures.record(
        "planted: a vault that is a step behind its log",
        tried=tried,
        bad=0 if found else 1,
        note=f"crash {found}",
    )
    assert found
