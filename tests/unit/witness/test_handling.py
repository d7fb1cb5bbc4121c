"""What the HTTP library refuses by itself: one plain line, here and in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tallystick_witness.app import Face, make_app
from tallystick_witness.desk import Desk
from tallystick_witness.handling import PlainRunner
from tests.unit.witness.world import ED_KEY, World

EXPECTS = (
    b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nExpect: much\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)
LEAKS = (b"aiohttp", b"Python", b"Traceback")


async def fail(request: web.Request) -> web.Response:
    raise RuntimeError("a secret of ours")


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Path]:
    desk = Desk(World(keys=(ED_KEY,)).witness, max_waiting=1)
    runner = PlainRunner(make_app(Face(desk, 1.0, "about\n")), access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "socket")).start()
    try:
        yield folder / "socket"
    finally:
        await runner.cleanup()
        desk.close()


async def say(path: Path, data: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nA: x\0y\r\n\r\n", b"400"),
        (EXPECTS, b"417"),
    ],
    ids=["no request", "a zero byte", "an expectation"],
)
async def test_what_the_library_refuses_names_nothing_of_ours(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    data: bytes,
    status: bytes,
) -> None:
    caplog.set_level(logging.INFO)
    async with served(tmp_path) as path:
        answer = await say(path, data)

    assert answer.split()[1] == status
    assert b"\r\nServer: tallystick\r\n" in answer
    assert not any(leak in answer for leak in LEAKS)
    assert all(record.levelno == logging.INFO for record in caplog.records)
    assert all(record.exc_info is None for record in caplog.records)


async def test_an_error_of_ours_outside_the_application_is_logged_at_length(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runner = PlainRunner(web.Application(), access_log=None)
    runner.app.router.add_get("/", fail)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "socket")).start()
    answer = await say(tmp_path / "socket", b"GET / HTTP/1.0\r\nHost: w\r\n\r\n")
    await runner.cleanup()

    assert answer.split()[1] == b"500"
    assert answer.endswith(b"internal error\n")
    assert b"secret" not in answer
    assert any(record.exc_info for record in caplog.records)
