"""Bounds on connections that the HTTP library does not have.

A connection beyond the cap is closed as it comes, before it costs anything.  A client
that takes nothing of an answer for too long is cut: the library itself would keep the
answer in memory for as long as the client likes.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import Callable

from aiohttp import web

log = logging.getLogger(__name__)

HANDSHAKE_S = 5.0
"""Seconds that a TLS handshake may take; until it ends a connection is not counted."""

_NO_LINGER = struct.pack("ii", 1, 0)


class _Closed(asyncio.Protocol):
    """A connection that is closed as it is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class CappedSite(web.BaseSite):
    """Listens on a bound socket, with at most `most` connections at once."""

    def __init__(
        self,
        runner: web.AppRunner,
        sock: socket.socket,
        *,
        most: int,
        backlog: int,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Take a bound socket; `start` listens on it."""
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog)
        self._sock = sock
        self._most = most

    @property
    def name(self) -> str:
        """The address that clients use."""
        host, port = self._sock.getsockname()[:2]
        scheme = "https" if self._ssl_context else "http"
        return (
            f"{scheme}://[{host}]:{port}"
            if ":" in host
            else (f"{scheme}://{host}:{port}")
        )

    async def start(self) -> None:
        """Begin to listen."""
        await super().start()
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner is not set up")
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._admit(server),
            sock=self._sock,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=HANDSHAKE_S if self._ssl_context else None,
        )

    def _admit(self, server: web.Server) -> asyncio.Protocol:
        """Give a connection to the server, unless there are too many."""
        if len(server.connections) >= self._most:
            log.warning("connection refused", extra={"connections": self._most})
            return _Closed()
        return server()


class StalledReaders:
    """Finds connections whose client takes nothing of what is being sent."""

    def __init__(self, timeout_s: float, *, clock_s: Callable[[], float]) -> None:
        """Cut what has not moved for `timeout_s`; `clock_s` is monotonic seconds."""
        self._timeout_s = timeout_s
        self._clock_s = clock_s
        self._seen: dict[asyncio.Transport, tuple[int, float]] = {}

    def cut(self, transports: list[asyncio.Transport]) -> int:
        """Look at all open connections, cut the stalled ones, say how many."""
        now_s = self._clock_s()
        seen: dict[asyncio.Transport, tuple[int, float]] = {}
        stalled = 0
        for transport in transports:
            waiting = transport.get_write_buffer_size()
            if waiting == 0 or transport.is_closing():
                continue
            before, since_s = self._seen.get(transport, (-1, now_s))
            seen[transport] = (waiting, since_s if waiting == before else now_s)
            if waiting == before and now_s - since_s >= self._timeout_s:
                _reset(transport)
                del seen[transport]
                stalled += 1
        self._seen = seen
        return stalled


def _reset(transport: asyncio.Transport) -> None:
    """Close a connection at once, and have the kernel drop what it still holds of it.

    Without that, the kernel would go on offering the rest for many minutes.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
