"""R1: a log that was set back never signs, whatever happens while evidence is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash.calls import Fault, Point, points_of, why_not
from tests.system.crash.inside import Desk, Inside
from tests.system.crash.matrix import Matrix
from tests.system.crash.server_run import Case, grown_case, new_case
from tests.system.loopback import Loopback
from tests.system.stack import LOG

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]

EVIDENCE = f"data/logs/{LOG}/evidence"
REFUSED, KILLED = 1, -9


def refuse(case: Case, point: Point | None) -> tuple[int | None, bool]:
    """Start a log that was set back: the exit code, None if it signs; was it hit?"""
    with case.serve(point=point) as server:
        if server.listens() is not None:
            return None, True
        return server.process.returncode, server.was_hit()


def kept(case: Case) -> list[str]:
    """The strange heads that were kept."""
    files = (case.place / EVIDENCE).glob("*.json")
    return [json.loads(file.read_text())["theirs"] for file in files]


@pytest.mark.row("R1")
def test_a_log_that_was_set_back_never_signs_and_keeps_evidence_in_the_end(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    if why := why_not():
        pytest.skip(why)
    form.needs(Form.CI, "each point starts a server twice")
    desk, matrix = Desk(), Matrix(tmp_path)
    with Loopback(desk) as loopback:
        new = new_case(tmp_path / "new", url=loopback.url, desk=desk)
        head = grown_case(new, tmp_path / "grown").inside.last()
        assert head is not None

        def set_back(place: Path) -> Case:
            copy = new.copy(place)
            copy.inside = Inside(copy.inside.log, head)
            return copy

        def attempt(place: Path, point: Point) -> list[str] | None:
            case = set_back(place)
            code, was_hit = refuse(case, point)
            allowed = KILLED if point.fault is Fault.KILL else REFUSED
            wrong = [] if code == allowed or not was_hit else [f"ended with {code}"]
            again, _ = refuse(case, None)
            if again != REFUSED:
                wrong.append(f"started again, it ended with {again}")
            if kept(case) != [head.note.decode()]:
                wrong.append(f"kept {kept(case)}")
            return wrong if was_hit or wrong else None

        listed = set_back(tmp_path / "listed")
        with listed.serve(listing=True) as server:
            assert server.listens() is None
            calls = [c for c in server.calls() if c.path.startswith(EVIDENCE)]
        most = form.pick(quick=0, ci=3, long=100)
        matrix.run(points_of(calls), attempt, most=most)

    least = form.pick(quick=0, ci=3, long=12)
    matrix.record(figures, "crash points: evidence of a server", least=least)
