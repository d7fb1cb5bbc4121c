"""A home of its own for every command, and receipts to check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_client.cli.main import main
from tests.unit.client.cli.desk import Desk, Run, Said


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Run the command line in this process, with an empty home."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def call(*arguments: object) -> Said:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with a witnessed receipt of entry 1."""
    desk = Desk(tmp_path)
    desk.put()
    return desk
