"""Options that several commands share, spelt and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallystick_server.config.load import Loaded, load

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data directory. Default: server.data, else ./data."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file of the configuration."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Answer with one JSON object.")
]
LogOption = Annotated[str, typer.Option("--log", help="Name of the log.")]


def load_settings(config: Path | None, data: Path | None, **server: object) -> Loaded:
    """Load the configuration under the flags that were given; None means not given."""
    flags = {"data": None if data is None else str(data), **server}
    given = {name: value for name, value in flags.items() if value is not None}
    return load(file=config, flags={"server": given} if given else {})
