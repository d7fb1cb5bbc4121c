"""Appends that wait, and appends that are turned away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_merkle.tile import format_bundle
from tallystick_server.log.reader import Reader
from tallystick_server.storage.base import LogStore
from tallystick_server.web.incoming import read_wait
from tests.fakes.cosigned import cosigned, policy
from tests.fakes.logs import NAME
from tests.fakes.web import WebBench

API = f"/v1/logs/{NAME}"


@pytest.mark.parametrize("query", ["", "?wait=durable", "?wait=witnessed&timeout=20"])
async def test_a_wait_that_nobody_can_fulfil_is_promised_at_once(
    tmp_path: Path, query: str
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.append(b"hello", query=query)

    assert (reply.status, reply.json()["status"]) == (201, "promised")
    is_late = query.startswith("?wait=witnessed")
    assert reply.headers.get("location") == (f"{API}/receipts/1" if is_late else None)


def test_a_wait_is_cut_to_the_longest_that_the_server_grants() -> None:
    waits = [
        read_wait(query, 20.0)
        for query in (
            "wait=witnessed&timeout=1",
            "wait=witnessed&timeout=20",
            "wait=witnessed&timeout=300",
            "wait=witnessed",
            "wait=durable",
        )
    ]

    assert waits == [1.0, 20.0, 20.0, 20.0, 0.0]


async def test_an_unknown_log_is_not_there_with_or_without_a_token(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        with_token = await bench.post("/v1/logs/other/entries", b"hello")
        without = await bench.post("/v1/logs/other/entries", b"hello", Authorization="")
        path = await bench.get("/v1/nothing")

    bodies = [
        reply.json() | {"request_id": ""} for reply in (with_token, without, path)
    ]
    assert with_token.is_problem(404, "not-found")
    assert bodies[0] == bodies[1] == bodies[2]


async def test_every_bad_token_gets_the_same_answer(tmp_path: Path) -> None:
    bench = WebBench(tmp_path)
    text = bench.token.text
    bad = [
        "",
        "Bearer ",
        f"Basic {text}",
        f"Bearer {text}x",
        f"Bearer  {text}",
        f"Bearer {text[:-1]}",
        f"Bearer {text.replace(NAME, 'other')}",
        "Bearer tally_events_0000000000000000_" + "0" * 64 + "_00000000",
        "Bearer " + "x" * 5000,
        "Bearer tally_\u00e9",
    ]
    async with bench:
        replies = [
            await bench.post(f"{API}/entries", b"x", Authorization=one) for one in bad
        ]

    assert all(reply.is_problem(401, "unauthorized") for reply in replies)
    assert len({reply.json()["detail"] for reply in replies}) == 1
    assert {reply.headers["www-authenticate"] for reply in replies} == {"Bearer"}


async def test_a_read_only_log_answers_503(tmp_path: Path) -> None:
    async with WebBench(tmp_path, takes_entries=False) as bench:
        reply = await bench.append(b"hello")

    assert reply.is_problem(503, "unavailable")


async def test_a_log_that_stopped_signing_answers_503(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        bench.log.stop_signing("a witness has seen more")
        reply = await bench.append(b"hello")

    assert reply.is_problem(503, "unavailable")


async def test_a_full_disk_is_said_before_any_promise(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        bench.free = 0
        reply = await bench.append(b"hello")
        size = bench.log.head.size

    assert reply.is_problem(507, "disk-full")
    assert reply.headers["retry-after"] == "60"
    assert size == 1


async def test_waiting_for_witnesses_gives_the_published_receipt(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path, policy=policy("w")) as bench:
        await bench.append(b"hello")
        await bench.log.publish(cosigned(bench.log.head))
        entry = await bench.append(b"hello", query="?wait=witnessed")
        batch = await bench.batch(
            format_bundle([b"a", b"b"]), key="b", query="?wait=witnessed&timeout=1"
        )

    assert (entry.status, entry.json()["witnessed"]) == (200, True)
    assert (batch.status, batch.json()["witnessed"]) == (201, False)
    assert batch.headers["location"] == f"{API}/receipts/3"


class BrokenStore:
    """A store that cannot be read, whatever else it does."""

    def __init__(self, inner: LogStore) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        if name == "read_row":
            raise RuntimeError("secret detail of the inside")
        return getattr(self._inner, name)


async def test_an_unexpected_error_is_logged_and_answered_without_detail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = WebBench(tmp_path)
    bench.log.reader = Reader(BrokenStore(bench.store), bench.log.head)  # type: ignore[arg-type] # a store as seen by one method
    async with bench:
        reply = await bench.get(f"/t/{NAME}/tile/0/000.p/1", X_Request_ID="abc")

    assert reply.is_problem(500, "internal")
    assert b"secret" not in reply.body
    (record,) = [one for one in caplog.records if one.getMessage() == "request failed"]
    assert record.exc_info is not None
    assert vars(record)["request_id"] == "abc"
