"""Between a command and the shell: one line on stderr, and an exit code.

    0  ok
    1  integrity: rollback, fork, corruption
    2  usage, configuration, not initialised, wrong key, held by another process
    4  the clock is off
    5  the disk or the network failed; another try may succeed

A bug keeps its traceback: it has no exit code of its own.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

import typer

from tallystick_server.errors import ServerError, StartError
from tallystick_server.ops.logging import clean

P = ParamSpec("P")
T = TypeVar("T")

EXIT_INTEGRITY = 1
EXIT_USAGE = 2
EXIT_SERVICE = 5

_EXTRA = "pip install 'tallystick[server]'"


def bounded(command: Callable[P, T]) -> Callable[P, T]:
    """Turn the errors of a command into a line and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except StartError as error:
            raise leave(str(error), error.exit_code) from error
        except ServerError as error:
            raise leave(str(error), EXIT_SERVICE) from error
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0].startswith("tallystick"):
                raise
            line = f"there is no module {error.name}; run: {_EXTRA}"
            raise leave(line, EXIT_USAGE) from error
        except OSError as error:
            line = f"{error.strerror or error}: {error.filename or 'no file'}"
            raise leave(line, EXIT_SERVICE) from error

    return run


def leave(line: str, code: int) -> typer.Exit:
    """Write the line on stderr; give what ends the command."""
    typer.echo(f"tallystick server: {clean(line)}", err=True)
    return typer.Exit(code)


def show(answer: Mapping[str, object], lines: list[str], *, as_json: bool) -> None:
    """Write an answer on stdout: one JSON object, or lines for people."""
    text = json.dumps(answer, indent=1) if as_json else "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
