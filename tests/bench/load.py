"""The load process: many keep-alive connections, prepared requests, one row of JSON.

    python -m tests.bench.load single|batch|inclusion|tile|lone < parameters.json

It speaks just enough HTTP/1.1 to keep up with the server on the other core: requests
are prepared before the clock starts, answers are cut by Content-Length, and anything
but the expected status ends the run.  Loopback only.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import uvloop

from tests.bench.eventload import make_event

ENTRY_BYTES = 300
_OK = (b"HTTP/1.1 200", b"HTTP/1.1 201")


@dataclass(frozen=True, slots=True)
class Load:
    """What to do: which requests, over how many connections, for how many."""

    kind: str
    host: str
    port: int
    log: str
    token: str
    connections: int
    requests: int
    entries_each: int
    size: int


def prepare(load: Load) -> list[bytes]:
    """Write every request out, so that the clock times the server."""
    makers = {
        "single": _append_requests,
        "lone": _append_requests,
        "batch": _append_requests,
        "event": _event_requests,
        "events": _event_requests,
        "inclusion": _inclusion_requests,
        "tile": _tile_requests,
    }
    return list(makers[load.kind](load))


def _append_requests(load: Load) -> Iterator[bytes]:
    batched = load.kind == "batch"
    path = f"/v1/logs/{load.log}/entries{':batch' if batched else ''}"
    run = os.urandom(6).hex()
    for number in range(load.requests):
        key = f"{time.time_ns() // 1_000_000:012x}-{number:08x}-{run}"
        if batched:
            frame = ENTRY_BYTES.to_bytes(2, "big")
            body = b"".join(
                frame + os.urandom(ENTRY_BYTES) for _ in range(load.entries_each)
            )
        else:
            body = os.urandom(ENTRY_BYTES)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {load.host}\r\n"
            f"Authorization: Bearer {load.token}\r\n"
            f"Idempotency-Key: {key}\r\n"
            "Content-Type: application/octet-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


def _event_requests(load: Load) -> Iterator[bytes]:
    batched = load.kind == "events"
    path = f"/v1/logs/{load.log}/events{':batch' if batched else ''}"
    media = "application/x-ndjson" if batched else "application/json"
    for number in range(load.requests):
        first = number * load.entries_each
        body = b"\n".join(make_event(first + n) for n in range(load.entries_each))
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {load.host}\r\n"
            f"Authorization: Bearer {load.token}\r\n"
            f"Content-Type: {media}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


def _inclusion_requests(load: Load) -> Iterator[bytes]:
    for _ in range(load.requests):
        index = random.randrange(load.size)
        path = f"/v1/logs/{load.log}/proof/inclusion?index={index}&size={load.size}"
        yield f"GET {path} HTTP/1.1\r\nHost: {load.host}\r\n\r\n".encode()


def _tile_requests(load: Load) -> Iterator[bytes]:
    full = load.size // 256
    for _ in range(load.requests):
        group = f"{random.randrange(full):06d}"
        name = group[3:] if group.startswith("000") else f"x{group[:3]}/{group[3:]}"
        path = f"/t/{load.log}/tile/0/{name}"
        yield f"GET {path} HTTP/1.1\r\nHost: {load.host}\r\n\r\n".encode()


class Connection(asyncio.Protocol):
    """Sends the next prepared request as soon as an answer is whole."""

    def __init__(
        self, todo: Iterator[bytes], times: list[float], expected: bytes
    ) -> None:
        self.todo = todo
        self.expected = expected
        self.times = times
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.sent = 0.0
        self.need = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is one by its methods, not by its ancestors.
        self.transport = cast("asyncio.Transport", transport)

    def send_next(self) -> None:
        request = next(self.todo, None)
        assert self.transport is not None
        if request is None:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self.sent = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.need:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self.need = end + 4 + self.content_length(self.buffer[:end])
        if len(self.buffer) < self.need:
            return
        self.times.append(time.perf_counter() - self.sent)
        if self.expected not in self.buffer:
            self.fail(f"not all was taken: {self.buffer[:600]!r}")
        self.buffer = self.buffer[self.need :]
        self.need = 0
        self.send_next()

    def content_length(self, head: bytes) -> int:
        if not head.startswith(_OK):
            self.fail(f"unexpected answer: {head[:80]!r}")
            return 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return int(value)
        self.fail("no content length")
        return 0

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.fail(f"connection lost: {exc}")

    def fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(reason))


async def run(load: Load) -> dict[str, float]:
    """Make all the requests; give rates and latencies of this run."""
    requests = iter(prepare(load))
    times: list[float] = []
    expected = b'"count": %d,' % load.entries_each if load.kind == "events" else b""
    loop = asyncio.get_running_loop()
    connections = [
        (
            await loop.create_connection(
                lambda: Connection(requests, times, expected), load.host, load.port
            )
        )[1]
        for _ in range(load.connections)
    ]
    start = time.perf_counter()
    for connection in connections:
        connection.send_next()
    await asyncio.gather(*(connection.done for connection in connections))
    took = time.perf_counter() - start
    times.sort()
    return {
        "requests": len(times),
        "seconds": took,
        "requests_per_s": len(times) / took,
        "items_per_s": len(times) * load.entries_each / took,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
    }


def main() -> None:
    """Read a Load from standard input, run it, print the row."""
    load = Load(**json.load(sys.stdin))
    json.dump(uvloop.run(run(load)), sys.stdout)


if __name__ == "__main__":
    main()
