"""A bound on the memory of large answers that are not sent yet.

An entry bundle may have 16 MiB, and its request has 60 bytes: whoever asks on every
connection and reads slowly would have the server hold gigabytes.  So what is being
packed or sent is counted, and over the bound a bundle is refused before it is read;
everything else goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aiohttp import web

from tallystick_server.errors import UnavailableError

MOST_BYTES = 128 * 1024 * 1024
"""Bytes of bundles on their way from which on another one is refused."""


class Unsent:
    """Counts what is on its way. Used from one event loop."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Begin with nothing."""
        self._most = most_bytes
        self.bytes = 0

    def check(self) -> None:
        """Raise UnavailableError when no more may be taken on."""
        if self.bytes >= self._most:
            raise UnavailableError("too many bundles are being sent", retry_after_s=1)

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Count `size` bytes for the length of a block."""
        self.bytes += size
        try:
            yield
        finally:
            self.bytes -= size


class CountedResponse(web.Response):
    """An answer whose body is counted until the client has taken it."""

    def __init__(
        self, body: bytes, *, headers: Mapping[str, str], unsent: Unsent
    ) -> None:
        """Answer 200 with `body`."""
        super().__init__(body=body, headers=headers)
        self._unsent = unsent
        self._size = len(body)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the body; returns when it was taken, or nearly."""
        with self._unsent.holding(self._size):
            await super().write_eof(data)
