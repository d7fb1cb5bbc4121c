"""What the HTTP library refuses by itself: one plain line, here and in the log."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
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


@pytest.mark.parametrize("coding", [b"gzip, chunked", b",chunked"])
async def test_after_another_coding_nothing_more_is_read(
    tmp_path: Path, coding: bytes
) -> None:
    get = b"GET /livez HTTP/1.1\r\nHost: w\r\n"
    doubtful = get + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n"
    async with served(tmp_path) as path:
        answer = await say(path, doubtful + get + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 415 ")
    assert answer.count(b"Content-Type: ") == 1


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9"])
async def test_a_version_that_is_not_ours_is_not_answered(
    tmp_path: Path, version: bytes
) -> None:
    async with served(tmp_path) as path:
        answer = await say(path, b"GET /livez " + version + b"\r\nHost: w\r\n\r\n")

    assert answer == b""


def test_without_the_compiled_parser_nothing_is_served() -> None:
    program = (
        "from tallystick_witness.framing import check_parser\n"
        "from tallystick_witness.errors import UsageError\n"
        "try: check_parser()\n"
        "except UsageError as error: print(error)\n"
    )
    said = {
        extensions: subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "AIOHTTP_NO_EXTENSIONS": extensions},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for extensions in ("1", "")
    }

    assert "compiled parser" in said["1"]
    assert said[""] == ""


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
