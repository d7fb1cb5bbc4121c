"""A bound on the memory of large answers that are not sent yet.

An entry bundle may have 16 MiB, and its request has 60 bytes: whoever asks on every
connection and reads slowly would have the server hold gigabytes.  So what is being
packed or sent is counted, and over the bound a bundle is refused before it is read;
everything else goes on.

The bound must not be held by a few who drip: where somebody is refused, those are cut
who have taken less than `PRESSED_RATE` for some seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from tallystick_server.errors import UnavailableError
from tallystick_server.web.visitors import reset

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of bundles on their way from which on another one is refused."""

PRESSED_RATE = 128 * 1024
"""Bytes a second that must be taken of a bundle while others are refused."""

PRESSED_S = 5.0
"""Seconds for which a bundle is sent before its rate is judged."""


PIECE_BYTES = 256 * 1024
"""Bytes of a body handed over at a time: what was handed over is held twice."""


@dataclass(eq=False, slots=True)
class Sending:
    """A bundle on its way to a client, and how much of it was handed over."""

    transport: asyncio.Transport
    since_s: float
    handed_over: int = 0


class Unsent:
    """Counts what is on its way. Used from one event loop."""

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing; `clock_s` is monotonic seconds."""
        self._most = most_bytes
        self._clock_s = clock_s
        self._sending: set[Sending] = set()
        self.bytes = 0

    def check(self) -> None:
        """Raise UnavailableError when no more may be taken on."""
        if self.bytes >= self._most:
            self._cut_slow()
            raise UnavailableError("too many bundles are being sent", retry_after_s=1)

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Count `size` bytes for the length of a block."""
        self.bytes += size
        try:
            yield
        finally:
            self.bytes -= size

    @contextmanager
    def sending(self, size: int, transport: asyncio.Transport) -> Iterator[Sending]:
        """Count `size` bytes that a client takes, for the length of a block.

        What is handed over to the transport is to be noted in what the block is given.
        """
        one = Sending(transport, self._clock_s())
        self._sending.add(one)
        try:
            with self.holding(size):
                yield one
        finally:
            self._sending.discard(one)

    def _cut_slow(self) -> None:
        """Cut those who take less than they must while others are refused."""
        now_s = self._clock_s()
        slow = [one for one in self._sending if _is_slow(one, now_s)]
        for one in slow:
            self._sending.discard(one)
            reset(one.transport)
        if slow:
            log.warning("slow bundles cut", extra={"connections": len(slow)})


class CountedResponse(web.Response):
    """An answer whose body is counted until the client has taken it."""

    def __init__(
        self, body: bytes, *, headers: Mapping[str, str], unsent: Unsent
    ) -> None:
        """Answer 200 with `body`."""
        super().__init__(body=body, headers=headers)
        self._unsent = unsent
        self._whole = body
        self._transport: asyncio.Transport | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Note to whom it is sent."""
        if request.method != hdrs.METH_HEAD:
            self._transport = request.transport
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the body; returns when it was taken, or nearly."""
        if self._transport is None:  # the client is gone, or wants the head alone
            await super().write_eof(data)
            return
        whole, size = memoryview(self._whole), len(self._whole)
        # A failed request is a cycle that may lie about for long; the body must not.
        self._whole, self.body = b"", None
        with whole, self._unsent.sending(size, self._transport) as one:
            for start in range(0, size, PIECE_BYTES):
                piece = bytes(whole[start : start + PIECE_BYTES])
                one.handed_over += len(piece)
                await self.write(piece)
            await web.StreamResponse.write_eof(self)


def _is_slow(one: Sending, now_s: float) -> bool:
    passed_s = now_s - one.since_s
    taken = one.handed_over - one.transport.get_write_buffer_size()
    return passed_s >= PRESSED_S and taken < PRESSED_RATE * passed_s
