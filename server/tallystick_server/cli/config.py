"""`config check`: the effective configuration, and where each value came from."""

from __future__ import annotations

import typer

from tallystick_server.cli.boundary import bounded, show
from tallystick_server.cli.options import (
    ConfigOption,
    DataOption,
    JsonOption,
    load_settings,
)

app = typer.Typer(
    help="Look at the configuration.", no_args_is_help=True, add_completion=False
)


@app.callback()
def _config() -> None:
    """Look at the configuration."""


@app.command("check")
@bounded
def check(
    config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Check the configuration and show every value with its origin."""
    values = load_settings(config, data).values()
    answer = {
        "values": [
            {"key": one.path, "value": one.value, "origin": one.origin}
            for one in values
        ]
    }
    lines = [f"{one.path} = {_spell(one.value)}  # {one.origin}" for one in values]
    show(answer, lines, as_json=as_json)


def _spell(value: object) -> str:
    """Write a value as TOML would, more or less; what is not set as `unset`."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
