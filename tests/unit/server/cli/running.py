"""Run an operator's command in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from tallystick_server.cli import app

ORIGIN = "log.example/main"


def call(*words: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(word) for word in words])


def answer(*words: object) -> Any:  # noqa: ANN401 -- whatever the object holds
    """Run a command that must succeed, and read its object."""
    result = call(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def init(data: Path, *more: object) -> Any:  # noqa: ANN401 -- as above
    return answer("init", "--data", data, "--log", "main", "--origin", ORIGIN, *more)
