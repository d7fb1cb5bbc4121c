"""A command that runs under strace, and what became of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.system.crash.calls import LISTING, Call, Point, read_calls, strace
from tests.system.stack import tallystick

LONGEST_S = 60
"""Seconds after which a process that should end is called hung."""


class Traced:
    """A process under strace, or without it where nothing is to be hit.

    `errors` holds its stderr, and is a file in the place, so that a line of the
    process's own log can be hit as well.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        place: Path,
        point: Point | None = None,
        listing: bool = False,
        program: Sequence[str] | None = None,
    ) -> None:
        """Start it; `program` stands for the installed `tallystick`."""
        self.place = place
        self.point = point
        self.errors = place / "errors"
        self._log = place / "strace"
        self._log.unlink(missing_ok=True)
        command = [*program, *words] if program else tallystick(*words)
        self._is_traced = listing or point is not None
        if self._is_traced:
            options = LISTING if point is None else point.options(place)
            command = strace(self._log, options, command)
        self._sink: IO[bytes] = self.errors.open("wb")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._sink
        )

    def listens(self) -> str | None:
        """Wait for its line; give its URL, or None when it ended instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on "):
            self.process.wait(LONGEST_S)
            return None
        return line.removeprefix("listening on ").split()[0]

    def finish(self) -> str:
        """Wait until a command has ended by itself; give what it printed."""
        printed, _ = self.process.communicate(timeout=LONGEST_S)
        return bytes(printed).decode()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def stop(self) -> int:
        """SIGTERM, if it still runs; give the exit code, -9 for a KILL."""
        self._signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself; give the exit code."""
        return self.process.wait(LONGEST_S)

    def was_hit(self) -> bool:
        """Whether the point was reached. Only for a process that has ended."""
        if self.point is None:
            return False
        if self.process.returncode == -signal.SIGKILL:
            return True
        return "(INJECTED)" in self._log.read_text("utf-8", "replace")

    def calls(self) -> list[Call]:
        """The write-side calls of a process that was only listened to."""
        return list(read_calls(self._log, self.place))

    def said(self) -> str:
        """What it wrote to stderr."""
        return self.errors.read_text("utf-8", "replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill what still runs."""
        if self.is_alive:
            self._signal(signal.SIGKILL)
            self.process.wait(LONGEST_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._sink.close()

    def _signal(self, number: signal.Signals) -> None:
        """Signal the process itself: strace would let go of it instead."""
        if not self.is_alive:
            return
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        pids = children.read_text().split() if self._is_traced else [str(pid)]
        for each in pids:
            try:
                os.kill(int(each), number)
            except ProcessLookupError:
                continue
