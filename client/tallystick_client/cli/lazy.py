"""Commands of the other houses: named by entry points, imported only when called.

They have options of their own.  Of the global ones before their name `--json` is handed
over; a file or directory that would have no effect is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import typer

from tallystick_client.cli.console import Shell, shell_of
from tallystick_client.errors import MissingExtraError, UsageError

GROUP = "tallystick.commands"
"""The entry-point group in which a house names its commands."""

_HELP = {
    "selftest": "Try out on your own disk that nothing acked is lost (for operators).",
    "server": "Run a log server (for operators).",
    "witness": "Run a witness that cosigns logs (for operators).",
}
_EXTRAS = {"selftest": "server"}  # the others are named as their extra
_SINGLE = frozenset({"selftest"})  # one command, no group of them


def names() -> tuple[str, ...]:
    """Name the commands of other houses."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def add_commands(app: typer.Typer) -> None:
    """Add a stand-in for each house's commands; it loads them when it is called."""
    for name in names():
        app.command(
            name,
            help=_HELP.get(name, f"Commands of {name}."),
            rich_help_panel="Operators",
            add_help_option=False,
            context_settings={
                "allow_extra_args": True,
                "ignore_unknown_options": True,
                "allow_interspersed_args": False,
            },
        )(_stand_in(name))


def run(name: str, arguments: list[str]) -> None:
    """Run the commands of a house; they end the process with their own exit code."""
    (entry, *_) = entry_points(group=GROUP, name=name)
    load(entry)(args=arguments, prog_name=f"tallystick {name}")


def load(entry: EntryPoint) -> typer.Typer:
    """Import a house's commands; raise MissingExtraError where a library is missing."""
    try:
        app: object = entry.load()
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(entry.name, entry.name)
        raise MissingExtraError(
            f"tallystick {entry.name} needs: pip install 'tallystick[{extra}]' "
            f"(there is no module {error.name})"
        ) from error
    if not isinstance(app, typer.Typer):
        raise MissingExtraError(f"{entry.value} is not a group of commands")
    return app


def hand_over(shell: Shell, name: str, arguments: list[str]) -> list[str]:
    """Give the words for a house's commands, after the global options before them."""
    given = (("--state", shell.state), ("--config", shell.config))
    for option, value in given:
        if value is not None:
            raise UsageError(
                f"{option} before {name!r} is the client's: leave it out, or give an "
                f"option of {name!r} after its subcommand"
            )
    shows_help = not arguments and name not in _SINGLE
    if not shell.is_json or shows_help or {"--json", "--help"} & set(arguments):
        return arguments
    return [*arguments, "--json"]


def _stand_in(name: str) -> Callable[[typer.Context], None]:
    def call(context: typer.Context) -> None:
        run(name, hand_over(shell_of(context), name, context.args))

    return call
