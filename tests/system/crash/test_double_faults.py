"""R2: a second fault in the run that recovers from the first one changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash import server_check, witness_run
from tests.system.crash.calls import Pair, pairs_of, points_of, why_not
from tests.system.crash.inside import Desk
from tests.system.crash.matrix import Matrix
from tests.system.crash.server_run import grown_case, new_case
from tests.system.loopback import Loopback

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(autouse=True)
def traced(form: Form) -> None:
    """Skip where nothing can be hit, or there is no time for it."""
    if why := why_not():
        pytest.skip(why)
    form.needs(Form.CI, "each pair starts a process three times")


@pytest.mark.row("R2")
def test_a_server_survives_a_fault_in_its_recovery(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    desk = Desk()
    matrix = Matrix(tmp_path)
    with Loopback(desk) as loopback:
        new = new_case(tmp_path / "new", url=loopback.url, desk=desk)
        case = grown_case(new, tmp_path / "grown")
        listed = case.copy(tmp_path / "listed")
        first = points_of(server_check.list_calls(listed))
        second = points_of(server_check.list_calls(listed, second=True))

        def attempt(place: Path, pair: Pair) -> list[str] | None:
            copy = case.copy(place)
            were_hit = [
                server_check.hit(copy, pair.first),
                server_check.hit(copy, pair.second, second=True),
            ]
            found = server_check.recover(copy)
            return found if all(were_hit) or found else None

        most = form.pick(quick=0, ci=10, long=130)
        matrix.run(pairs_of(first, second, count=2 * most), attempt, most=most)

    matrix.record(figures, "double faults: server", least=most)


@pytest.mark.row("R2")
def test_a_witness_survives_a_fault_in_its_recovery(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    matrix = Matrix(tmp_path)
    home = witness_run.new_home(tmp_path / "new")
    listed = home.copy(tmp_path / "listed")
    first = points_of(witness_run.list_calls(listed))
    second = points_of(witness_run.list_calls(listed, second=True))

    def attempt(place: Path, pair: Pair) -> list[str] | None:
        copy = home.copy(place)
        were_hit = [
            witness_run.hit(copy, pair.first),
            witness_run.hit(copy, pair.second, second=True),
        ]
        found = witness_run.recover(copy)
        return found if all(were_hit) or found else None

    most = form.pick(quick=0, ci=10, long=100)
    matrix.run(pairs_of(first, second, count=2 * most), attempt, most=most)

    matrix.record(figures, "double faults: witness", least=most)
