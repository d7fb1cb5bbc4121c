"""Events submitted over HTTP: taken once, and refused with the place."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.canonical import pack
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.opening import check_opening, parse_opening
from tallystick_merkle.receipt import Status, check_receipt, parse_receipt
from tallystick_server.errors import EventError
from tests.fakes.cosigned import policy
from tests.fakes.intakes import event_json, make_event
from tests.fakes.logs import ORIGIN, check_log
from tests.fakes.web import WebBench
from tests.unit.server.web.answered import (
    array,
    fits,
    sent,
)
from tests.unit.server.web.keeping import API, KeptLog

EVENTS = f"{API}/events"


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[KeptLog]:
    async with KeptLog(tmp_path, policy=policy()) as log:
        yield log


def check_one(answer: dict[str, Any], number: int) -> Status:
    """Hold the answer to an event against the kernel, as its submitter does."""
    leaf = b64decode(answer["leaf"])
    check_opening(
        make_event(number), parse_opening(answer["opening"]), parse_leaf(leaf)
    )
    receipt = parse_receipt(answer["receipt"].encode())
    verdict = check_receipt(
        receipt, leaf=leaf_hash(leaf), policy=policy(), origin=ORIGIN
    )
    assert receipt.index == answer["index"]
    assert answer["leaf_hash"] == leaf_hash(leaf).hex()
    assert answer["size"] == verdict.judged.opened.checkpoint.size
    return verdict.status


async def test_an_event_is_answered_with_its_receipt_and_its_opening(
    log: KeptLog,
) -> None:
    reply = await log.submit(sent(1))

    answer = reply.json()
    assert reply.status == 201
    assert fits(reply, "EventAnswer")
    assert check_one(answer, 1) is Status.PROMISED
    assert (answer["status"], answer["witnessed"]) == ("promised", False)
    assert check_log(log.bench.store)[1] == b64decode(answer["leaf"])
    assert reply.headers["cache-control"] == "no-store"
    assert "location" not in reply.headers


async def test_the_receipt_says_nothing_of_the_opening(log: KeptLog) -> None:
    answer = (await log.submit(sent(1))).json()

    for secret in (*answer["opening"]["seeds"], answer["opening"]["index_entry"]):
        assert secret not in answer["receipt"]
        assert bytes.fromhex(secret) not in b64decode(answer["leaf"])


async def test_the_same_event_again_is_the_same_place_and_opening(
    log: KeptLog,
) -> None:
    first = await log.submit(sent(1))
    again = await log.submit(pack(event_json(1)), kind="application/cbor")

    assert (first.status, again.status) == (201, 200)
    for name in ("index", "leaf", "opening", "received_at", "event_id"):
        assert again.json()[name] == first.json()[name]
    assert check_one(again.json(), 1) is Status.PROMISED
    assert log.bench.log.head.size == 2


async def test_the_id_of_another_event_is_refused_with_one_answer(
    log: KeptLog,
) -> None:
    await log.submit(sent(1))
    other = await log.submit(sent(1, reason="another"), name="here")
    stranger = await log.ask(
        "POST",
        EVENTS,
        token=log.other,
        body=sent(1, producer={"instance": "i-1", "sequence": 1}),
        headers={"Content-Type": "application/json", "X-Request-ID": "here"},
    )

    assert other.is_problem(409, "event-id-reused")
    assert stranger.body == other.body


async def test_what_is_wrong_is_named_by_its_place(log: KeptLog) -> None:
    reply = await log.submit(sent(1, targets=[{"type": "user", "id": 7}]))

    assert reply.is_problem(422, "invalid-event")
    (fault,) = reply.json()["errors"]
    assert fault["pointer"] == "/targets/0/id"
    assert fault["detail"] == reply.json()["detail"]
    assert log.bench.log.head.size == 1


async def test_an_event_that_its_schema_refuses_is_refused(log: KeptLog) -> None:
    log.rules.refusal = EventError("expected a ticket", pointer="/details/ticket")

    reply = await log.submit(sent(1))

    assert reply.is_problem(422, "invalid-event")
    assert reply.json()["errors"] == [
        {"pointer": "/details/ticket", "detail": "expected a ticket"}
    ]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 422, "invalid-event"),
        (b"\xff", "application/json", 422, "invalid-event"),
        (b"[" * 5000, "application/json", 422, "invalid-event"),
        (b"\x9f\xff", "application/cbor", 422, "invalid-event"),
        (b"{}", "application/x-ndjson", 415, "unsupported-type"),
        (b"{}", "application/octet-stream", 415, "unsupported-type"),
        (b"{}", "", 415, "unsupported-type"),
        (b" " * (256 * 1024 + 1), "application/json", 413, "too-large"),
    ],
    ids=["empty", "no utf-8", "deep", "cbor", "ndjson", "octets", "none", "long"],
)
async def test_what_is_no_event_is_refused(
    log: KeptLog, body: bytes, kind: str, status: int, code: str
) -> None:
    reply = await log.submit(body, kind=kind)

    assert reply.is_problem(status, code)


async def test_an_event_as_large_as_one_may_be_is_taken_and_proven(
    log: KeptLog,
) -> None:
    targets = [{"type": "user", "id": f"{n}" * 200} for n in range(10)]
    details = {f"{n:03}" + "x" * 100: "y" * 700 for n in range(54)}
    body = sent(1, targets=targets, details=details)

    reply = await log.submit(body)
    shown = await log.show(f"/{event_json(1)['event_id']}?fields=details,targets")

    assert (reply.status, shown.status) == (201, 200)
    assert len(reply.json()["opening"]["seeds"]) == 12
    assert len(shown.json()["fields"]) == 54 + 1 + 10


async def test_whoever_waits_for_witnesses_is_told_where_to_ask_again(
    log: KeptLog,
) -> None:
    promised = await log.submit(sent(1), query="?wait=witnessed")
    await log.publish()
    witnessed = await log.submit(sent(1), query="?wait=witnessed")

    assert promised.headers["location"] == f"{API}/receipts/1"
    assert check_one(promised.json(), 1) is Status.PROMISED
    assert check_one(witnessed.json(), 1) is Status.WITNESSED
    assert witnessed.json()["status"] == "witnessed"
    assert "location" not in witnessed.headers


@pytest.mark.parametrize("query", ["?wait=later", "?timeout=1", "?x=1", "?wait=%64"])
async def test_a_query_that_is_none_is_refused(log: KeptLog, query: str) -> None:
    assert (await log.submit(sent(1), query=query)).is_problem(400, "bad-request")
    batch = await log.submit_batch(b"[" + sent(1) + b"]", query=query)
    assert batch.is_problem(400, "bad-request")
    assert log.bench.log.head.size == 1


async def test_only_a_token_that_may_emit_submits(log: KeptLog) -> None:
    for path in (EVENTS, f"{EVENTS}:batch"):
        for token in ("", log.read, log.admin, "tks_x"):
            reply = await log.ask("POST", path, token=token, body=sent(1))

            assert reply.is_problem(401, "unauthorized")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", EVENTS),
        ("POST", f"{EVENTS}:batch"),
        ("GET", EVENTS),
        ("GET", f"{EVENTS}/{event_json(1)['event_id']}"),
    ],
)
async def test_a_log_of_entries_says_so_before_it_asks_for_a_token(
    tmp_path: Path, method: str, path: str
) -> None:
    async with WebBench(tmp_path) as bench:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        reply = await bench.send(head.encode())

        assert reply.is_problem(422, "unprocessable")
        assert "/entries" in reply.json()["detail"]


async def test_without_its_vault_a_log_takes_no_event(log: KeptLog) -> None:
    object.__setattr__(log.hosted, "intake", None)

    for reply in (
        await log.submit(sent(1)),
        await log.submit_batch(sent(1)),
        await log.show(""),
        await log.show(f"/{event_json(1)['event_id']}"),
    ):
        assert reply.is_problem(503, "unavailable")


async def test_a_log_that_does_not_sign_takes_no_event_and_keeps_no_letter(
    log: KeptLog,
) -> None:
    log.bench.log.stop_signing("a witness has seen more")

    one = await log.submit(sent(1))
    many = await log.submit_batch(b"[" + sent(1) + b"]")

    assert one.is_problem(503, "unavailable")
    assert many.is_problem(503, "unavailable")
    assert (await log.letters())["count"] == 0


async def test_a_packed_body_is_not_taken(log: KeptLog) -> None:
    for path in (EVENTS, f"{EVENTS}:batch"):
        reply = await log.ask(
            "POST",
            path,
            token=log.emit,
            body=sent(1),
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        )

        assert reply.is_problem(415, "unsupported-type")


async def test_an_action_without_schema_may_be_warned_of(tmp_path: Path) -> None:
    async with KeptLog(tmp_path, unknown="warn") as log:
        one = await log.submit(sent(1))
        many = await log.submit_batch(array(2))

    (warning,) = one.json()["warnings"]
    assert fits(one, "EventAnswer")
    assert fits(many, "EventsAnswer")
    assert many.json()["results"][0]["warnings"] == [warning]


async def test_a_repeat_of_which_something_is_gone_says_so(log: KeptLog) -> None:
    await log.submit(sent(1))
    record = (await log.intake.records.read(1, 2))[0].record
    log.bench.reading.lost.add(record.groups[1].kid)

    one = await log.submit(sent(1, reason="cannot be told from the first"))
    many = await log.submit_batch(array(1))

    assert one.status == 200
    assert fits(one, "EventAnswer")
    assert fits(many, "EventsAnswer")
    for answer in (one.json(), many.json()["results"][0]):
        assert (answer["opening"], answer["content"]) == (None, "erased")
