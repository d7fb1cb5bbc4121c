"""The state of producers over HTTP, and what the log is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tallystick_server.errors import EventError
from tallystick_server.ingest.producers import GAP, REFUSED
from tallystick_server.ingest.sequences import GRACE_MS
from tests.fakes.openapi import described, faults, strict
from tests.fakes.web import WebBench
from tests.unit.server.web.keeping import API, KeptLog

PRODUCERS = f"{API}/producers"


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[KeptLog]:
    async with KeptLog(tmp_path) as kept:
        kept.intake.producers.due(kept.clock.now_ms())  # from here on it is there
        yield kept


async def rows(kept: KeptLog, query: str = "") -> list[dict[str, object]]:
    reply = await kept.ask("GET", PRODUCERS + query)
    assert reply.status == 200
    found: list[dict[str, object]] = reply.json()["producers"]
    return found


async def test_a_producer_is_shown_with_what_is_missing(kept: KeptLog) -> None:
    for number in (0, 1, 5):
        await kept.submit_event(number)
    kept.clock.advance(GRACE_MS)

    (row,) = await rows(kept)

    assert (row["principal"], row["instance"], row["epoch"]) == ("billing", "i-1", 0)
    assert (row["events"], row["first_sequence"], row["last_sequence"]) == (3, 0, 5)
    assert (row["missing"], row["overdue"]) == (3, 3)
    assert row["gaps"] == [{"start": 2, "stop": 5, "missing": 3}]
    assert row["last_occurred_at"] == "2023-11-14T22:13:20.000Z"
    assert row["last_index"] == kept.bench.log.head.size - 1


async def test_an_event_that_is_repeated_is_no_duplicate(kept: KeptLog) -> None:
    await kept.submit_event(1)
    again = await kept.submit_event(1)

    (row,) = await rows(kept)

    assert again.status == 200
    assert (row["events"], row["duplicates"]) == (1, 0)


async def test_a_gap_becomes_an_event_of_the_log(kept: KeptLog) -> None:
    for number in (0, 2):
        await kept.submit_event(number)
    kept.clock.advance(GRACE_MS)

    await kept.intake.tell_due()
    await kept.intake.tell_due()

    size = kept.bench.log.head.size
    events = [one.event for one in await kept.intake.records.read(0, size)]
    (own,) = [one for one in events if one is not None and one.action == GAP]
    details = own.extra["details"]
    assert isinstance(details, dict)
    assert (details["principal"], details["kinds"]) == ("billing", ["gap"])
    assert own.producer.service == "tallystick"
    assert len(await rows(kept)) == 2  # the server is a producer too


async def test_refusals_become_an_event_without_their_words(kept: KeptLog) -> None:
    await kept.submit(b'{"secret": "hunter2-hunter2"}')
    await kept.submit(b"")

    await kept.intake.tell_due()

    size = kept.bench.log.head.size
    (opened,) = await kept.intake.records.read(size - 1, size)
    assert opened.event is not None
    assert opened.event.action == REFUSED
    assert opened.event.extra["details"] == {
        "principal": "billing",
        "counts": {"invalid-event": 2},
    }


async def test_producers_come_page_by_page(kept: KeptLog) -> None:
    for number in range(3):
        producer = {"instance": f"i-{number}", "sequence": 0}
        await kept.submit_event(number, producer=producer)

    first = (await kept.ask("GET", f"{PRODUCERS}?limit=2")).json()
    second = await rows(kept, f"?limit=2&after={first['next_after']}")

    assert [row["instance"] for row in first["producers"]] == ["i-0", "i-1"]
    assert [row["instance"] for row in second] == ["i-2"]


@pytest.mark.parametrize("query", ["?limit=0", "?limit=1001", "?before=1", "?after=x"])
async def test_a_page_that_cannot_be_is_refused(kept: KeptLog, query: str) -> None:
    reply = await kept.ask("GET", PRODUCERS + query)

    assert reply.is_problem(400, "bad-request")


async def test_only_administrators_see_producers(kept: KeptLog) -> None:
    for token in ("", kept.emit, kept.read):
        reply = await kept.ask("GET", PRODUCERS, token=token)

        assert reply.is_problem(401, "unauthorized")


async def test_a_log_of_entries_keeps_none_of_this(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        for path in ("producers", "dead-letters", "dead-letters/1"):
            reply = await bench.get(f"{API}/{path}")

            assert reply.is_problem(404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "schema"),
    [
        ("GET", "producers", "Producers"),
        ("GET", "dead-letters", "DeadLetters"),
        ("GET", "dead-letters/1", "WholeDeadLetter"),
        ("POST", "dead-letters/2/redrive", "Redriven"),
        ("DELETE", "dead-letters/1", "Dropped"),
    ],
)
async def test_the_answers_are_as_described(
    kept: KeptLog, method: str, path: str, schema: str
) -> None:
    kept.rules.refusal = EventError("not yet")
    await kept.submit_event(1)
    await kept.submit_event(2)
    kept.rules.refusal = None
    for number in (2, 4):
        await kept.submit_event(number)
    whole = strict(described())

    reply = await kept.ask(method, f"{API}/{path}")

    assert reply.status == 200
    assert faults(whole, whole["components"]["schemas"][schema], reply.json()) == []
