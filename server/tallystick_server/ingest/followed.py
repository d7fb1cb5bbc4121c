"""What follows the events of a log in their order: schemas, and producers' numbers.

Events are told as they are acked, which is nearly in order; here they wait until the
one before them has been told.  One that never is (its caller went away) is read from
the log.  The state is kept in a snapshot beside the log, with the index that it stands
at: after a start only the rest is read again, and without a snapshot all of it.

    data/derived/NAME/followed.cbor    CBOR {"format", "log", "position", "state"}

It holds names of producers and schemas, and nothing of what events say of anybody.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from tallystick_merkle import canonical
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Event, Value
from tallystick_server.errors import unusable
from tallystick_server.ingest.opened import CHUNK, Records

FORMAT = 1
"""Version of the snapshot."""

MAX_SNAPSHOT = 64 * 1024 * 1024
"""Longest snapshot, in bytes."""

_log = logging.getLogger(__name__)


class Follower(Protocol):
    """Something whose state follows from the events of a log alone."""

    def observe(self, index: int, event: Event, received_ms: int) -> None:
        """Take in the next event."""
        ...

    def dump(self) -> Value:
        """Give the state as a value."""
        ...

    def load(self, value: Value) -> None:
        """Take a state over, whole; raise ValueError for what `dump` did not write."""
        ...


class Followed:
    """Tells followers the events of a log, in order. Used on the loop."""

    def __init__(
        self,
        followers: Mapping[str, Follower],
        records: Records,
        *,
        origin: str,
        path: Path,
        size: Callable[[], int],
    ) -> None:
        """Follow the log of `origin`; `size` gives the size of its released head."""
        self._followers = dict(followers)
        self._records = records
        self._origin = origin
        self._path = path
        self._size = size
        self._position = 0
        self._saved = -1
        self._waiting: dict[int, tuple[Event, int]] = {}
        self._reading = asyncio.Lock()

    @property
    def position(self) -> int:
        """The index up to which all has been told."""
        return self._position

    def load(self) -> None:
        """Begin from the snapshot, or from nothing where it is of no use."""
        before = {name: one.dump() for name, one in self._followers.items()}
        try:
            position = self._read(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (MalformedError, ValueError, OSError) as error:
            for name, follower in self._followers.items():
                follower.load(before[name])  # one may have taken its part of it
            _log.warning(
                "snapshot not used",
                extra={"origin": self._origin, "why": _why(error)},
            )
            return
        self._position = self._saved = position

    def see(self, index: int, event: Event, received_ms: int) -> None:
        """Tell of an event that was acked; earlier ones may still be to come."""
        if index >= self._position:
            self._waiting[index] = (event, received_ms)
            self._tell()

    async def reach(self, position: int) -> None:
        """Have all entries before `position` told, from the log where needed."""
        async with self._reading:
            while self._position < position:
                stop = min(self._position + CHUNK, position)
                for opened in await self._records.read(self._position, stop):
                    if opened.index >= self._position:
                        event = opened.outline
                        if event is not None:
                            self._observe(opened.index, event, opened.received_ms)
                        self._position = opened.index + 1
                self._position = max(self._position, stop)
                self._drop_told()
                self._tell()

    async def catch_up(self) -> None:
        """Have everything told that is in the log now."""
        await self.reach(self._size())

    def save(self) -> Callable[[], None] | None:
        """Give what writes the snapshot, to be run off the loop; None if it stands."""
        if self._position == self._saved:
            return None
        position = self._saved = self._position
        state = {name: one.dump() for name, one in self._followers.items()}
        body = {
            "format": FORMAT,
            "log": self._origin,
            "position": position,
            "state": state,
        }
        return lambda: _write(self._path, canonical.pack(body))

    def _tell(self) -> None:
        """Tell what waits and is next."""
        while (found := self._waiting.pop(self._position, None)) is not None:
            self._observe(self._position, *found)
            self._position += 1

    def _drop_told(self) -> None:
        """Forget what waited and was read from the log meanwhile."""
        for index in [one for one in self._waiting if one < self._position]:
            del self._waiting[index]

    def _observe(self, index: int, event: Event, received_ms: int) -> None:
        for follower in self._followers.values():
            follower.observe(index, event, received_ms)

    def _read(self, data: bytes) -> int:
        """Load a snapshot into the followers; give its position."""
        body = canonical.decode(data, most=MAX_SNAPSHOT)
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise ValueError("another format")
        if body.get("log") != self._origin:
            raise ValueError("the snapshot of another log")
        position, state = body.get("position"), body.get("state")
        if type(position) is not int or not 0 <= position <= self._size():
            raise ValueError("a snapshot that is ahead of the log")
        if not isinstance(state, dict) or set(state) != set(self._followers):
            raise ValueError("a snapshot of other things")
        for name, follower in self._followers.items():
            follower.load(state[name])
        return position


def _why(error: Exception) -> str:
    """Say why a snapshot is of no use, without its path."""
    if isinstance(error, OSError):
        return str(unusable("cannot read the snapshot", error))
    return str(error)


def _write(path: Path, data: bytes) -> None:
    """Replace the snapshot; it is whole at any time."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(beside, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
