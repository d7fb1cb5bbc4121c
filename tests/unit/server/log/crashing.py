"""Stops a piece of code at its N-th touch of the file system, as a crash would.

The interpreter announces each open, mkdir, rename and removal before it happens; an
exception from there keeps the step from happening.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STEPS = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"})


class Crash(BaseException):
    """The process would have died here."""


class _Crasher:
    """Counts steps below a folder while armed. Hooks cannot be removed: one is kept."""

    def __init__(self) -> None:
        self.folder = ""
        self.left = 0
        sys.addaudithook(self.audit)

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.left or event not in _STEPS:
            return
        if not str(arguments[0]).startswith(self.folder):
            return
        self.left -= 1
        if not self.left:
            raise Crash(f"{event} {arguments[0]}")


_CRASHER = _Crasher()


@contextmanager
def crash_at(step: int, folder: Path) -> Iterator[None]:
    """Raise Crash at the step-th touch of a path below `folder`, counted from 1."""
    _CRASHER.folder = str(folder)
    _CRASHER.left = step
    try:
        yield
    finally:
        _CRASHER.left = 0
