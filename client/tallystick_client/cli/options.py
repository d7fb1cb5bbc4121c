"""Options that several commands share; typer reads them from the signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_WHERE = "The log"

Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Base URL of the log server.",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]

Log = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Name of the log on that server.",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]

PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="Policy file: which log and which witnesses to believe.",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]

Origin = Annotated[
    str | None,
    typer.Option(
        metavar="ORIGIN",
        help="Which log of the policy; needed only if it lists several.",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]

TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File that holds a token of the log: to write, or to read one that is not "
        "for everybody.",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]
"""The five options that say which log is meant."""
