"""What follows the events of a log in their order: schemas, and producers' numbers.

Events are told as they are acked, which is nearly in order; here they wait until the
one before them has been told.  One that never is (its caller went away) is read from
the log.  The state is kept in a snapshot beside the log, with the index that it stands
at: after a start only the rest is read again, and without a snapshot all of it.

    data/derived/NAME/followed.cbor    mac (32) || body
    body    CBOR {"format", "log", "position", "root", "state"}

It is believed only if this server wrote it: the MAC is under a key of the vault, and
`root` is that of the tree at `position`.  Anything else is passed over, with a warning.
It holds names of producers and schemas, and nothing of what events say of anybody.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from tallystick_merkle import canonical
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Event, Value
from tallystick_server.errors import StoreError, unusable
from tallystick_server.ingest.opened import CHUNK, Records

FORMAT = 2
"""Version of the snapshot."""

MAX_SNAPSHOT = 64 * 1024 * 1024
"""Longest body of a snapshot, in bytes."""

MAC_SIZE = 32
"""Bytes of the MAC before the body: HMAC-SHA256."""

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
        root_at: Callable[[int], bytes],
        mac: Callable[[bytes], bytes],
    ) -> None:
        """Follow the log of `origin`; `size` gives the size of its released head.

        `root_at` gives the root at a size up to that.  `mac` gives the 32-byte MAC of
        a body under a key that nobody else has; it may block, be called by any thread,
        and raise StoreError where there is no key.
        """
        self._followers = dict(followers)
        self._records = records
        self._origin = origin
        self._path = path
        self._size = size
        self._root_at = root_at
        self._mac = mac
        self._position = 0
        self._saved = -1
        self._waiting: dict[int, tuple[Event, int]] = {}
        self._reading = asyncio.Lock()

    @property
    def position(self) -> int:
        """The index up to which all has been told."""
        return self._position

    def load(self) -> None:
        """Begin from the snapshot, or from nothing where it is of no use.

        Blocks.  Raises IntegrityError where the tree cannot be read.
        """
        before = {name: one.dump() for name, one in self._followers.items()}
        try:
            position = self._read(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (MalformedError, ValueError, OSError, StoreError) as error:
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
        """Give what writes the snapshot, to be run off the loop; None if it stands.

        Raises IntegrityError where the tree cannot be read; what it gives raises
        OSError, and StoreError where there is no key.
        """
        if self._position == self._saved:
            return None
        position = self._position
        root = self._root_at(position)
        self._saved = position
        state = {name: one.dump() for name, one in self._followers.items()}
        body = {
            "format": FORMAT,
            "log": self._origin,
            "position": position,
            "root": root,
            "state": state,
        }
        return lambda: self._write(canonical.pack(body))

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
        mac, packed = data[:MAC_SIZE], data[MAC_SIZE:]
        if not hmac.compare_digest(mac, self._mac(packed)):
            raise ValueError("not written by this server")
        body = canonical.decode(packed, most=MAX_SNAPSHOT)
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise ValueError("another format")
        if body.get("log") != self._origin:
            raise ValueError("the snapshot of another log")
        position, state = body.get("position"), body.get("state")
        if type(position) is not int or not 0 <= position <= self._size():
            raise ValueError("a snapshot that is ahead of the log")
        if body.get("root") != self._root_at(position):
            raise ValueError("the snapshot of another history of the log")
        if not isinstance(state, dict) or set(state) != set(self._followers):
            raise ValueError("a snapshot of other things")
        for name, follower in self._followers.items():
            follower.load(state[name])
        return position

    def _write(self, packed: bytes) -> None:
        """Write a snapshot down with its MAC."""
        _replace(self._path, self._mac(packed) + packed)


def _why(error: Exception) -> str:
    """Say why a snapshot is of no use, without its path."""
    if isinstance(error, OSError):
        return str(unusable("cannot read the snapshot", error))
    return str(error)


def _replace(path: Path, data: bytes) -> None:
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
