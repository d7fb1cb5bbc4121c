"""Drives the kernel's HTTP exchanges with aiohttp: how the server talks to others.

What it keeps to, whoever the peer is: no redirect is followed and no proxy or cookie
is used; a request has one deadline for everything; a body is decoded here (gzip or
nothing) and cut off at its limit, counted after decoding, so that a small answer
cannot become a large one; whatever goes wrong becomes a Failure of one line.

    peers = Peers()                       # on a running event loop
    seen = await peers.drive(read_witness_head(url, origin))
    await peers.close()
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
from yarl import URL

from tallystick_merkle.exchange.base import (
    Exchange,
    Failure,
    Pause,
    Reply,
    Request,
    Response,
    clean_text,
)

MAX_CONNECTIONS = 64
"""Open connections to all peers together."""

_CHANCE = random.SystemRandom()
_GZIP = 31  # zlib: gzip header and trailer, largest window
_MOST_OVERHEAD = 64 * 1024
_HEADERS = {"User-Agent": "tallystick", "Accept-Encoding": "gzip, identity"}

T = TypeVar("T")


class Peers:
    """One HTTP session to all peers; its owner closes it."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = _CHANCE.random,
    ) -> None:
        """Open a session. Requires a running event loop.

        `sleep` takes seconds; `jitter` gives the share of a pause's spread, 0 to 1.
        """
        self._sleep = sleep
        self._jitter = jitter
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
            headers=_HEADERS,
        )

    async def drive(self, exchange: Exchange[T]) -> T:
        """Run an exchange to its end and give its result, or raise what it raises."""
        try:
            step = next(exchange)
            while True:
                if isinstance(step, Pause):
                    await self._sleep(step.least_s + self._jitter() * step.spread_s)
                    step = exchange.send(())
                else:
                    replies = await asyncio.gather(*map(self._fetch, step))
                    step = exchange.send(tuple(replies))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            exchange.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _fetch(self, request: Request) -> Reply:
        """Make one request; never raises but for being cancelled."""
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._ask(request)
        except TimeoutError:
            return Failure(f"no whole answer within {request.timeout_s:g} s")
        except aiohttp.ClientConnectorError as error:
            return Failure(f"cannot connect: {_reason(error.os_error)}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(_reason(error))

    async def _ask(self, request: Request) -> Reply:
        async with self._session.request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body or None,
            headers=request.headers,
            allow_redirects=False,
        ) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            try:
                body = await _read(answer, headers, request.limit)
            except _BodyError as error:
                answer.close()  # the rest is not worth reading
                return Failure(str(error))
            return Response(answer.status, headers, body)


class _BodyError(Exception):
    """A body that is too long or not in the encoding it names."""


async def _read(
    answer: aiohttp.ClientResponse, headers: dict[str, str], limit: int
) -> bytes:
    """Read and decode a body of at most `limit` decoded bytes."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    decode: Callable[[bytes, int], bytes]
    if encoding == "gzip":
        unzip = zlib.decompressobj(wbits=_GZIP)
        decode = unzip.decompress
    elif encoding == "identity":
        unzip = None
        decode = _same
    else:
        raise _BodyError(f"body in encoding {clean_text(encoding)[:32]!r}")
    body = bytearray()
    came = 0
    async for chunk in answer.content.iter_any():
        came += len(chunk)
        try:
            body += decode(chunk, limit + 1 - len(body))
        except zlib.error as error:
            raise _BodyError("body is not gzip, though it says so") from error
        if len(body) > limit or came > limit + _MOST_OVERHEAD:
            raise _BodyError(f"body of more than {limit} bytes")
    if unzip is not None and (not unzip.eof or unzip.unused_data):
        raise _BodyError("gzip body is cut short or goes on after its end")
    return bytes(body)


def _same(chunk: bytes, _most: int) -> bytes:
    return chunk


def _reason(error: BaseException) -> str:
    """Say in one line what went wrong; never more than the kind and the system's word.

    The text of a foreign error may hold a URL, and a URL may hold a secret.
    """
    said = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}{': ' if said else ''}{clean_text(said)}"
