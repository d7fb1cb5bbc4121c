"""Refused events over HTTP: seen, submitted again as what they were, dropped."""

from __future__ import annotations

import json
import logging
import shutil
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tallystick_server.errors import EventError
from tests.fakes.intakes import event_json
from tests.unit.server.web.keeping import LETTERS, KeptLog

BROKEN = b'{"action": "user.role.updated", "secret": "hunter2-hunter2"}'


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[KeptLog]:
    async with KeptLog(tmp_path) as kept:
        yield kept


async def test_a_refused_event_is_listed_with_its_reason_and_not_its_words(
    kept: KeptLog,
) -> None:
    refused = await kept.submit(BROKEN)

    listed = await kept.letters()

    (letter,) = listed["letters"]
    assert refused.status == 422
    assert letter["id"] == 1
    assert (letter["principal"], letter["code"]) == ("billing", "invalid-event")
    assert letter["detail"] == refused.json()["detail"]
    assert letter["size"] == len(BROKEN)
    assert (listed["count"], listed["next_before"]) == (1, None)
    assert "hunter2" not in json.dumps(listed)


async def test_a_letter_is_shown_with_what_came(kept: KeptLog) -> None:
    await kept.submit(BROKEN)

    reply = await kept.ask("GET", f"{LETTERS}/1")

    shown = reply.json()
    assert b64decode(shown["body"]) == BROKEN
    assert (shown["is_kept"], shown["is_readable"]) == (True, True)
    assert reply.headers["cache-control"] == "no-store"


async def test_letters_come_page_by_page(kept: KeptLog) -> None:
    for number in range(5):
        await kept.submit(b"%d" % number)

    first = await kept.letters("?limit=2")
    second = await kept.letters(f"?limit=2&before={first['next_before']}")
    third = await kept.letters(f"?limit=2&before={second['next_before']}")

    pages = [
        [letter["id"] for letter in page["letters"]] for page in (first, second, third)
    ]
    assert pages == [[5, 4], [3, 2], [1]]
    assert third["next_before"] is None


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=1001", "?limit=x", "?after=1", "?before="]
)
async def test_a_page_that_cannot_be_is_refused(kept: KeptLog, query: str) -> None:
    reply = await kept.ask("GET", LETTERS + query)

    assert reply.is_problem(400, "bad-request")


@pytest.mark.parametrize("path", ["/7", "/01", "/x", "/-1", f"/{2**53}"])
async def test_a_letter_that_is_not_there_is_not_found(
    kept: KeptLog, path: str
) -> None:
    for method, more in (("GET", ""), ("DELETE", ""), ("POST", "/redrive")):
        reply = await kept.ask(method, LETTERS + path + more)

        assert reply.is_problem(404, "not-found")


async def test_only_administrators_may(kept: KeptLog) -> None:
    await kept.submit(BROKEN)

    for token in ("", kept.emit, kept.read):
        for method, path in (
            ("GET", LETTERS),
            ("GET", f"{LETTERS}/1"),
            ("DELETE", f"{LETTERS}/1"),
            ("POST", f"{LETTERS}/1/redrive"),
        ):
            reply = await kept.ask(method, path, token=token)
            assert reply.is_problem(401, "unauthorized"), (method, path)
    assert (await kept.letters())["count"] == 1


