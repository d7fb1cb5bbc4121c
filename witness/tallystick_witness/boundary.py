"""Between a command and the shell: one line on stderr, and an exit code.

0 ok, 1 rolled back, forked or corrupt, 2 usage or not initialised, 4 clock, 5 service.
With `--json` the error is an object on stdout as well, as of all commands of
`tallystick`: {"error": {"exit_code", "kind", "message"}}.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Never

import typer
from typer.core import TyperGroup

from tallystick_witness.errors import UsageError, WitnessError

_EXTRA = frozenset({"aiohttp", "lmdb", "pydantic", "uvloop"})


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
        try:
            ended: object = super().main(
                words,
                prog_name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except typer.TyperException as error:
            ended = report(error, is_json="--json" in words)
        sys.exit(ended if type(ended) is int else 0)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn our errors into a CommandError: a line and an exit code."""
    try:
        yield
    except WitnessError as error:
        raise CommandError(
            str(error), exit_code=error.exit_code, kind=type(error).__name__
        ) from error
    except OSError as error:
        line = f"{error.strerror or error}: {error.filename or 'no file'}"
        raise CommandError(
            line, exit_code=WitnessError.exit_code, kind=type(error).__name__
        ) from error
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        line = f"{error.name} is missing; run: pip install 'tallystick[witness]'"
        raise CommandError(
            line, exit_code=UsageError.exit_code, kind=type(error).__name__
        ) from error


def report(error: typer.TyperException, *, is_json: bool) -> int:
    """Tell an error on stderr, and as an object for `--json`; give the exit code."""
    is_ours = isinstance(error, CommandError)
    code = error.exit_code if is_ours else UsageError.exit_code
    kind = error.kind if isinstance(error, CommandError) else type(error).__name__
    message = plain(error.format_message().strip() + _hint(error))
    if message:  # a group without a command has shown its help already
        sys.stderr.write(f"tallystick witness: {message}\n")
    if is_json:
        told = {"exit_code": code, "kind": kind, "message": message}
        sys.stdout.write(json.dumps({"error": told}) + "\n")
        sys.stdout.flush()
    return code


def plain(text: str) -> str:
    """Replace what a terminal might obey."""
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def _hint(error: typer.TyperException) -> str:
    """Name the help of the command that was misused."""
    context: object = getattr(error, "ctx", None)
    command: object = getattr(context, "command_path", None)
    message = error.format_message().strip()
    if not isinstance(command, str) or not message:
        return ""
    return f"{'' if message.endswith(('.', '?')) else '.'} Try '{command} --help'."
