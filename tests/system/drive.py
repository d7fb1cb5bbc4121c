"""A driver of kernel exchanges for system tests: urllib, loopback, no retries hidden."""

from __future__ import annotations

import gzip
import http.client
import urllib.error
import urllib.request
from typing import TypeVar

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
    """Make one request."""
    wanted = urllib.request.Request(
        request.url,
        data=request.body if request.method != "GET" else None,
        headers=dict(request.headers),
        method=request.method,
    )
    try:
        with urllib.request.urlopen(wanted, timeout=request.timeout_s) as answer:
            return _read(answer.status, answer)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error.code, error)
    except (OSError, http.client.HTTPException) as error:
        return Failure(str(error))


def _read(
    status: int, answer: http.client.HTTPResponse | urllib.error.HTTPError
) -> Response:
    body = answer.read()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Response(status, headers, body)
