"""The commands, gathered."""

from __future__ import annotations

import typer

from tallystick_server.cli import (
    checking,
    config,
    copying,
    making,
    promoting,
    serving,
    tokens,
    vault,
)
from tallystick_server.cli.boundary import Commands

app = typer.Typer(
    cls=Commands,
    help="Run a Tallystick log server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("init")(making.init)
app.command("serve")(serving.serve)
app.command("fsck")(checking.fsck)
app.command("backup")(copying.backup)
app.command("restore")(copying.restore)
app.command("promote")(promoting.promote)
app.add_typer(config.app, name="config")
app.add_typer(tokens.app, name="token")
app.add_typer(vault.app, name="vault")
