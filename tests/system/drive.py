"""A driver of kernel exchanges for system tests: http.client, loopback, no retries."""

from __future__ import annotations

import gzip
import http.client
from typing import TypeVar
from urllib.parse import urlsplit

from tallystick_merkle.exchange.base import (
    Exchange,
    Failure,
    Pause,
    Reply,
    Request,
    Response,
)

T = TypeVar("T")


def drive(exchange: Exchange[T]) -> T:
    """Run an exchange to its end, without ever sleeping."""
    try:
        step = next(exchange)
        while True:
            if isinstance(step, Pause):
                step = exchange.send(())
            else:
                step = exchange.send(tuple(map(fetch, step)))
    except StopIteration as end:
        result: T = end.value
        return result


def fetch(request: Request) -> Reply:
    """Make one request over plain HTTP."""
    url = urlsplit(request.url)
    link = http.client.HTTPConnection(url.netloc, timeout=request.timeout_s)
    path = f"{url.path}?{url.query}" if url.query else url.path
    try:
        link.request(request.method, path, request.body, dict(request.headers))
        answer = link.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return Failure(str(error))
    finally:
        link.close()
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Response(answer.status, headers, body)
