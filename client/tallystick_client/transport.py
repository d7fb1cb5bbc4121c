"""What drives an exchange: the seam between the client and HTTP, and the driving loops.

A transport answers the requests of one step, each with a Response or a Failure; it
never raises for what a peer does.  All transports keep the same rules:

- a body is read up to `Request.limit` decoded bytes, and a compressed one is stopped
  while it is being decoded, so that a bomb costs no more than the limit;
- only gzip and identity are accepted; no redirect is followed, no cookie kept, no
  proxy taken from the environment;
- `Request.timeout_s` bounds the whole request, headers and body.

An exchange of the client may also yield a DiskJob, so that the state on disk is
written between two requests without blocking an event loop.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Generator
from importlib.metadata import PackageNotFoundError, version
from typing import Generic, Protocol, TypeVar

from tallystick_merkle.exchange.base import Failure, Pause, Reply, Request, Step

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_GZIP = zlib.MAX_WBITS | 16


class Transport(Protocol):
    """Makes requests, blocking."""

    def perform(self, requests: tuple[Request, ...]) -> tuple[Reply, ...]:
        """Answer each request of one step, in order."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


class AsyncTransport(Protocol):
    """Makes requests on an event loop."""

    async def perform(self, requests: tuple[Request, ...]) -> tuple[Reply, ...]:
        """Answer each request of one step, in order."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class DiskJob(Generic[T_co]):
    """Work on the disk between two requests: run by the driver, then read."""

    def __init__(self, job: Callable[[], T_co]) -> None:
        """Hold the job; nothing is done yet."""
        self._job = job
        self._results: list[T_co] = []

    def run(self) -> None:
        """Do the work; an error goes to the caller of the driver."""
        self._results.append(self._job())

    @property
    def result(self) -> T_co:
        """What the work gave. Requires that `run` returned."""
        return self._results[0]


ClientExchange = Generator[Step | DiskJob[object], tuple[Reply, ...], T]
"""An exchange of the kernel, or one that also works on the disk."""


def on_disk(job: Callable[[], T]) -> ClientExchange[T]:
    """Have the driver do some work on the disk; return what it gave."""
    step = DiskJob(job)
    yield step
    return step.result


def drive(
    exchange: ClientExchange[T],
    transport: Transport,
    *,
    sleep: Callable[[float], object],
    random: Callable[[], float],
) -> T:
    """Run an exchange to its end. `random` gives a share in [0, 1)."""
    try:
        step = next(exchange)
        while True:
            replies: tuple[Reply, ...] = ()
            if isinstance(step, DiskJob):
                step.run()
            elif isinstance(step, Pause):
                sleep(step.least_s + random() * step.spread_s)
            else:
                replies = transport.perform(step)
            step = exchange.send(replies)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        exchange.close()


async def drive_async(
    exchange: ClientExchange[T],
    transport: AsyncTransport,
    *,
    sleep: Callable[[float], Awaitable[object]],
    random: Callable[[], float],
) -> T:
    """Run an exchange to its end on an event loop; disk work goes to a thread."""
    try:
        step = next(exchange)
        while True:
            replies: tuple[Reply, ...] = ()
            if isinstance(step, DiskJob):
                await asyncio.to_thread(step.run)
            elif isinstance(step, Pause):
                await sleep(step.least_s + random() * step.spread_s)
            else:
                replies = await transport.perform(step)
            step = exchange.send(replies)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        exchange.close()


class BodyError(Exception):
    """A body that is refused: too long, or in an encoding we do not take."""


class Body:
    """Collects one body from the bytes of the wire, decoded and capped.

    Raises BodyError on making for an unknown encoding, and from `feed` and `finish`
    as soon as the body is known to be over the limit or damaged.
    """

    def __init__(self, *, encoding: str, limit: int) -> None:
        """Prepare for a Content-Encoding (may be empty) and a limit in bytes."""
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip"}:
            raise BodyError(f"content encoding {name[:40]!r}, expected gzip or none")
        self._gzip = zlib.decompressobj(_GZIP) if name == "gzip" else None
        self._room = limit
        self._limit = limit
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take in bytes as they came from the wire."""
        if self._gzip is None:
            self._keep(data)
        elif data:
            self._inflate(data)

    def finish(self) -> bytes:
        """Give the whole decoded body."""
        if self._gzip is not None and not self._gzip.eof:
            raise BodyError("the gzip body is cut short")
        return b"".join(self._parts)

    def _inflate(self, data: bytes) -> None:
        """Decode no more than there is room for, and one byte."""
        gzip = self._gzip
        assert gzip is not None
        if gzip.eof:
            raise BodyError("bytes after the end of the gzip body")
        try:
            self._keep(gzip.decompress(data, self._room + 1))
        except zlib.error as error:
            raise BodyError("the gzip body is damaged") from error
        if gzip.unused_data:
            raise BodyError("bytes after the end of the gzip body")

    def _keep(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room < 0:
            raise BodyError(f"a body of more than {self._limit} bytes")
        self._parts.append(data)


def request_headers(request: Request) -> dict[str, str]:
    """Give the headers to send: those of the request, and what we always say."""
    return {
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "gzip, identity",
        **request.headers,
    }


def describe_failure(error: BaseException) -> Failure:
    """Say in one line why no answer came; never more than a class and a reason."""
    if isinstance(error, ConnectionRefusedError):
        return Failure("connection refused: nobody listens there")
    reason = str(error) or type(error).__name__
    return Failure("".join(mark for mark in reason[:300] if mark.isprintable()))


def _version() -> str:
    """Give the version of the installed distribution."""
    try:
        return version("tallystick")
    except PackageNotFoundError:
        return "unknown"


VERSION = _version()
"""Version of Tallystick."""

USER_AGENT = f"tallystick/{VERSION}"
"""How every request introduces itself."""
