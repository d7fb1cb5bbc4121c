"""What a command says, and where: results to stdout, all else to stderr.

With `--json` a command writes exactly one JSON object to stdout (an audit that follows
a log writes one a line).  An error is one line on stderr, and with `--json` one object
`{"error": {…}}` on stdout as well.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tallystick_client.errors import OutputClosedError

Document = Mapping[str, object]
"""A JSON object that a command documents."""


class Meter:
    """A progress bar that may not be there."""

    def __init__(self, bar: Progress | None, label: str) -> None:
        """Show nothing where there is no bar."""
        self._bar = bar
        self._task = None if bar is None else bar.add_task(label, total=None, count="")

    def show(self, done: int, total: int | None = None) -> None:
        """Show how much is done."""
        if self._bar is not None and self._task is not None:
            count = str(done) if total is None else f"{done} of {total}"
            self._bar.update(self._task, completed=done, total=total, count=count)


@dataclass(frozen=True, slots=True)
class Shell:
    """The global options, and how to speak under them.

    `state` and `config` are None where the user named none.
    """

    is_json: bool = False
    is_quiet: bool = False
    is_verbose: bool = False
    state: Path | None = None
    config: Path | None = None

    def result(self, document: Document, text: str = "") -> None:
        """Give the result of a command: the object, or the text unless it is empty."""
        if self.is_json:
            _write(sys.stdout, json.dumps(document, ensure_ascii=False) + "\n")
        elif text and not self.is_quiet:
            _write(sys.stdout, text.rstrip("\n") + "\n")

    def raw(self, document: Document, data: bytes) -> None:
        """Give the object, or bytes just as they are."""
        if self.is_json:
            self.result(document)
        else:
            _write(sys.stdout, data.decode())

    def note(self, text: str) -> None:
        """Say something on the way, unless asked to be quiet."""
        if not self.is_quiet:
            _write(sys.stderr, text + "\n")

    def complain(self, text: str) -> None:
        """Say what went wrong, even if asked to be quiet."""
        _write(sys.stderr, text + "\n")

    @contextmanager
    def meter(self, label: str) -> Iterator[Meter]:
        """Show a progress bar on stderr, if that is a terminal."""
        if self.is_quiet or self.is_json or not sys.stderr.isatty():
            yield Meter(None, label)
            return
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            console=Console(stderr=True),
            transient=True,
        ) as bar:
            yield Meter(bar, label)


def shell_of(context: typer.Context) -> Shell:
    """Give the shell that the root command put into the context."""
    shell: object = context.obj
    return shell if isinstance(shell, Shell) else Shell()


def close_output() -> None:
    """Point stdout nowhere, so that Python's last flush cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError as error:
        raise OutputClosedError("the reader of our output has gone") from error
