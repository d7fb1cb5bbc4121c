"""The transport on an event loop: aiohttp, with its own decoding turned off."""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from tallystick_client.transport import (
    Body,
    BodyError,
    describe_failure,
    request_headers,
)
from tallystick_merkle.exchange.base import Failure, Reply, Request, Response

MOST_CONNECTIONS = 32
"""Open connections of one transport, to all hosts together."""


class AiohttpTransport:
    """Makes requests with one aiohttp session, opened with the first of them."""

    def __init__(self) -> None:
        """Open nothing yet: a session belongs to the loop it is first used on."""
        self._session: aiohttp.ClientSession | None = None

    async def perform(self, requests: tuple[Request, ...]) -> tuple[Reply, ...]:
        """Make all requests of a step at once."""
        session = self._opened()
        if len(requests) == 1:
            return (await _make(session, requests[0]),)
        return tuple(
            await asyncio.gather(*(_make(session, request) for request in requests))
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


async def _make(session: aiohttp.ClientSession, request: Request) -> Reply:
    """Make one request; what goes wrong on the way is a Failure."""
    try:
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body or None,
            headers=request_headers(request),
            timeout=aiohttp.ClientTimeout(total=request.timeout_s),
            allow_redirects=False,
        ) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            body = Body(
                encoding=headers.get("content-encoding", ""), limit=request.limit
            )
            async for chunk in answer.content.iter_any():
                body.feed(chunk)
            return Response(answer.status, headers, body.finish())
    except aiohttp.ClientConnectorError as error:
        return describe_failure(error.os_error)
    except TimeoutError:
        return Failure(f"no whole answer within {request.timeout_s:g} seconds")
    except (aiohttp.ClientError, BodyError, OSError, ValueError) as error:
        return describe_failure(error)
