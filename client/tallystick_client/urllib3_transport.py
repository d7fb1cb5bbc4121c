"""The blocking transport: urllib3, with its own decoding and retries turned off.

urllib3's read timeout bounds each read from the socket, not the whole answer, so a
peer could drip bytes for ever.  Here the headers are cut off by a timer that shuts
the socket, and the body by looking at the clock between two reads.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError
from urllib3.response import BaseHTTPResponse

from tallystick_client.transport import (
    Body,
    BodyError,
    describe_failure,
    request_headers,
)
from tallystick_merkle.exchange.base import Failure, Reply, Request, Response

AT_ONCE = 8
"""Requests of one step that are made at the same time."""

_CHUNK = 64 * 1024


class Urllib3Transport:
    """Makes requests with one urllib3 pool; safe to use from several threads."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._pool = urllib3.PoolManager(
            maxsize=2 * AT_ONCE, retries=False, block=False
        )
        self._pool.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._workers: ThreadPoolExecutor | None = None
        self._changing = threading.Lock()  # held while workers come, go or are asked

    def perform(self, requests: tuple[Request, ...]) -> tuple[Reply, ...]:
        """Make the requests of a step, several at a time."""
        if len(requests) == 1:
            return (self._make(requests[0]),)
        with self._changing:
            if self._workers is None:
                self._workers = ThreadPoolExecutor(AT_ONCE, "tallystick")
            replies = [self._workers.submit(self._make, one) for one in requests]
        return tuple(map(_await, replies))

    def close(self) -> None:
        """Close all connections; requests under way end by their own timeouts."""
        with self._changing:
            if self._workers is not None:
                self._workers.shutdown(wait=False, cancel_futures=True)
                self._workers = None
        self._pool.clear()

    def _make(self, request: Request) -> Reply:
        """Make one request; what goes wrong on the way is a Failure."""
        try:
            return self._ask(request, time.monotonic() + request.timeout_s)
        except NewConnectionError as error:  # a timeout by name, but nobody waited
            return describe_failure(error.__cause__ or error)
        except (Urllib3TimeoutError, TimeoutError):
            return Failure(f"no whole answer within {request.timeout_s:g} seconds")
        except (HTTPError, BodyError, OSError, ValueError) as error:
            return describe_failure(error)

    def _ask(self, request: Request, deadline: float) -> Response:
        answer = self._pool.request(
            request.method,
            request.url,
            body=request.body or None,
            headers=request_headers(request),
            timeout=urllib3.Timeout(total=request.timeout_s),
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        is_whole = False
        try:
            response = _read(answer, request, deadline)
            is_whole = True
            return response
        finally:
            # A connection goes back to the pool only after a body read to its end.
            if is_whole:
                answer.release_conn()
            else:
                answer.close()


def _await(reply: Future[Reply]) -> Reply:
    """Wait for the reply of a worker, who may have been sent away meanwhile."""
    try:
        return reply.result()
    except CancelledError:
        return Failure("the transport was closed before the request was made")


def _read(answer: BaseHTTPResponse, request: Request, deadline: float) -> Response:
    """Read an answer within the limit and the time of its request."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    body = Body(encoding=headers.get("content-encoding", ""), limit=request.limit)
    while chunk := answer.read1(_CHUNK, decode_content=False):
        body.feed(chunk)
        if time.monotonic() > deadline:
            raise TimeoutError
    return Response(answer.status, headers, body.finish())


@contextmanager
def _in_time(sock: socket.socket | None, seconds: object) -> Iterator[None]:
    """Shut a socket when the headers have not come in time, and raise TimeoutError."""
    if sock is None or not isinstance(seconds, int | float):
        yield
        return
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        with suppress(OSError):  # it was closed in the same moment
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    # http.client takes the end of a shut socket for the end of the headers.
    if is_late.is_set():
        raise TimeoutError("the headers did not come in time")


class _Connection(HTTPConnection):
    """A connection whose headers must come in time."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as in its base
        with _in_time(self.sock, self.timeout):
            return super().getresponse()


class _TlsConnection(HTTPSConnection):
    """The same over TLS."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as in its base
        with _in_time(self.sock, self.timeout):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    """A pool of such connections."""


class _TlsPool(HTTPSConnectionPool):
    """The same over TLS."""


# Not in the class bodies: the type declared there is private to urllib3.
_Pool.ConnectionCls = _Connection
_TlsPool.ConnectionCls = _TlsConnection
