"""All commands of `tallystick`, in the order in which people meet them.

JSON of version: {"version"}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallystick_client.cli import (
    appending,
    auditing,
    demonstrating,
    dlq,
    emitting,
    events,
    evidence,
    heading,
    keys,
    lazy,
    policies,
    producers,
    proving,
    receipts,
    schema,
    verifying,
)
from tallystick_client.cli.console import Shell, shell_of
from tallystick_client.transport import VERSION

HELP = (
    "Write to a tamper-evident log, and check what it says, offline. "
    "The global options may stand before or after a command."
)


def build() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        name="tallystick",
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(root)
    app.command(rich_help_panel="Start here")(demonstrating.demo)
    app.command(rich_help_panel="Start here")(version)
    app.command(rich_help_panel="Write")(appending.append)
    app.command(rich_help_panel="Write")(emitting.emit)
    app.add_typer(receipts.app, name="receipts", rich_help_panel="Write")
    app.command(rich_help_panel="Check")(verifying.verify)
    app.command(rich_help_panel="Check")(proving.prove)
    app.command(rich_help_panel="Check")(evidence.disclose)
    app.add_typer(events.app, name="event", rich_help_panel="Check")
    app.command(rich_help_panel="Check")(heading.head)
    app.command(rich_help_panel="Check")(auditing.audit)
    app.add_typer(policies.app, name="policy", rich_help_panel="Check")
    app.command(rich_help_panel="Keep")(producers.producers)
    app.add_typer(schema.app, name="schema", rich_help_panel="Keep")
    app.add_typer(dlq.app, name="dlq", rich_help_panel="Keep")
    app.add_typer(keys.app, name="key", rich_help_panel="Keys")
    lazy.add_commands(app)
    return app


def root(
    context: typer.Context,
    is_json: Annotated[
        bool, typer.Option("--json", help="Give results and errors as JSON objects.")
    ] = False,
    is_quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")
    ] = False,
    is_verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where receipts and believed heads are kept "
            "(else $XDG_STATE_HOME/tallystick).",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Settings (else $XDG_CONFIG_HOME/tallystick/config.toml).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Take the global options."""
    context.obj = Shell(is_json, is_quiet, is_verbose, state, config)


def version(context: typer.Context) -> None:
    """Show the version."""
    shell_of(context).result({"version": VERSION}, f"tallystick {VERSION}")
