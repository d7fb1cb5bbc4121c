"""The drill's processes: start, wait until they are ready, kill, and leave none behind.

Each has a session of its own, so that Ctrl-C reaches the selftest only, and none of the
TALLYSTICK_ variables of the environment, which might lead it to somebody's real log.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tallystick_server.errors import ServerError

READY_S = 30.0
"""Seconds until a process must be ready."""

CALL_S = 120.0
"""Seconds until a command must have ended."""

_READY = b"listening on "
_MOST_SAID = 16 * 1024 * 1024
_TAIL = 4096


class DrillError(ServerError):
    """The drill could not be run; this says nothing about the disk."""


@dataclass(frozen=True, slots=True)
class Programs:
    """What is started for a server and for a witness; `witness` may be missing."""

    server: tuple[str, ...]
    witness: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended: its exit code, what it printed, its last line."""

    code: int
    out: bytes
    last_line: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"ended with {self.code}: {self.last_line or 'it said nothing'}"


def installed() -> Programs:
    """Give the programs of this installation."""
    child = (sys.executable, "-P", "-m", f"{__package__}.child")
    return Programs((*child, "server"), (*child, "witness"))


class Child:
    """A serving process that runs, or did."""

    def __init__(self, process: Process, log: Path, since: int) -> None:
        """Take a process that writes its errors to `log`, from `since` on."""
        self._process = process
        self._log = log
        self._since = since
        self.url = ""

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.returncode is None

    async def wait_ready(self) -> Ended | None:
        """Wait until it listens; give how it ended where it did that instead."""
        stdout = self._process.stdout
        assert stdout is not None
        try:
            line = await asyncio.wait_for(stdout.readline(), READY_S)
        except TimeoutError as error:
            await self.kill()
            raise DrillError(
                f"a process was not ready within {READY_S:g} s: {self.last_line()}"
            ) from error
        if not line.startswith(_READY):
            return await self.wait_end(line)
        self.url = line.removeprefix(_READY).split()[0].decode()
        return None

    async def wait_end(self, said: bytes = b"") -> Ended:
        """Read on to its end, and give how it ended."""
        stdout = self._process.stdout
        assert stdout is not None
        try:
            async with asyncio.timeout(CALL_S):
                while more := await stdout.read(65_536):
                    said += more[: _MOST_SAID - len(said)]
                code = await self._process.wait()
        except TimeoutError as error:
            await self.kill()
            raise DrillError(
                f"a process did not end within {CALL_S:g} s: {self.last_line()}"
            ) from error
        self._close()
        return Ended(code, said, self.last_line())

    async def kill(self) -> None:
        """Kill -9, and wait until it is gone."""
        if self.is_alive:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        self._close()

    async def stop(self) -> Ended:
        """Ask it to stop in order, and give how it ended."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        return await self.wait_end()

    def last_line(self) -> str:
        """Give the last line of its errors in this run."""
        with self._log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._since, end - _TAIL))
            text = file.read().decode("utf-8", "replace").strip()
        return text.rpartition("\n")[2]

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


class Family:
    """All processes of a drill; closing it kills those that run."""

    def __init__(self, logs: Path) -> None:
        """Keep what they say below `logs`."""
        self._logs = logs
        self._children: list[Child] = []

    async def start(
        self, name: str, program: Sequence[str], *words: str | Path
    ) -> Child:
        """Start a process; it may not be ready yet."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as errors:
            since = errors.tell()
            process = await asyncio.create_subprocess_exec(
                *program,
                *map(str, words),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                start_new_session=True,
                env=own_environment(os.environ),
            )
        child = Child(process, log, since)
        self._children = [one for one in self._children if one.is_alive]
        self._children.append(child)
        return child

    async def call(
        self, name: str, program: Sequence[str], *words: str | Path
    ) -> Ended:
        """Run a command to its end."""
        child = await self.start(name, program, *words)
        return await child.wait_end()

    async def close(self) -> None:
        """Kill all that run."""
        for child in self._children:
            await child.kill()


def own_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the variables that configure a server or a witness."""
    return {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith("TALLYSTICK_")
    }
