"""The console script: arguments in, an exit code out, and nothing uncaught between."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from typer.main import get_command

from tallystick_client.cli import lazy
from tallystick_client.cli.app import build
from tallystick_client.cli.console import close_output
from tallystick_client.cli.outcome import INTERRUPTED, USAGE, report
from tallystick_client.errors import OutputClosedError

_FLAGS = frozenset({"--json", "--quiet", "-q", "--verbose", "-v"})
_VALUED = frozenset({"--state", "--config"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (see `outcome`)."""
    given = sys.argv[1:] if arguments is None else arguments
    words = hoist(given, lazy.names())
    try:
        command = get_command(build())
        ended: object = command.main(
            args=words, prog_name="tallystick", standalone_mode=False
        )
        sys.stdout.flush()
        return ended if type(ended) is int else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except (OutputClosedError, BrokenPipeError):
        close_output()
        return OutputClosedError.exit_code
    except typer.Abort:
        return USAGE
    except Exception as error:  # noqa: BLE001 -- the top: bugs show their traceback
        return report(error, is_json="--json" in words)


def hoist(arguments: Sequence[str], stops: Sequence[str]) -> list[str]:
    """Move the global options to the front, where the parser looks for them.

    What follows `--`, or the name of another house's commands, is left alone.
    """
    front: list[str] = []
    rest: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "--" or (word in stops and not rest):
            return [*front, *rest, word, *words]
        if word in _FLAGS or word.partition("=")[0] in _VALUED:
            front.append(word)
            if word in _VALUED and words:
                front.append(words.pop(0))
        else:
            rest.append(word)
    return [*front, *rest]