async def test_a_letter_is_submitted_again_in_the_name_of_its_producer(
    kept: KeptLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kept.rules.refusal = EventError("not yet", pointer="/action")
    refused = await kept.submit_event(3)
    kept.rules.refusal = None

    reply = await kept.ask("POST", f"{LETTERS}/1/redrive")

    done = reply.json()
    assert (refused.status, reply.status) == (422, 200)
    assert done["event_id"] == event_json(3)["event_id"]
    assert done["is_repeat"] is False
    assert "opening" not in done
    (opened,) = await kept.intake.records.read(done["index"], done["index"] + 1)
    assert opened.event is not None
    assert opened.event.producer.service == "billing"
    assert (await kept.letters())["count"] == 0
    (said,) = [one for one in caplog.records if one.message == "dead letter redriven"]
    assert vars(said)["admin"] == "keeper"
    assert vars(said)["principal"] == "billing"


async def test_one_that_is_in_the_log_already_is_a_repeat_and_goes(
    kept: KeptLog,
) -> None:
    kept.rules.refusal = EventError("not yet")
    await kept.submit_event(3)
    kept.rules.refusal = None
    taken = await kept.submit_event(3)

    reply = await kept.ask("POST", f"{LETTERS}/1/redrive")

    assert reply.json()["is_repeat"] is True
    assert reply.json()["index"] == taken.json()["index"]
    assert (await kept.letters())["count"] == 0


async def test_one_that_is_refused_again_stays_with_the_new_reason(
    kept: KeptLog,
) -> None:
    kept.rules.refusal = EventError("not yet", pointer="/action")
    await kept.submit_event(3)
    kept.rules.refusal = EventError("still not", pointer="/details")

    reply = await kept.ask("POST", f"{LETTERS}/1/redrive")

    (letter,) = (await kept.letters())["letters"]
    assert reply.is_problem(422, "invalid-event")
    assert (letter["pointer"], letter["detail"]) == ("/details", "still not")
    shown = await kept.ask("GET", f"{LETTERS}/1")
    assert json.loads(b64decode(shown.json()["body"])) == event_json(3)


async def test_one_whose_id_another_event_has_by_now_stays(kept: KeptLog) -> None:
    kept.rules.refusal = EventError("not yet")
    await kept.submit_event(3)
    kept.rules.refusal = None
    await kept.submit_event(3, reason="another")

    reply = await kept.ask("POST", f"{LETTERS}/1/redrive")

    assert reply.is_problem(409, "event-id-reused")
    assert (await kept.letters())["letters"][0]["code"] == "event-id-reused"


async def test_one_that_meets_a_log_that_does_not_sign_stays_as_it_was(
    kept: KeptLog,
) -> None:
    kept.rules.refusal = EventError("not yet")
    await kept.submit_event(3)
    kept.rules.refusal = None
    kept.bench.log.stop_signing("a witness has seen more")

    reply = await kept.ask("POST", f"{LETTERS}/1/redrive")

    assert reply.is_problem(503, "unavailable")
    assert (await kept.letters())["letters"][0]["detail"] == "not yet"


async def test_one_that_was_too_long_can_only_be_dropped(kept: KeptLog) -> None:
    line = b'"' + b"x" * (256 * 1024) + b'"'
    batch = await kept.ask(
        "POST",
        "/v1/logs/events/events:batch",
        token=kept.emit,
        body=line + b"\n",
        headers={"Content-Type": "application/x-ndjson"},
    )

    (letter,) = (await kept.letters())["letters"]
    shown = await kept.ask("GET", f"{LETTERS}/1")
    reply = await kept.ask("POST", f"{LETTERS}/1/redrive")

    assert batch.status == 200
    assert (letter["is_kept"], letter["size"]) == (False, len(line))
    assert shown.json()["body"] is None
    assert reply.is_problem(422, "invalid-event")
    assert (await kept.letters())["count"] == 1


async def test_a_letter_is_dropped_for_good(
    kept: KeptLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await kept.submit(BROKEN)

    first = await kept.ask("DELETE", f"{LETTERS}/1")
    second = await kept.ask("DELETE", f"{LETTERS}/1")

    assert first.json() == {"id": 1, "is_dropped": True}
    assert second.is_problem(404, "not-found")
    assert "dead letter dropped" in caplog.text


async def test_an_item_of_a_batch_is_kept_by_itself(kept: KeptLog) -> None:
    lines = [json.dumps(event_json(1)).encode(), BROKEN]

    reply = await kept.ask(
        "POST",
        "/v1/logs/events/events:batch",
        token=kept.emit,
        body=b"\n".join(lines),
        headers={"Content-Type": "application/x-ndjson"},
    )

    shown = await kept.ask("GET", f"{LETTERS}/1")
    assert [one["status"] for one in reply.json()["results"]] == [201, 422]
    assert b64decode(shown.json()["body"]) == BROKEN
    assert shown.json()["content_type"] == "application/json"


async def test_the_words_of_a_refused_event_are_in_no_file(
    kept: KeptLog, caplog: pytest.LogCaptureFixture
) -> None:
    await kept.submit(BROKEN)

    assert kept.holds(b"hunter2") == []
    assert "hunter2" not in caplog.text


async def test_letters_that_cannot_be_read_are_unavailable(
    kept: KeptLog, tmp_path: Path
) -> None:
    (tmp_path / "letters.sqlite").mkdir()

    refused = await kept.submit(BROKEN)
    reply = await kept.ask("GET", LETTERS)

    assert refused.is_problem(422, "invalid-event")
    assert reply.is_problem(503, "unavailable")


async def test_where_the_log_is_read_only_letters_are_shown_and_none_is_changed(
    kept: KeptLog, tmp_path: Path
) -> None:
    await kept.submit(BROKEN)
    beside = KeptLog(tmp_path / "beside", vault=kept.bench.vault, is_read_only=True)
    for end in ("", "-wal", "-shm"):
        shutil.copy(tmp_path / f"letters.sqlite{end}", tmp_path / "beside")

    async with beside:
        refused = await beside.submit(BROKEN)
        changes = [
            await beside.ask("DELETE", f"{LETTERS}/1"),
            await beside.ask("POST", f"{LETTERS}/1/redrive"),
        ]
        listed = await beside.letters()
        shown = await beside.ask("GET", f"{LETTERS}/1")

    for reply in [refused, *changes]:
        assert reply.is_problem(503, "unavailable")
        assert reply.json()["detail"] == "the log is read-only"
    assert (listed["count"], listed["not_kept"]) == (1, 0)
    assert b64decode(shown.json()["body"]) == BROKEN


async def test_a_flood_of_refusals_of_one_producer_leaves_the_letters_of_others(
    kept: KeptLog,
) -> None:
    bob = await kept.ask(
        "POST",
        "/v1/logs/events/events",
        token=kept.other,
        body=BROKEN,
        headers={"Content-Type": "application/json"},
    )
    for _ in range(2):
        flood = await kept.submit_batch(b"{}\n" * 1000, kind="application/x-ndjson")
        assert flood.status == 200

    shown = await kept.ask("GET", f"{LETTERS}/1")

    assert bob.status == 422
    assert shown.json()["principal"] == "shop"
    assert (await kept.letters())["count"] == 100
