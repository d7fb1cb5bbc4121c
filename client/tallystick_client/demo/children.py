"""The demo's processes: start, wait until they are ready, watch, and stop in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tallystick_client.errors import ServiceError
from tallystick_client.files import make_directory

READY = b"listening on "
"""What a process says on a line of its own when it is ready."""

READY_S = 30.0
"""Seconds until a process must be ready."""

STOP_S = 20.0
"""Seconds for a process to stop by itself."""

_LOOK_S = 0.05
_TAIL_LINES = 12
_TAIL_BYTES = 8192


class ChildError(ServiceError):
    """A process that ended or did not get ready; `last_lines` is what it said."""

    def __init__(self, message: str, *, last_lines: str) -> None:
        """Keep its last lines beside the message."""
        self.last_lines = last_lines
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Child:
    """A running process: its name, and the file with all that it said."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int

    def require_alive(self) -> None:
        """Raise ServiceError with its last lines if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise ChildError(
                f"{self.name} ended with code {code}; see {self.log}",
                last_lines=self.last_lines(),
            )

    def wait_ready(self) -> None:
        """Wait until it says that it listens."""
        deadline = time.monotonic() + READY_S
        while not self._says_ready():
            self.require_alive()
            if time.monotonic() > deadline:
                raise ChildError(
                    f"{self.name} is not ready after {READY_S:g} s; see {self.log}",
                    last_lines=self.last_lines(),
                )
            time.sleep(_LOOK_S)

    def stop(self) -> None:
        """Ask it to stop and wait; after a while do not ask any more."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_lines(self) -> str:
        """Give the last lines that it said in this run."""
        with self.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self.log_start, end - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-_TAIL_LINES:])

    def _says_ready(self) -> bool:
        with self.log.open("rb") as file:
            file.seek(self.log_start)
            return any(line.startswith(READY) for line in file)


class Family:
    """All processes of the demo; leaving it stops them, the last one first."""

    def __init__(self, logs: Path) -> None:
        """Keep what they say below `logs`."""
        self._logs = logs
        self._children: list[Child] = []

    def start(self, name: str, arguments: Sequence[str]) -> Child:
        """Start `tallystick ARGUMENTS` and wait until it is ready."""
        make_directory(self._logs)
        path = self._logs / f"{name}.log"
        with path.open("ab") as log:
            child = Child(name, _start(arguments, log), path, log.tell())
        self._children.append(child)
        child.wait_ready()
        return child

    def require_alive(self) -> None:
        """Raise ServiceError if any has ended."""
        for child in self._children:
            child.require_alive()

    def stop(self) -> None:
        """Stop all, the last one started first."""
        while self._children:
            self._children.pop().stop()


def _start(arguments: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that Ctrl-C reaches the demo only."""
    return subprocess.Popen(
        [sys.executable, "-m", "tallystick_client.demo.child", *arguments],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def call_json(*arguments: str) -> dict[str, object]:
    """Run `tallystick ARGUMENTS --json` to its end; give the object it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tallystick_client.cli", *arguments, "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    what = f"tallystick {' '.join(arguments[:2])}"
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise ServiceError(f"{what} ended with code {done.returncode}: {said}")
    try:
        document = json.loads(done.stdout)
    except ValueError as error:
        raise ServiceError(f"{what} did not answer in JSON") from error
    if not isinstance(document, dict):
        raise ServiceError(f"{what} did not answer with one object")
    return document
