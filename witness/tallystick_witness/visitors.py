"""What every open connection is doing, and which of them are closed for it.

    late    the head of a request has not come in time
    slow    the client takes less of its answers than it must; the HTTP library would
            wait for it for as long as the client likes
    idle    nothing is asked and nothing is being sent: closed first where there is no
            room for somebody new, the one that has been idle longest

Used from one event loop.  The library's own protocol is told everything unchanged.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from aiohttp import web

_NO_LINGER = struct.pack("ii", 1, 0)

TOLD_AT_ONCE = 64
"""Connections that end before whatever else is ready gets its turn."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Patience:
    """What a client must keep to.

    `head_s` seconds for the head of a request; of an answer `least_rate` bytes a
    second, on average over each `write_s` seconds.
    """

    head_s: float = 10.0
    write_s: float = 10.0
    least_rate: int = 1024


@dataclass(frozen=True, slots=True)
class Cut:
    """How many connections a look has closed."""

    late: int = 0
    slow: int = 0


class Visitor(asyncio.Protocol):
    """One connection: passes everything on to the library, and notes when."""

    __slots__ = (
        "_arrived",
        "_visitors",
        "head_since_s",
        "inner",
        "is_busy",
        "reading",
        "transport",
    )

    def __init__(
        self,
        visitors: Visitors,
        inner: asyncio.Protocol,
        arrived: Callable[[], object],
    ) -> None:
        """Stand before `inner`; `arrived` is called when it begins to count."""
        self._visitors = visitors
        self._arrived = arrived
        self.inner = inner
        self.transport: asyncio.Transport | None = None
        self.is_busy = False
        # Since when a head is awaited that has begun, or that is the first one.
        self.head_since_s: float | None = None
        self.reading: Reading | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        # A transport of uvloop is none by type, but it is one.
        self.transport = cast("asyncio.Transport", transport)
        self._arrived()
        self._visitors.made(self)
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Note the beginning of a head."""
        if self.head_since_s is None and not self.is_busy:
            self.head_since_s = self._visitors.now_s()
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on the end of what the client sends."""
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on that enough waits to be sent."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that more may be sent."""
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more; the library is told when its turn comes."""
        self._visitors.lost(self)
        self._visitors.tell(lambda: self.inner.connection_lost(exc))


@dataclass(slots=True)
class Reading:
    """How much of an answer waited at the beginning of a span of time."""

    since_s: float
    waiting: int


class Visitors:
    """All open connections of a site."""

    def __init__(self, patience: Patience, *, clock_s: Callable[[], float]) -> None:
        """Begin with none; `clock_s` is monotonic seconds."""
        self._patience = patience
        self.now_s = clock_s
        self._open: dict[object, Visitor] = {}
        self._idle: dict[Visitor, float] = {}  # longest idle first
        self._to_tell: deque[Callable[[], None]] = deque()

    def __len__(self) -> int:
        """Give the number of open connections."""
        return len(self._open)

    def welcome(
        self, inner: asyncio.Protocol, arrived: Callable[[], object] = lambda: None
    ) -> Visitor:
        """Stand before the library's protocol of a new connection.

        It counts from when it is made, handshake included; then `arrived` is called.
        """
        return Visitor(self, inner, arrived)

    def during(self, handler: Handler) -> Handler:
        """Wrap the library's handler, to know which connections are being answered."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            visitor = self._open.get(request.protocol)
            if visitor is None:
                return await handler(request)
            visitor.is_busy, visitor.head_since_s = True, None
            self._idle.pop(visitor, None)
            try:
                return await handler(request)
            finally:
                visitor.is_busy = False
                if request.protocol in self._open:
                    self._idle[visitor] = self.now_s()

        return handle

    def idle_since_s(self) -> float | None:
        """Give the time since which the longest idle connection is idle."""
        visitor = self._longest_idle()
        return None if visitor is None else self._idle[visitor]

    def close_idle(self) -> bool:
        """Close the one that has been idle longest; say whether there was one."""
        visitor = self._longest_idle()
        if visitor is None:
            return False
        self._cut(visitor)
        return True

    def look(self) -> Cut:
        """Look at all connections, and cut those that are late or slow."""
        now_s = self.now_s()
        late = [one for one in self._open.values() if self._is_late(one, now_s)]
        slow = [one for one in self._open.values() if self._is_slow(one, now_s)]
        for visitor in {*late, *slow}:
            self._cut(visitor)
        return Cut(len(late), len(slow))

    def made(self, visitor: Visitor) -> None:
        """Count a connection that was made; its first head is awaited from now on."""
        self._open[visitor.inner] = visitor
        self._idle[visitor] = visitor.head_since_s = self.now_s()

    def lost(self, visitor: Visitor) -> None:
        """Forget a connection."""
        self._open.pop(visitor.inner, None)
        self._idle.pop(visitor, None)

    def tell(self, news: Callable[[], None]) -> None:
        """Tell the library that a connection is gone, a few at a time.

        It takes its leave of each at length, and thousands may go in one moment.
        """
        self._to_tell.append(news)
        if len(self._to_tell) == 1:
            asyncio.get_running_loop().call_soon(self._tell_some)

    def _tell_some(self) -> None:
        for _ in range(min(TOLD_AT_ONCE, len(self._to_tell))):
            self._to_tell[0]()
            self._to_tell.popleft()
        if self._to_tell:
            asyncio.get_running_loop().call_soon(self._tell_some)

    def _longest_idle(self) -> Visitor | None:
        return next((one for one in self._idle if _waiting(one) == 0), None)

    def _is_late(self, visitor: Visitor, now_s: float) -> bool:
        since_s = visitor.head_since_s
        return since_s is not None and now_s - since_s >= self._patience.head_s

    def _is_slow(self, visitor: Visitor, now_s: float) -> bool:
        """Whether a whole span has passed in which the client took too little."""
        waiting, reading = _waiting(visitor), visitor.reading
        if waiting == 0:
            visitor.reading = None
            return False
        # More than before: what waited then was taken, or nearly.
        if reading is None or waiting > reading.waiting:
            visitor.reading = Reading(now_s, waiting)
            return False
        passed_s = now_s - reading.since_s
        if passed_s < self._patience.write_s:
            return False
        visitor.reading = Reading(now_s, waiting)
        return reading.waiting - waiting < self._patience.least_rate * passed_s

    def _cut(self, visitor: Visitor) -> None:
        """Close a connection; from now on it takes no room."""
        if visitor.transport is not None:
            reset(visitor.transport)
        self.lost(visitor)


def reset(transport: asyncio.Transport) -> None:
    """Close a connection at once, and have the kernel drop what it still holds of it.

    Without that, the kernel would go on offering the rest for many minutes.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:  # it may be closed, and not told yet
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def _waiting(visitor: Visitor) -> int:
    """Bytes of answers that the client has not taken yet."""
    transport = visitor.transport
    if transport is None or transport.is_closing():
        return 0
    return transport.get_write_buffer_size()
