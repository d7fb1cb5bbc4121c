"""Many events at once over HTTP: each answered for itself, one proof for all."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.canonical import pack
from tallystick_merkle.cosignature import open_checkpoint
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.opening import check_opening, parse_opening
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tests.fakes.cosigned import policy
from tests.fakes.intakes import event_json, make_event
from tests.fakes.logs import log_key
from tests.unit.server.web.answered import (
    array,
    fits,
    sent,
)
from tests.unit.server.web.keeping import API, KeptLog


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[KeptLog]:
    async with KeptLog(tmp_path, policy=policy()) as log:
        yield log


KINDS = {
    "application/json": array(1, 2),
    "application/x-ndjson": sent(1) + b"\n" + sent(2),
    "application/cbor": pack([event_json(1), event_json(2)]),
    "application/cbor-seq": pack(event_json(1)) + pack(event_json(2)),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_batch_comes_in_four_kinds(log: KeptLog, kind: str) -> None:
    reply = await log.submit_batch(KINDS[kind], kind=kind)

    answer = reply.json()
    assert reply.status == 200
    assert fits(reply, "EventsAnswer")
    assert (answer["first_index"], answer["count"]) == (1, 2)
    assert proven(answer) == [1, 2]
    for number, result in enumerate(answer["results"], 1):
        check_result(answer, result, number)


def proven(answer: dict[str, Any]) -> list[int]:
    """Check the range proof of a batch; give the indexes of what it proves."""
    head = open_checkpoint(answer["checkpoint"].encode(), [log_key().verifier])
    fresh = [one for one in answer["results"] if one["status"] == 201]
    start = answer["first_index"]
    RangeTree(
        range_shape(start=start, stop=start + answer["count"], size=answer["size"]),
        leaves=[leaf_hash(b64decode(one["leaf"])) for one in fresh],
        left=[b64decode(one) for one in answer["proof"]["left"]],
        right=[b64decode(one) for one in answer["proof"]["right"]],
        root=head.checkpoint.root,
    )
    assert head.checkpoint.size == answer["size"]
    return [one["index"] for one in fresh]


def check_result(answer: dict[str, Any], result: dict[str, Any], number: int) -> None:
    """Check the opening of one event of a batch."""
    common = {name: answer[name] for name in ("tenant", "service")}
    check_opening(
        make_event(number),
        parse_opening({**common, **result["opening"]}),
        parse_leaf(b64decode(result["leaf"])),
    )


async def test_in_a_batch_each_event_is_answered_for_itself(log: KeptLog) -> None:
    await log.submit(sent(1))
    lines = [
        sent(2),
        b"",
        sent(1),
        sent(1, reason="another"),
        b'{"action": 1}',
        sent(3),
        sent(2),
    ]

    reply = await log.submit_batch(b"\n".join(lines), kind="application/x-ndjson")

    answer = reply.json()
    results = answer["results"]
    assert fits(reply, "EventsAnswer")
    assert [one["status"] for one in results] == [201, 422, 200, 409, 422, 201, 200]
    assert proven(answer) == [2, 3]
    for at, number in ((0, 2), (2, 1), (5, 3), (6, 2)):
        check_result(answer, results[at], number)
    assert results[6]["opening"] == results[0]["opening"]
    assert results[3]["event_id"] == event_json(1)["event_id"]
    assert [one["code"] for one in (await log.letters())["letters"]] == [
        "invalid-event",
        "invalid-event",
    ]


async def test_a_batch_without_anything_new_has_a_checkpoint_and_no_proof(
    log: KeptLog,
) -> None:
    await log.submit(sent(1))
    repeats = await log.submit_batch(array(1))
    nothing = await log.submit_batch(b"[1, 2]")

    for reply in (repeats, nothing):
        answer = reply.json()
        assert reply.status == 200
        assert fits(reply, "EventsAnswer")
        assert (answer["first_index"], answer["count"]) == (None, 0)
        assert answer["proof"] == {"left": [], "right": []}
        assert answer["size"] == 2
    assert log.bench.log.head.size == 2


async def test_a_batch_waits_for_witnesses_too(log: KeptLog) -> None:
    late = await log.submit_batch(array(1, 2), query="?wait=witnessed")
    await log.publish()
    again = await log.submit_batch(array(1, 2), query="?wait=witnessed")

    assert late.headers["location"] == f"{API}/receipts/2"
    assert late.json()["status"] == "promised"
    assert again.json()["status"] == "witnessed"
    assert "— w.example " in again.json()["checkpoint"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "bad-request"),
        (b"[]", "application/json", 400, "bad-request"),
        (b"{}", "application/json", 400, "bad-request"),
        (b"[" + b"1," * 10_000 + b"1]", "application/json", 413, "too-large"),
        (b"\n" * 10_001, "application/x-ndjson", 413, "too-large"),
        (b"\x9f\xff", "application/cbor", 400, "bad-request"),
        (b"\xff", "application/cbor-seq", 400, "bad-request"),
        (b"[1]", "text/plain", 415, "unsupported-type"),
        (b" " * (8 * 1024 * 1024 + 1), "application/json", 413, "too-large"),
    ],
    ids=[
        "nothing",
        "no event",
        "object",
        "many",
        "lines",
        "open",
        "cut",
        "text",
        "long",
    ],
)
async def test_a_batch_that_cannot_be_told_apart_is_refused_whole(
    log: KeptLog, body: bytes, kind: str, status: int, code: str
) -> None:
    reply = await log.submit_batch(body, kind=kind)

    assert reply.is_problem(status, code)
    assert (await log.letters())["count"] == 0
