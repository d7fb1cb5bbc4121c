"""R1: commands that change a data directory are hit at every write-side call."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash.calls import points_of, why_not
from tests.system.crash.commands import COMMANDS, Command
from tests.system.crash.matrix import Matrix

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.row("R1")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_that_was_cut_short_can_be_done_again(
    command: Command, tmp_path: Path, form: Form, figures: Figures
) -> None:
    if why := why_not():
        pytest.skip(why)
    form.needs(Form.CI, "each point runs a command up to six times")
    points = points_of(command.list_calls(tmp_path / "listed"))
    matrix = Matrix(tmp_path)

    matrix.run(points, command.hit, most=form.pick(quick=0, ci=2, long=1000))

    least = form.pick(quick=0, ci=2, long=15)
    matrix.record(figures, f"crash points: {command.name}", least=least)
