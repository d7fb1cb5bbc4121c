"""Between a command and the shell: one line on stderr, and an exit code.

    0  ok
    1  integrity: rollback, fork, corruption
    2  usage, configuration, not initialised, wrong key, held by another process
    4  the clock is off
    5  the disk or the network failed; another try may succeed

With `--json` the error is an object on stdout as well, as of all commands of
`tallystick`: {"error": {"exit_code", "kind", "message"}}.  A bug keeps its traceback:
it has no exit code of its own.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Never, ParamSpec, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from tallystick_server.errors import ServerError, StartError
from tallystick_server.ops.logging import clean

P = ParamSpec("P")
T = TypeVar("T")

EXIT_INTEGRITY = 1
EXIT_USAGE = 2
EXIT_SERVICE = 5

_EXTRA = "pip install 'tallystick[server]'"


class CommandError(typer.TyperException):
    """The error of a command on its way to the shell; `kind` is its name."""

    def __init__(self, line: str, *, exit_code: int, kind: str) -> None:
        """Keep the line, what the process will end with, and the name."""
        super().__init__(line)
        self.exit_code = exit_code
        self.kind = kind


class Commands(TyperGroup):
    """All commands: their errors, and those of their usage, are told in one way."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: object,
    ) -> Never:
        """Run a command and end the process."""
        del standalone_mode  # its way to tell an error takes many lines
        words = list(sys.argv[1:] if args is None else args)
        run = functools.partial(
            super().main,
            words,
            prog_name,
            complete_var,
            standalone_mode=False,
            windows_expand_args=windows_expand_args,
            **extra,
        )
        _end(run, house="tallystick server", is_json="--json" in words)


class SingleCommand(TyperCommand):
    """A command that stands alone, told in the same way under its own name."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: object,
    ) -> Never:
        """Run the command and end the process."""
        del standalone_mode
        words = list(sys.argv[1:] if args is None else args)
        run = functools.partial(
            super().main,
            words,
            prog_name,
            complete_var,
            standalone_mode=False,
            windows_expand_args=windows_expand_args,
            **extra,
        )
        _end(run, house=f"tallystick {self.name}", is_json="--json" in words)


def bounded(command: Callable[P, T]) -> Callable[P, T]:
    """Turn the errors of a command into a CommandError: a line and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except StartError as error:
            raise _command_error(error, str(error), error.exit_code) from error
        except ServerError as error:
            raise _command_error(error, str(error), EXIT_SERVICE) from error
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0].startswith("tallystick"):
                raise
            line = f"there is no module {error.name}; run: {_EXTRA}"
            raise _command_error(error, line, EXIT_USAGE) from error
        except OSError as error:
            line = f"{error.strerror or error}: {error.filename or 'no file'}"
            raise _command_error(error, line, EXIT_SERVICE) from error

    return run


def report(error: typer.TyperException, *, house: str, is_json: bool) -> int:
    """Tell an error on stderr, and as an object for `--json`; give the exit code."""
    code = error.exit_code if isinstance(error, CommandError) else EXIT_USAGE
    kind = error.kind if isinstance(error, CommandError) else type(error).__name__
    message = clean(error.format_message().strip() + _hint(error))
    if message:  # a group without a command has shown its help already
        sys.stderr.write(f"{house}: {message}\n")
    if is_json:
        told = {"exit_code": code, "kind": kind, "message": message}
        sys.stdout.write(json.dumps({"error": told}) + "\n")
        sys.stdout.flush()
    return code


def show(answer: Mapping[str, object], lines: list[str], *, as_json: bool) -> None:
    """Write an answer on stdout: one JSON object, or lines for people."""
    text = json.dumps(answer, indent=1) if as_json else "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _end(run: Callable[[], object], *, house: str, is_json: bool) -> Never:
    """Run a command, tell its error, and end the process with its exit code."""
    try:
        ended = run()
    except typer.TyperException as error:
        ended = report(error, house=house, is_json=is_json)
    sys.exit(ended if type(ended) is int else 0)


def _command_error(error: Exception, line: str, exit_code: int) -> CommandError:
    return CommandError(line, exit_code=exit_code, kind=type(error).__name__)


def _hint(error: typer.TyperException) -> str:
    """Name the help of the command that was misused."""
    context: object = getattr(error, "ctx", None)
    command: object = getattr(context, "command_path", None)
    message = error.format_message().strip()
    if not isinstance(command, str) or not message:
        return ""
    return f"{'' if message.endswith(('.', '?')) else '.'} Try '{command} --help'."
