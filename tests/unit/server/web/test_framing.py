"""How a body is framed: where a proxy could see another end, nothing is taken."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.logs import NAME
from tests.fakes.web import WebBench, request

BODY = b"5\r\nhello\r\n0\r\n\r\n"


async def test_a_chunked_body_of_http_1_0_is_refused_and_the_connection_closed(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        fields = {
            "Authorization": f"Bearer {bench.token.text}",
            "Idempotency-Key": "key",
            "Connection": "keep-alive",
            "Transfer-Encoding": "chunked",
        }
        append = request("POST", f"/v1/logs/{NAME}/entries", fields, BODY)
        inner = request("GET", "/livez", {})
        size = bench.log.head.size
        reader, writer = await asyncio.open_unix_connection(str(bench.socket))
        writer.write(append.replace(b"HTTP/1.1", b"HTTP/1.0", 1) + inner)
        said = await reader.read()
        writer.close()

        assert bench.log.head.size == size

    assert said.startswith(b"HTTP/1.0 415 ")
    assert said.count(b"Content-Type: ") == 1


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/livez",
        "/readyz",
        "/healthz",
        f"/v1/logs/{NAME}",
        f"/v1/logs/{NAME}/receipts/0",
    ],
)
async def test_a_path_without_parameters_takes_no_query(
    tmp_path: Path, path: str
) -> None:
    async with WebBench(tmp_path) as bench:
        plain = await bench.get(path)
        asked = await bench.get(f"{path}?size=1")

    assert plain.status == 200
    assert asked.is_problem(400, "bad-request")


async def said_to(bench: WebBench, data: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(bench.socket))
    writer.write(data)
    said = await reader.read()
    writer.close()
    return said


@pytest.mark.parametrize("coding", ["gzip, chunked", ",chunked", "chunked;q=1"])
async def test_after_another_coding_nothing_more_is_read(
    tmp_path: Path, coding: str
) -> None:
    async with WebBench(tmp_path) as bench:
        get = request("GET", "/livez", {"Transfer-Encoding": coding}, BODY)
        said = await said_to(bench, get + request("GET", "/livez", {}))

    assert said.count(b"Content-Type: ") == 1
    assert said.split()[1] in (b"400", b"415")


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9"])
async def test_a_version_that_is_not_ours_is_not_answered(
    tmp_path: Path, version: bytes
) -> None:
    async with WebBench(tmp_path) as bench:
        get = request("GET", "/livez", {})
        said = await said_to(bench, get.replace(b"HTTP/1.1", version))

    assert said == b""


def test_without_the_compiled_parser_nothing_is_served(tmp_path: Path) -> None:
    program = (
        "from tallystick_server.web.framing import check_parser\n"
        "from tallystick_server.errors import UsageError\n"
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
