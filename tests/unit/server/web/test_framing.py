"""How a body is framed: where a proxy could see another end, nothing is taken."""

from __future__ import annotations

import asyncio
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
