"""Schemas over HTTP: registered, listed, read for good, and applied to events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.schema import MAX_INPUT, parse_schema
from tests.fakes.openapi import described, faults, strict
from tests.fakes.web import Reply
from tests.unit.merkle.schemas import document
from tests.unit.server.web.keeping import API, KeptLog

SCHEMAS = f"{API}/schemas"
ID = "user.role.updated"
SHORT = {"properties": {"reason": {"type": "string", "maxLength": 3}}}
LONG = {"properties": {"reason": {"type": "string", "maxLength": 30}}}
STRICT = strict(described())


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[KeptLog]:
    async with KeptLog(tmp_path) as kept:
        yield kept


async def post(
    kept: KeptLog,
    schema: dict[str, Any],
    *,
    kind: str = "application/schema+json",
    token: str | None = None,
) -> Reply:
    return await kept.ask(
        "POST",
        SCHEMAS,
        token=token,
        body=json.dumps(schema).encode(),
        headers={"Content-Type": kind},
    )


async def test_a_schema_is_registered_by_an_event_of_the_log(kept: KeptLog) -> None:
    reply = await post(kept, document(**LONG))

    said = reply.json()
    (opened,) = await kept.intake.records.read(said["index"], said["index"] + 1)
    assert reply.status == 201
    assert faults(STRICT, {"$ref": "#/components/schemas/RegisteredSchema"}, said) == []
    assert opened.event is not None
    assert opened.event.action == "schema.registered"
    assert opened.event.producer.service == "tallystick"
    details = opened.event.extra["details"]
    assert isinstance(details, dict)
    assert details["digest"] == said["digest"]
    assert details["by"] == said["registered_by"] == "keeper"


async def test_the_same_document_again_is_the_same_schema(kept: KeptLog) -> None:
    first = await post(kept, document(**LONG))
    size = kept.bench.log.head.size
    again = await post(
        kept, dict(reversed(document(**LONG).items())), kind="application/json"
    )

    assert (first.status, again.status) == (201, 200)
    assert again.json() == first.json()
    assert kept.bench.log.head.size == size


async def test_another_document_of_a_version_is_a_conflict(kept: KeptLog) -> None:
    await post(kept, document(**LONG))

    reply = await post(kept, document(**SHORT))

    assert reply.is_problem(409, "schema-taken")


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (document(2, **SHORT), "/properties/reason/maxLength: is narrower"),
        (document(3), "expected version 2"),
        ({"type": "object"}, "/x-tallystick"),
        (document(2, properties={"reason": {"pattern": "(?=a)"}}), "/properties/re"),
    ],
)
async def test_what_cannot_be_registered_is_refused_with_its_place(
    kept: KeptLog, schema: dict[str, Any], why: str
) -> None:
    await post(kept, document(**LONG))

    reply = await post(kept, schema)

    assert reply.is_problem(422, "unprocessable")
    assert why in reply.json()["detail"]


async def test_all_schemas_are_listed(kept: KeptLog) -> None:
    first = await post(kept, document(**SHORT))
    second = await post(kept, document(2, **LONG))

    reply = await kept.ask("GET", SCHEMAS)

    listed = {"$ref": "#/components/schemas/RegisteredSchemas"}
    assert reply.json()["schemas"] == [first.json(), second.json()]
    assert faults(STRICT, listed, reply.json()) == []


async def test_a_document_is_served_for_good(kept: KeptLog) -> None:
    await post(kept, document(**SHORT))
    await post(kept, document(2, **LONG))

    reply = await kept.ask("GET", f"{SCHEMAS}/{ID}/1")

    assert reply.headers["content-type"] == "application/schema+json"
    assert reply.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert parse_schema(reply.body).document == document(**SHORT)


@pytest.mark.parametrize(
    "path", ["/user.role.updated/2", "/user.role.updated/01", "/none/1", "/none/x"]
)
async def test_a_schema_that_is_not_there_is_not_found(
    kept: KeptLog, path: str
) -> None:
    await post(kept, document(**SHORT))

    reply = await kept.ask("GET", SCHEMAS + path)

    assert reply.is_problem(404, "not-found")


async def test_only_administrators_register_and_every_token_reads(
    kept: KeptLog,
) -> None:
    for token in (kept.emit, kept.read, "nonsense"):
        refused = await post(kept, document(), token=token)
        assert refused.is_problem(401, "unauthorized")
    await post(kept, document())

    for path in (SCHEMAS, f"{SCHEMAS}/{ID}/1"):
        statuses = [
            (await kept.ask("GET", path, token=token)).status
            for token in (kept.emit, kept.read, kept.admin, "nonsense")
        ]
        assert statuses == [200, 200, 200, 401]


async def test_another_content_type_and_a_long_body_are_refused(kept: KeptLog) -> None:
    other = await post(kept, document(), kind="text/plain")
    long = await post(kept, document(title="a" * MAX_INPUT))

    assert other.is_problem(415, "unsupported-type")
    assert long.is_problem(413, "too-large")


async def test_registrations_at_once_follow_each_other(kept: KeptLog) -> None:
    replies = await asyncio.gather(
        *(post(kept, document(**one)) for one in (SHORT, LONG, SHORT, LONG))
    )

    statuses = sorted(reply.status for reply in replies)
    assert statuses == [200, 201, 409, 409]
    assert kept.intake.registry.count == 1


async def test_an_event_is_checked_and_carries_the_schema_that_it_fits(
    kept: KeptLog,
) -> None:
    await post(kept, document(**SHORT))

    refused = await kept.submit_event(1, reason="much too long")
    taken = await kept.submit_event(2, reason="why")

    (opened,) = await kept.intake.records.read(
        taken.json()["index"], taken.json()["index"] + 1
    )
    assert refused.is_problem(422, "invalid-event")
    assert refused.json()["errors"][0]["pointer"] == "/reason"
    assert taken.status == 201
    assert opened.event is not None
    assert opened.event.schema == (ID, 1)


async def test_what_is_sensitive_is_hidden_from_readers(kept: KeptLog) -> None:
    mark = {"x-tallystick": {"sensitive": True}}
    await post(kept, document(properties={"request": {"type": "object", **mark}}))
    taken = (await kept.submit_event(2)).json()

    path = f"{API}/events/{taken['event_id']}"
    shown = (await kept.ask("GET", path, token=kept.read)).json()

    assert shown["hidden"] == ["request/ip", "request/user_agent"]
    assert "request" not in shown["event"]


async def test_schemas_are_there_again_after_a_start(
    kept: KeptLog, tmp_path: Path
) -> None:
    await post(kept, document(**SHORT))
    await post(kept, document(2, **LONG))
    other = type(kept.intake.registry)(log_name="again", unknown="allow")

    for opened in await kept.intake.records.read(0, kept.bench.log.head.size):
        if opened.event is not None:
            other.observe(opened.index, opened.event, opened.received_ms)

    assert other.entries() == kept.intake.registry.entries()
