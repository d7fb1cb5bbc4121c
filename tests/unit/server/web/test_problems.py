"""Problems: one shape for every refusal, and ids that a stranger cannot abuse."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tallystick_server.errors import RequestError, SigningStoppedError, StoreError
from tallystick_server.log.commit import Submission
from tallystick_server.log.sequencer import Ack
from tallystick_server.web import problems
from tests.fakes.logs import NAME
from tests.fakes.web import Reply, WebBench


def refusals() -> list[type[RequestError]]:
    """Every class of refusal there is."""
    return list(RequestError.__subclasses__())


class RefusingLog:
    """A log whose appends raise what they are told to."""

    def __init__(self, bench: WebBench, error: BaseException) -> None:
        self._log = bench.log
        self._error = error

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    async def append(self, submission: Submission) -> Ack:
        raise self._error


async def refused_with(tmp_path: Path, error: BaseException) -> Reply:
    """Answer an append that raises an error."""
    bench = WebBench(tmp_path)
    async with bench:
        hosted = bench.hosted
        object.__setattr__(hosted, "log", RefusingLog(bench, error))
        return await bench.append(b"x")


@pytest.mark.parametrize("kind", refusals(), ids=lambda kind: kind.__name__)
async def test_every_refusal_has_its_status_and_code(
    tmp_path: Path, kind: type[RequestError]
) -> None:
    reply = await refused_with(tmp_path, kind("why\x1b[31m it was", retry_after_s=7))

    assert reply.is_problem(kind.status, kind.code)
    assert reply.json()["title"] == kind.title
    assert reply.headers["retry-after"] == "7"
    assert "\x1b" not in reply.json()["detail"]
    assert reply.headers["cache-control"] == "no-store"


async def test_a_store_that_fails_is_unavailable_and_says_no_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await refused_with(tmp_path, StoreError("cannot look at /somewhere"))

    assert reply.is_problem(503, "unavailable")
    assert b"somewhere" not in reply.body
    (record,) = [one for one in caplog.records if one.getMessage() == "store failed"]
    assert record.exc_info is not None


async def test_a_log_that_does_not_sign_is_unavailable(tmp_path: Path) -> None:
    reply = await refused_with(tmp_path, SigningStoppedError("the clock stepped"))

    assert reply.is_problem(503, "unavailable")


async def test_a_client_that_goes_away_in_its_body_is_no_error_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head = (
        f"POST /v1/logs/{NAME}/entries HTTP/1.1\r\nHost: x\r\n"
        "Authorization: Bearer {}\r\nIdempotency-Key: k\r\n"
        "Content-Length: 100\r\n\r\nhalf"
    )
    async with WebBench(tmp_path) as bench:
        _, writer = await asyncio.open_unix_connection(str(bench.socket))
        writer.write(head.format(bench.token.text).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        alive = await bench.get("/livez")
        size = bench.log.head.size

    assert (alive.status, size) == (200, 1)
    assert caplog.records == []


async def test_a_connection_error_of_our_own_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await refused_with(tmp_path, ConnectionResetError())

    assert reply.is_problem(500, "internal")
    assert [one.getMessage() for one in caplog.records] == ["request failed"]


@pytest.mark.parametrize("wished", ["a", "0190-ab.c_D", "x" * 64])
async def test_a_sane_request_id_is_echoed(tmp_path: Path, wished: str) -> None:
    async with WebBench(tmp_path) as bench:
        good = await bench.get("/livez", X_Request_ID=wished)
        bad = await bench.get("/nothing", X_Request_ID=wished)

    assert good.headers["x-request-id"] == wished
    assert bad.json()["request_id"] == bad.headers["x-request-id"] == wished


@pytest.mark.parametrize("wished", ["", "x" * 65, "a b", "a\tb", 'a"b', "ä", "<x>"])
async def test_any_other_request_id_is_not(tmp_path: Path, wished: str) -> None:
    async with WebBench(tmp_path) as bench:
        good = await bench.get("/livez", X_Request_ID=wished)
        bad = await bench.get("/nothing", X_Request_ID=wished)

    assert "x-request-id" not in good.headers
    assert len(bad.headers["x-request-id"]) == 16
    assert bad.headers["x-request-id"] != wished


async def test_no_answer_names_the_library_behind_it(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        replies = [
            await bench.get(path)
            for path in ("/", "/nothing", "/healthz", f"/t/{NAME}")
        ]

    assert {reply.headers["server"] for reply in replies} == {"tallystick"}
    assert {reply.headers["x-content-type-options"] for reply in replies} == {"nosniff"}


def test_every_type_begins_alike() -> None:
    assert problems.TYPES == "https://tallystick.dev/problems/"
    assert len({kind.code for kind in refusals()}) == len(refusals())
