"""What the HTTP library refuses by itself: problem documents, and no version."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes.logs import NAME
from tests.fakes.web import Reply, WebBench, read_reply

API = f"/v1/logs/{NAME}"
MALFORMED = {
    "another protocol": b"GET /livez HTTP/9.9\r\n\r\n",
    "a method that is none": b"G\xc3\x84T / HTTP/1.1\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "a line that is too long": b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /%b/entries HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Content-Length: 6\r\n\r\nhello!" % API.encode(),
}


async def say(bench: WebBench, data: bytes) -> tuple[Reply, bytes]:
    """Send bytes; give the first answer, and what follows until the end."""
    reader, writer = await asyncio.open_unix_connection(str(bench.socket))
    try:
        writer.write(data)
        return await read_reply(reader), await reader.read()
    finally:
        writer.close()


def names_no_version(reply: Reply) -> bool:
    said = repr((reply.headers, reply.body)).lower()
    return (
        reply.headers["server"] == "tallystick"
        and "python/" not in said
        and "aiohttp" not in said
    )


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_request_is_answered_with_a_problem_and_the_end(
    tmp_path: Path, name: str
) -> None:
    async with WebBench(tmp_path) as bench:
        reply, rest = await say(bench, MALFORMED[name])

    assert reply.is_problem(400, "bad-request")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert names_no_version(reply)
    assert rest == b""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/livez", 200), ("GET", "/nothing", 404), ("GET", "/t/x/checkpoint", 404)],
)
async def test_an_expectation_that_nobody_knows_changes_no_answer(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    asked = f"{method} {path} HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n"
    async with WebBench(tmp_path) as bench:
        reply = await bench.send(asked.encode())

    assert reply.status == status
    assert reply.headers["content-type"].endswith("json")
    assert names_no_version(reply)


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PATCH", "BREW"])
async def test_a_method_that_a_path_does_not_take_is_a_problem(
    tmp_path: Path, method: str
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.send(
            f"{method} /livez HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )

    assert reply.status == (400 if method == "BREW" else 405)
    assert reply.headers["content-type"] == "application/problem+json"
    assert names_no_version(reply)


@pytest.mark.parametrize(
    "path", ["/%6civez", "/%2f", "/do%63s", f"/v1/logs/{NAME}/entries%3Abatch"]
)
async def test_there_is_nothing_behind_a_path_with_escapes(
    tmp_path: Path, path: str
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.get(path)

    assert reply.is_problem(404, "not-found")
