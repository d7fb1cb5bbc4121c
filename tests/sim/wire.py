"""HTTP without sockets: a request's bytes through the real server protocol and back.

The application, its middleware, its parser and its answers are the real ones; only the
transport beneath them is a buffer.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from urllib.parse import urlsplit

from tallystick_merkle.exchange.base import Failure, Reply, Request, Response
from tests.sim.process import Process

MakeProtocol = Callable[[], asyncio.Protocol]
"""Makes the protocol of one connection."""


class BufferTransport(asyncio.Transport):
    """Keeps what a protocol writes, until it closes."""

    def __init__(self) -> None:
        """Begin open and empty."""
        super().__init__()
        self.data = bytearray()
        self.closed = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep bytes."""
        if not self.closed.is_set():
            self.data += data

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed.is_set()

    def close(self) -> None:
        """Take nothing more."""
        self.closed.set()

    def abort(self) -> None:
        """Take nothing more."""
        self.closed.set()

    def pause_reading(self) -> None:
        """All bytes were given already."""

    def resume_reading(self) -> None:
        """All bytes were given already."""


async def ask(make: MakeProtocol, process: Process, request: Request) -> Reply:
    """Have a process answer one request over a connection of its own."""
    transport = BufferTransport()
    protocol = process.context.run(make)
    process.context.run(protocol.connection_made, transport)
    try:
        process.context.run(protocol.data_received, _format(request))
        await _first(transport.closed, process.ended)
    finally:
        process.context.run(protocol.connection_lost, None)
    if not process.is_alive:
        return Failure("the connection was reset")
    return _parse(bytes(transport.data), request)


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of several events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _format(request: Request) -> bytes:
    """Write the bytes of a request."""
    url = urlsplit(request.url)
    target = f"{url.path}?{url.query}" if url.query else url.path or "/"
    headers = {"Host": url.netloc, "Connection": "close", **request.headers}
    if request.body or request.method != "GET":
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + request.body


def _parse(data: bytes, request: Request) -> Reply:
    """Read an answer that was cut off by the end of its connection."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return Failure("the connection was closed before an answer")
    status, *lines = head.decode().split("\r\n")
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    if len(body) != int(headers.get("content-length", len(body))):
        return Failure("the connection was closed within an answer")
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if len(body) > request.limit:
        return Failure("the answer is too long")
    return Response(int(status.split(" ")[1]), headers, body)
