"""Appending over HTTP: what is taken, what is refused, and what the answers prove."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_merkle.exchange.appending import MAX_BATCH, MAX_BATCH_BYTES
from tallystick_merkle.hashing import leaf_hash, leaf_hashes
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.receipt import Status, check_receipt, parse_receipt
from tallystick_merkle.spelling import parse_hash
from tallystick_merkle.tile import MAX_ENTRY, format_bundle
from tests.fakes.cosigned import policy
from tests.fakes.logs import NAME, ORIGIN
from tests.fakes.web import Reply, WebBench

API = f"/v1/logs/{NAME}"


def verdict(reply: Reply, entry: bytes) -> Status:
    receipt = parse_receipt(reply.json()["receipt"].encode())
    return check_receipt(
        receipt, leaf=leaf_hash(entry), policy=policy("none"), origin=ORIGIN
    ).status


async def test_an_entry_is_answered_with_a_receipt_that_verifies(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.append(b"hello")

    assert reply.status == 201
    assert reply.json() | {"receipt": ""} == {
        "index": 1,
        "leaf_hash": leaf_hash(b"hello").hex(),
        "size": 2,
        "received_at": "2023-11-14T22:13:20.000Z",
        "status": "promised",
        "witnessed": False,
        "receipt": "",
    }
    assert verdict(reply, b"hello") is Status.PROMISED


async def test_a_repeat_is_the_same_entry_and_another_body_is_refused(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        await bench.append(b"hello")
        await bench.append(b"later", key="other")
        repeat = await bench.append(b"hello")
        reused = await bench.append(b"HELLO")

    assert (repeat.status, repeat.json()["index"]) == (200, 1)
    assert verdict(repeat, b"hello") is Status.PROMISED
    assert reused.is_problem(409, "idempotency-key-reused")


async def test_keys_of_different_principals_are_different(tmp_path: Path) -> None:
    bench = WebBench(tmp_path)
    other = bench.add_token("another")
    async with bench:
        bench.hosted.gate.reload()
        first = await bench.append(b"hello")
        bench.token = other
        second = await bench.append(b"HELLO")

    assert (first.status, second.status) == (201, 201)


async def test_a_new_token_of_one_principal_may_repeat(tmp_path: Path) -> None:
    bench = WebBench(tmp_path)
    other = bench.add_token("service")
    async with bench:
        await bench.append(b"hello")
        bench.token = other
        repeat = await bench.append(b"hello")

    assert (repeat.status, repeat.json()["index"]) == (200, 1)


async def test_a_batch_is_never_taken_for_an_entry_of_the_same_bytes(
    tmp_path: Path,
) -> None:
    body = format_bundle([b"hello"])
    async with WebBench(tmp_path) as bench:
        await bench.batch(body)
        reply = await bench.append(body)

    assert reply.is_problem(409, "idempotency-key-reused")


async def test_a_batch_is_proven_as_a_range_and_an_empty_entry_is_refused_alone(
    tmp_path: Path,
) -> None:
    entries = [b"a", b"", b"b", b"c"]
    async with WebBench(tmp_path) as bench:
        await bench.append(b"first", key="first")
        reply = await bench.batch(format_bundle(entries))
        root = bench.log.head.root

    answer = reply.json()
    assert reply.status == 201
    assert (answer["first_index"], answer["count"], answer["size"]) == (2, 3, 5)
    assert [item["status"] for item in answer["results"]] == [201, 422, 201, 201]
    assert [item.get("index") for item in answer["results"]] == [2, None, 3, 4]
    RangeTree(
        range_shape(start=2, stop=5, size=5),
        leaves=leaf_hashes([b"a", b"b", b"c"]),
        left=hashes(answer["proof"]["left"]),
        right=hashes(answer["proof"]["right"]),
        root=root,
    )


def hashes(texts: list[str]) -> list[bytes]:
    return [parse_hash(text.encode(), what="proof", where="") for text in texts]


async def test_a_repeated_batch_is_answered_as_before(tmp_path: Path) -> None:
    body = format_bundle([b"a", b"", b"b"])
    async with WebBench(tmp_path) as bench:
        first = await bench.batch(body)
        repeat = await bench.batch(body)

    assert (first.status, repeat.status) == (201, 200)
    assert first.json()["results"] == repeat.json()["results"]


async def test_a_batch_of_empty_entries_takes_nothing(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.batch(format_bundle([b"", b""]))
        size = bench.log.head.size

    answer = reply.json()
    assert (reply.status, answer["first_index"], answer["count"]) == (200, None, 0)
    assert answer["proof"] == {"left": [], "right": []}
    assert [item["status"] for item in answer["results"]] == [422, 422]
    assert size == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\x00\x05abc",
        format_bundle([b"x"]) + b"\x00",
        format_bundle([b"x"] * (MAX_BATCH + 1)),
    ],
    ids=["nothing", "half a length", "cut short", "a stray byte", "too many"],
)
async def test_a_malformed_batch_is_refused_whole(tmp_path: Path, body: bytes) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.batch(body)
        size = bench.log.head.size

    assert reply.is_problem(400, "bad-request")
    assert size == 1


async def test_the_largest_batch_of_entries_is_taken(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.batch(format_bundle([b"x"] * MAX_BATCH))

    assert (reply.status, reply.json()["count"]) == (201, MAX_BATCH)


@pytest.mark.parametrize(
    ("path", "most"),
    [("entries", MAX_ENTRY), ("entries:batch", MAX_BATCH_BYTES)],
)
async def test_a_body_over_its_limit_is_refused_before_it_is_read(
    tmp_path: Path, path: str, most: int
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.post(f"{API}/{path}", b"", Content_Length=str(most + 1))

    assert reply.is_problem(413, "too-large")
    assert str(most) in reply.json()["detail"]
    assert reply.headers["connection"] == "close"


async def test_the_longest_entry_is_taken_and_one_byte_more_is_not(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path) as bench:
        taken = await bench.append(b"x" * MAX_ENTRY)
        refused = await bench.append(b"x" * (MAX_ENTRY + 1), key="more")

    assert taken.status == 201
    assert refused.is_problem(413, "too-large")


async def test_a_chunked_body_is_capped_while_it_is_read(tmp_path: Path) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    async with WebBench(tmp_path) as bench:
        small = await bench.post(
            f"{API}/entries",
            b"5\r\nhello\r\n0\r\n\r\n",
            Content_Length="",
            Transfer_Encoding="chunked",
        )
        large = await bench.post(
            f"{API}/entries",
            chunk * 3,
            Content_Length="",
            Transfer_Encoding="chunked",
        )

    assert small.json()["leaf_hash"] == leaf_hash(b"hello").hex()
    assert large.is_problem(413, "too-large")


async def test_an_empty_entry_is_refused(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.append(b"")

    assert reply.is_problem(400, "bad-request")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Encoding": "gzip"},
        {"Content_Encoding": "identity"},
        {"Content_Type": "application/json"},
        {"Content_Type": "application/octet-stream; charset=utf-8"},
        {"Content_Type": "text/plain"},
    ],
)
async def test_another_type_or_encoding_is_not_taken(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.post(f"{API}/entries", b"hello", **headers)

    assert reply.is_problem(415, "unsupported-type")


async def test_the_content_type_may_be_absent(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.post(f"{API}/entries", b"hello", Content_Type="")

    assert reply.status == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "ä", "a\tb"])
async def test_an_idempotency_key_is_required_and_plain(
    tmp_path: Path, key: str
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.append(b"hello", key=key)

    assert reply.is_problem(400, "bad-request")


async def test_two_idempotency_keys_are_refused(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.append(b"hello", key="a\r\nIdempotency-Key: b")

    assert reply.is_problem(400, "bad-request")


@pytest.mark.parametrize("key", ["x", "x" * 128, "!~", "0190-ab/cd=="])
async def test_a_plain_key_is_taken(tmp_path: Path, key: str) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.append(b"hello", key=key)

    assert reply.status == 201


@pytest.mark.parametrize(
    "query",
    [
        "?wait=",
        "?wait=none",
        "?wait=Durable",
        "?wait=durable&wait=durable",
        "?wait=durable&timeout=5",
        "?timeout=5",
        "?wait=witnessed&timeout=0",
        "?wait=witnessed&timeout=05",
        "?wait=witnessed&timeout=+5",
        "?wait=witnessed&timeout=1e1",
        "?wait=witnessed&timeout=99999999999999999999",
        "?wait=dur%61ble",
        "?waits=durable",
        "?wait",
        "?&",
        "?=",
        "?wait=durable;timeout=5",
        "?" + "a" * 600,
    ],
)
async def test_a_query_that_is_not_understood_is_refused(
    tmp_path: Path, query: str
) -> None:
    async with WebBench(tmp_path) as bench:
        reply = await bench.append(b"hello", query=query)
        size = bench.log.head.size

    assert reply.is_problem(400, "bad-request")
    assert size == 1
