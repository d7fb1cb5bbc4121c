"""What is said to a server and what may come back: the judge of the hostile corpus.

A case passes when the stream of answers is well-formed, has no more answers than the
case has requests, each with a status that was expected, never a 5xx, and none names a
program, a version, a traceback or a secret.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

LEAKS = (b"aiohttp", b"python", b"traceback", b'file "', b"uvloop", b"lmdb", b".py")
"""What no answer may hold, in lower case."""

CUT = 0
"""Stands among the statuses where the connection may end without an answer."""

AT_ONCE = 16
"""Cases that are tried at the same time."""

_PATIENCE_S = 30.0
_LENGTH = re.compile(rb"(?:^|\r\n)content-length: ([0-9]+)(?:\r\n|$)")


class Target(Protocol):
    """A served process."""

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        ...

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What it must never tell."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """Bytes to send, and what may come back.

    `statuses` are those that may stand in an answer (`CUT`: none came); `most` is the
    number of requests in `data`.  `is_head` tells that answers have no body.
    """

    name: str
    data: bytes
    statuses: frozenset[int]
    most: int = 1
    is_head: bool = False


def case(
    name: str, data: bytes, *statuses: int, most: int = 1, is_head: bool = False
) -> Case:
    """Make a case."""
    return Case(name, data, frozenset(statuses), most, is_head)


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    status: int
    head: bytes
    body: bytes


@contextmanager
def connected(target: Target) -> Iterator[socket.socket]:
    """Open a connection."""
    with socket.create_connection(target.place, timeout=_PATIENCE_S) as link:
        yield link


def say(target: Target, data: bytes) -> bytes:
    """Send bytes, and read until the server closes; give what came."""
    with connected(target) as link:
        # Cut before all was said: an answer may be there all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            link.sendall(data)
        return take_all(link)


def take_all(link: socket.socket) -> bytes:
    """Read until the other side closes, in whatever way."""
    parts = []
    with suppress(ConnectionResetError):
        while part := link.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def answers(stream: bytes, *, is_head: bool = False) -> list[Said]:
    """Cut a stream into answers; raise ValueError where it is not one after another."""
    found = []
    while stream:
        head, end, rest = stream.partition(b"\r\n\r\n")
        words = head.split(b"\r\n", 1)[0].split(b" ", 2)
        is_answer = end and len(words) == 3 and words[0] in (b"HTTP/1.1", b"HTTP/1.0")
        if not is_answer or re.fullmatch(rb"[1-5][0-9]{2}", words[1]) is None:
            raise ValueError(f"no answer: {stream[:80]!r}")
        status = int(words[1])
        length = _LENGTH.search(head.lower())
        size = int(length[1]) if length and not is_head and status != 304 else 0
        if len(rest) < size:
            raise ValueError(f"an answer of {size} bytes was cut after {len(rest)}")
        found.append(Said(status, head, rest[:size]))
        stream = rest[size:]
    return found


def judge(one: Case, stream: bytes, secrets: Sequence[bytes] = ()) -> str | None:
    """Give what is wrong with the answers to a case, or None."""
    try:
        found = answers(stream, is_head=one.is_head)
    except ValueError as error:
        return f"{one.name}: {error}"
    whole = [said for said in found if said.status >= 200]
    seen = {said.status for said in whole} or {CUT}
    if len(whole) > one.most:
        return f"{one.name}: {len(whole)} answers to {one.most} requests"
    if not seen <= one.statuses:
        return f"{one.name}: answered {sorted(seen)}, expected {sorted(one.statuses)}"
    lower = stream.lower()
    told = [
        leak for leak in (*LEAKS, *(one.lower() for one in secrets)) if leak in lower
    ]
    return f"{one.name}: the answer names {told}" if told else None


def attack(target: Target, cases: Iterable[Case]) -> list[str]:
    """Say each case on a connection of its own, many at once; give what is wrong."""

    def attempt(one: Case) -> str | None:
        try:
            return judge(one, say(target, one.data), target.secrets)
        except TimeoutError:
            return f"{one.name}: the connection was neither answered nor closed"

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return [wrong for wrong in threads.map(attempt, cases) if wrong is not None]
