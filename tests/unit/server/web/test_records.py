"""Events shown to readers: what is hidden, what is gone, and page by page."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Status, check_receipt, parse_receipt
from tallystick_server.web.eventquery import DEFAULT_EVENTS
from tests.fakes.cosigned import policy
from tests.fakes.intakes import event_json
from tests.unit.merkle.schemas import document
from tests.unit.server.web.answered import (
    fits,
    lose,
    path_of,
    submit,
)
from tests.unit.server.web.keeping import API, KeptLog


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[KeptLog]:
    async with KeptLog(tmp_path, policy=policy()) as log:
        yield log


async def keep_secret(log: KeptLog, **members: Any) -> None:  # noqa: ANN401 -- JSON
    """Register a schema by which the members of the details are sensitive."""
    named = {name: {"x-tallystick": {"sensitive": True}} for name in members}
    body = document(properties={"details": {"type": "object", "properties": named}})
    reply = await log.ask(
        "POST",
        f"{API}/schemas",
        body=json.dumps(body).encode(),
        headers={"Content-Type": "application/schema+json"},
    )
    assert reply.status == 201


async def test_an_event_is_shown_as_it_was_sent_with_a_receipt(log: KeptLog) -> None:
    taken = (await log.submit(json.dumps(event_json(1)).encode())).json()

    reply = await log.show(path_of(1))

    shown = reply.json()
    expected = event_json(1)
    expected["producer"] = {"epoch": 0, **expected["producer"]}
    expected["targets"][0]["person"] = True
    assert fits(reply, "EventShown")
    assert shown["event"] == expected
    assert (shown["hidden"], shown["erased"]) == ([], [])
    for name in ("index", "leaf", "leaf_hash", "event_id", "received_at"):
        assert shown[name] == taken[name]
    verdict = check_receipt(
        parse_receipt(shown["receipt"].encode()),
        leaf=leaf_hash(b64decode(shown["leaf"])),
        policy=policy(),
    )
    assert (verdict.status, shown["status"]) == (Status.PROMISED, "promised")
    assert reply.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in reply.headers


async def test_once_it_is_published_its_receipt_is_witnessed(log: KeptLog) -> None:
    await submit(log, 1)
    await log.publish()
    await submit(log, 2)

    first, second = await log.show(path_of(1)), await log.show(path_of(2))

    assert (first.json()["status"], first.json()["size"]) == ("witnessed", 2)
    assert (second.json()["status"], second.json()["size"]) == ("promised", 3)
    leaf = leaf_hash(b64decode(first.json()["leaf"]))
    receipt = parse_receipt(first.json()["receipt"].encode())
    verdict = check_receipt(receipt, leaf=leaf, policy=policy())
    assert verdict.status is Status.WITNESSED


async def test_no_reader_is_given_an_opening(log: KeptLog) -> None:
    taken = (await log.submit(json.dumps(event_json(1)).encode())).json()

    for rest in ("", path_of(1), f"{path_of(1)}?fields=action", "?sensitive=shown"):
        body = (await log.show(rest)).body.decode()

        assert "opening" not in body
        for seed in taken["opening"]["seeds"]:
            assert seed not in body


@pytest.mark.parametrize(
    "name",
    ["0197f0c2-7a11-7abc-8def-000000000002", "0197F0C2", "x", "~", "0" * 300],
)
async def test_what_is_not_there_has_one_answer(log: KeptLog, name: str) -> None:
    await submit(log, 1)

    reply = await log.ask(
        "GET",
        f"{API}/events/{name}",
        token=log.read,
        headers={"X-Request-ID": "one"},
    )
    other = await log.ask(
        "GET",
        "/v1/logs/none/events/x",
        token=log.read,
        headers={"X-Request-ID": "one"},
    )

    assert reply.is_problem(404, "not-found")
    assert reply.body == other.body


async def test_only_a_token_that_may_read_sees_events(log: KeptLog) -> None:
    await submit(log, 1)

    for rest in ("", path_of(1), path_of(2), f"{path_of(1)}?fields=action", "?x"):
        for token in ("", log.emit, log.admin, "tks_x"):
            reply = await log.ask("GET", f"{API}/events{rest}", token=token)

            assert reply.is_problem(401, "unauthorized")


async def test_what_is_sensitive_is_shown_to_who_asks_for_it(log: KeptLog) -> None:
    await keep_secret(log, ticket={})
    await submit(log, 1)

    for usual in ("", "?sensitive=hidden"):
        hidden = (await log.show(path_of(1) + usual)).json()
        assert hidden["hidden"] == ["details/ticket/id", "details/ticket/urgent"]
        assert "details" not in hidden["event"]
        assert "OPS-4711" not in json.dumps(hidden)
    shown = (await log.show(f"{path_of(1)}?sensitive=shown")).json()
    assert shown["hidden"] == []
    assert shown["event"]["details"] == event_json(1)["details"]


async def test_a_page_hides_what_is_sensitive_too(log: KeptLog) -> None:
    await keep_secret(log, ticket={})
    await submit(log, 1)

    (_, hidden) = (await log.show("")).json()["events"]
    (_, shown) = (await log.show("?sensitive=shown")).json()["events"]

    assert hidden["hidden"] == ["details/ticket/id", "details/ticket/urgent"]
    assert "details" not in hidden["event"]
    assert shown["event"]["details"] == event_json(1)["details"]


async def test_where_nothing_tells_the_schema_all_that_is_free_is_hidden(
    log: KeptLog,
) -> None:
    await submit(log, 1)
    await lose(log, 1, 0)

    reply = await log.show(path_of(1))

    shown = reply.json()
    assert fits(reply, "EventShown")
    assert shown["erased"] == [0]
    assert "request/ip" in shown["hidden"]
    assert shown["event"] == {"actor": event_json(1)["actor"]}
    whole = (await log.show(f"{path_of(1)}?sensitive=shown")).json()
    assert whole["event"]["request"] == event_json(1)["request"]


async def test_who_was_erased_is_left_out_and_the_rest_stands(log: KeptLog) -> None:
    await submit(log, 1)
    await lose(log, 1, 1)

    reply = await log.show(path_of(1))

    shown = reply.json()
    assert fits(reply, "EventShown")
    assert shown["erased"] == [1]
    assert "alice" not in reply.body.decode()
    assert shown["event"]["action"] == "user.role.updated"
    assert shown["event"]["targets"] == [
        {"type": "user", "id": "bob@example.com", "person": True},
        {"type": "project"},
    ]
    assert (await log.show("")).json()["events"][0]["erased"] == [1]


async def test_events_come_in_the_order_of_the_log_page_by_page(log: KeptLog) -> None:
    await submit(log, *range(7))
    seen: list[str] = []
    after, pages = "", 0

    while True:
        reply = await log.show(f"?limit=3{after}")
        page = reply.json()
        assert fits(reply, "EventPage")
        seen += [one["event_id"] for one in page["events"]]
        pages += 1
        if not page["has_more"]:
            break
        after = f"&after={page['next_after']}"

    assert seen == [event_json(number)["event_id"] for number in range(7)]
    assert (pages, page["next_after"], page["size"]) == (3, 7, 8)


async def test_after_the_end_there_is_nothing(log: KeptLog) -> None:
    await submit(log, 1)

    for after in (1, 2, 99, 2**53):
        reply = await log.show(f"?after={after}")

        assert reply.json() == {
            "events": [],
            "next_after": after,
            "size": 2,
            "has_more": False,
        }


async def test_a_log_without_events_has_an_empty_page(log: KeptLog) -> None:
    page = (await log.show("")).json()

    assert page == {"events": [], "next_after": 0, "size": 1, "has_more": False}


async def test_a_page_has_a_hundred_events_where_nothing_is_said(
    log: KeptLog,
) -> None:
    await submit(log, *range(DEFAULT_EVENTS + 1))

    page = (await log.show("")).json()

    assert (len(page["events"]), page["has_more"]) == (DEFAULT_EVENTS, True)


async def test_a_page_ends_before_it_grows_too_large(log: KeptLog) -> None:
    long = {f"{number}": "x" * 16_000 for number in range(3)}
    for start in range(0, 100, 50):
        events = [event_json(n, details=long) for n in range(start, start + 50)]
        body = "\n".join(map(json.dumps, events)).encode()
        assert (await log.submit_batch(body, kind="application/x-ndjson")).status == 200

    first = await log.show("?limit=1000")
    page = first.json()
    second = (await log.show(f"?limit=1000&after={page['next_after']}")).json()

    assert 3_900_000 < len(first.body) < 4 * 1024 * 1024 + 1024
    assert page["has_more"]
    assert second["events"][0]["index"] == page["events"][-1]["index"] + 1
    assert not second["has_more"]


@pytest.mark.parametrize(
    "query",
    [
        "?limit=0", "?limit=1001", "?limit=x", "?after=-1", "?after=01", "?after=",
        "?sensitive=yes", "?sensitive=", "?fields=action", "?limit=1&limit=1",
        f"?after={2**64}", "?after=%31",
    ],
)  # fmt: skip
async def test_a_page_that_cannot_be_is_refused(log: KeptLog, query: str) -> None:
    assert (await log.show(query)).is_problem(400, "bad-request")
