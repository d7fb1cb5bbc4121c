"""R1: the vault is hit at every write-side call; no key that was given is ever lost.

R19: the same points find bugs that were planted in it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash.calls import Fault, points_of, why_not
from tests.system.crash.commands import Command
from tests.system.crash.matrix import Matrix
from tests.system.crash.vault_commands import VAULT_COMMANDS, Owner

MOST = 40

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.row("R1")
@pytest.mark.parametrize("command", VAULT_COMMANDS, ids=lambda command: command.name)
def test_a_vault_command_that_was_cut_short_loses_no_key_and_can_be_done_again(
    command: Command, tmp_path: Path, form: Form, figures: Figures
) -> None:
    if why := why_not():
        pytest.skip(why)
    form.needs(Form.CI, "each point runs a command up to six times")
    points = points_of(command.list_calls(tmp_path / "listed"))
    matrix = Matrix(tmp_path)

    matrix.run(points, command.hit, most=form.pick(quick=0, ci=4, long=1000))

    least = form.pick(quick=0, ci=4, long=15)
    matrix.record(figures, f"crash points: {command.name}", least=least)


@pytest.mark.row("R1")
def test_a_key_that_was_given_before_a_crash_is_there_after_it(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    if why := why_not():
        pytest.skip(why)
    owner, matrix = Owner(), Matrix(tmp_path)
    points = points_of(owner.list_calls(tmp_path / "listed"))

    matrix.run(points, owner.hit, most=form.pick(quick=3, ci=20, long=1000))

    least = form.pick(quick=3, ci=20, long=60)
    matrix.record(figures, "crash points: keys of the vault", least=least)


@pytest.mark.row("R19")
@pytest.mark.parametrize(
    ("bug", "fault"),
    [("early", Fault.KILL), ("deaf", Fault.EIO)],
    ids=["early", "deaf"],
)
def test_a_vault_that_does_not_wait_for_its_write_is_found(
    bug: str, fault: Fault, tmp_path: Path, form: Form, figures: Figures
) -> None:
    if why := why_not():
        pytest.skip(why)
    form.needs(Form.CI, "some points have to be tried until one shows the bug")
    owner = Owner((sys.executable, "-m", "tests.system.crash.sabotaged_vault", bug))
    points = points_of(owner.list_calls(tmp_path / "listed"))  # untouched it looks well
    of_store = [
        point
        for point in points
        if point.fault is fault and point.call.path.endswith("data.mdb")
    ]

    tried, found = 0, ""
    for point in of_store[:MOST]:
        tried += 1
        if wrong := owner.hit(tmp_path / str(tried), point):
            found = f"{point}: {wrong[0][:60]}"
            break

    name = f"planted: a vault that is {bug}"
    figures.record(name, tried=tried, bad=0 if found else 1, note=f"crash {found}")
    assert found
