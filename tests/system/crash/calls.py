"""The write-side system calls of a process: listed by strace, and made to fail by it.

A call is named by what it does to which file, and by its turn: the how-manieth call of
that name on that file in its thread (strace counts for each thread by itself, and with
`-P` it counts the calls on one file only).  The paths are relative to the place of a
run, so that a call that was listed in one place is found again in another.

Pipes and sockets have no path: there the turn counts all calls of the name in the
thread, and the only fault is KILL: between a commit and its answer, say.  There are
many of them, so only some are taken.

A fault hits on the way in: the call that is hit does nothing.  What was done by a call
and then lost is reached by a KILL at the next one.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random

WRITES = (
    *("openat", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2"),
    *("sendto", "sendmsg", "fsync", "fdatasync", "msync", "sync_file_range"),
    *("ftruncate", "truncate", "fallocate", "rename", "renameat", "renameat2"),
    *("mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat", "rmdir"),
    *("unlink", "unlinkat", "flock", "fchmod", "fchmodat", "fchown"),
)
"""What is listed. Of `openat` only what may write or create becomes a call."""

MOST_SPOKEN = 60
"""Most calls on sockets and pipes that become points."""

_LINE = re.compile(r"\d+ +(?P<name>\w+)\((?P<rest>.*)")
_CALLER = re.compile(r"(?P<thread>\d+) ")
_DESCRIPTOR = re.compile(r"\d+<(?P<path>[^>]*)>")
_QUOTED = re.compile(r'"(?P<path>/[^"]*)"')
_OPENS_TO_WRITE = re.compile(r"O_(WRONLY|RDWR|CREAT)")


class Fault(StrEnum):
    """What happens to a call, as strace spells it."""

    KILL = "signal=KILL"
    EIO = "error=EIO"
    ENOSPC = "error=ENOSPC"


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `path` is relative to the place of the run, or "" without a path."""

    name: str
    path: str
    turn: int


@dataclass(frozen=True, slots=True)
class Point:
    """A call and what happens to it."""

    call: Call
    fault: Fault

    def __str__(self) -> str:
        """Name the point in one line, so that it can be tried again."""
        call = self.call
        return f"{call.name} {call.turn} on {call.path or '-'} {self.fault}"

    def options(self, place: Path) -> list[str]:
        """Give the options that make strace do it in a run at `place`."""
        call = self.call
        inject = f"inject={call.name}:{self.fault}:when={call.turn}"
        path = ["-P", str(place / call.path)] if call.path else []
        # With the filter the other calls cost nothing, but strace sends no signal.
        fast = [] if self.fault is Fault.KILL else [_FAST]
        return [*fast, *path, "-e", f"trace={call.name}", "-e", inject]


@dataclass(frozen=True, slots=True)
class Pair:
    """A point, and another one in the run that recovers from it."""

    first: Point
    second: Point

    @property
    def fault(self) -> Fault:
        """What happens in the second run."""
        return self.second.fault

    def __str__(self) -> str:
        """Name both."""
        return f"{self.first}, then {self.second}"


_FAST = "--seccomp-bpf"

LISTING = [_FAST, "-y", "-e", f"trace={','.join(WRITES)}"]
"""Options that list every write-side call, and hit none."""


def strace(log: Path, options: Iterable[str], command: Iterable[str]) -> list[str]:
    """Give the command line that runs a command, all its threads, under strace."""
    return ["strace", "-f", "-qq", "-o", str(log), *options, "--", *command]


@cache
def why_not() -> str | None:
    """Say why strace cannot be used here; None when it can."""
    try:
        done = subprocess.run(
            ["strace", "-f", "-o", "/dev/null", "-e", "inject=sync:error=EIO", "true"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return "strace is not installed"
    if done.returncode:
        return f"strace may not trace here: {done.stderr.strip()[:200]}"
    return None


def read_calls(log: Path, place: Path) -> Iterator[Call]:
    """Read the write-side calls of a listing, in order."""
    turns: Counter[tuple[str, str, str]] = Counter()
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        caller, found = _CALLER.match(line), _LINE.match(line)
        if caller is None or found is None:
            continue
        name, rest, thread = found["name"], found["rest"], caller["thread"]
        turns[thread, name, ""] += 1
        path = _path_of(rest)
        if path.startswith("/"):
            turns[thread, name, path] += 1
        if name == "openat" and not _OPENS_TO_WRITE.search(rest):
            continue
        inside = path.removeprefix(f"{place}/")
        if inside != path:
            yield Call(name, inside, turns[thread, name, path])
        elif path.startswith(("socket:", "pipe:")):
            yield Call(name, "", turns[thread, name, ""])


def points_of(calls: Iterable[Call]) -> list[Point]:
    """Give the points of some calls, in an order that looks random and is fixed."""
    calls = set(calls)
    found = {Point(call, fault) for call in calls if call.path for fault in Fault}
    spoken = {Point(call, Fault.KILL) for call in calls if not call.path}
    found.update(_shuffled(spoken)[:MOST_SPOKEN])
    return _shuffled(found)


def part_of(points: Iterable[Point], part: int, *, of: int) -> list[Point]:
    """Give one of several parts: by name, so that each listing is cut alike."""
    return [
        point
        for point in points
        if int.from_bytes(_digest(point)[-4:], "big") % of == part
    ]


def pairs_of(
    first: Sequence[Point], second: Sequence[Point], *, count: int
) -> list[Pair]:
    """Draw pairs, the same ones for the same points."""
    chance = Random(20261123)
    return [Pair(chance.choice(first), chance.choice(second)) for _ in range(count)]


def _shuffled(points: Iterable[Point]) -> list[Point]:
    return sorted(points, key=_digest)


def _digest(point: Point) -> bytes:
    return sha256(str(point).encode()).digest()


def _path_of(rest: str) -> str:
    """Find the path that a call is about, or what a descriptor is instead."""
    if found := _DESCRIPTOR.match(rest):
        return found["path"]
    found = _QUOTED.search(rest)
    return found["path"] if found else ""
