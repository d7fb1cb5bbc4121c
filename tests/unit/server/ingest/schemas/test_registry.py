from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import pytest

from tallystick_merkle.event import Target, Value
from tallystick_server.errors import (
    EventError,
    IntegrityError,
    NotFoundError,
    SchemaTakenError,
    UnavailableError,
    UnprocessableError,
)
from tallystick_server.ingest.schemas import registry as module
from tallystick_server.ingest.schemas.registry import REGISTERED, Registry
from tests.fakes.intakes import make_event
from tests.unit.merkle.schemas import document
from tests.unit.server.ingest.schemas.registering import NOW_MS, Log, own_event

ID = "user.role.updated"
SHORT = {"properties": {"reason": {"type": "string", "maxLength": 3}}}
LONGER = {"properties": {"reason": {"type": "string", "maxLength": 30}}}


def head(action: str, version: int = 1, **more: str) -> dict[str, Any]:
    return {"x-tallystick": {"action": action, "version": version, **more}}


async def test_a_registration_is_an_event_with_the_whole_schema() -> None:
    log = Log()

    assert await log.register(**SHORT)

    (event,) = log.events
    details = event.extra["details"]
    assert isinstance(details, dict)
    text = details["document"]
    assert json.loads(str(text)) == document(**SHORT)
    assert event.action == REGISTERED
    assert event.targets == (Target("schema", ID, person=False),)
    assert details == {
        "id": ID,
        "version": 1,
        "action": ID,
        "digest": sha256(str(text).encode()).hexdigest(),
        "document": text,
        "by": "ops",
    }
    assert [one.registered_by for one in log.registry.entries()] == ["ops"]


async def test_what_is_registered_can_be_read_for_good() -> None:
    log = Log()
    await log.register(**SHORT)
    await log.register(2, **LONGER)

    entry = log.registry.entry(ID, 1)

    assert json.loads(entry.text) == document(**SHORT)
    assert (entry.index, entry.registered_ms) == (1, NOW_MS + 1)
    assert [one.version for one in log.registry.entries()] == [1, 2]
    assert log.registry.count == 2
    for schema_id, version in ((ID, 3), ("other", 1)):
        with pytest.raises(NotFoundError):
            log.registry.entry(schema_id, version)


async def test_the_same_document_again_writes_nothing() -> None:
    log = Log()
    await log.register(**SHORT)
    await log.register(2, **LONGER)

    assert not await log.register(**SHORT)

    assert len(log.events) == 2


async def test_another_document_of_a_version_is_refused() -> None:
    log = Log()
    await log.register(**SHORT)

    with pytest.raises(SchemaTakenError, match="register the next version"):
        await log.register(**LONGER)


@pytest.mark.parametrize(
    ("keywords", "why"),
    [
        (SHORT | head(ID, 3), "expected version 2"),
        (SHORT | head(ID, 2), "/properties/reason/maxLength: is narrower"),
        (head(ID, 2, id="roles"), f"the schema of {ID} is {ID}"),
        (head("user.created", 2, id=ID), f"schema {ID} is for {ID}"),
        (head("user.created", 2), "expected version 1"),
        (head("nonsense"), "/x-tallystick/action"),
        ({"properties": {"reason": {"pattern": "["}}, **head(ID, 2)}, "refuses it"),
    ],
)
async def test_what_is_no_next_version_is_refused_and_nothing_written(
    keywords: dict[str, Any], why: str
) -> None:
    log = Log()
    await log.register(**LONGER)

    with pytest.raises(UnprocessableError) as caught:
        await log.register(**keywords)

    assert why in caught.value.detail
    assert len(log.events) == 1


async def test_two_registrations_at_once_follow_each_other() -> None:
    log = Log()

    done = await asyncio.gather(
        log.register(**SHORT), log.register(**LONGER), return_exceptions=True
    )

    assert done[0] is True
    assert isinstance(done[1], SchemaTakenError)
    assert len(log.events) == 1


async def test_what_could_not_be_written_is_not_registered() -> None:
    log = Log()

    async def fail(
        action: str, details: Mapping[str, Value], targets: Sequence[Target]
    ) -> int:
        raise UnavailableError("read-only")

    with pytest.raises(UnavailableError):
        await log.registry.register(json.dumps(document()).encode(), fail, by="ops")

    assert log.registry.entries() == []


async def test_of_two_registrations_in_the_log_the_first_one_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, other = Log(), Log()
    await log.register(**SHORT)
    await other.register(**LONGER)

    log.registry.observe(2, other.events[0], NOW_MS)

    assert json.loads(log.registry.entry(ID, 1).text) == document(**SHORT)
    assert [record.getMessage() for record in caplog.records] == [
        "registration ignored"
    ]


async def test_only_the_server_itself_registers() -> None:
    log = Log()
    details = {"document": json.dumps(document())}

    log.registry.observe(1, own_event(REGISTERED, details, service="billing"), NOW_MS)
    log.registry.observe(2, own_event("producer.gap", details), NOW_MS)

    assert log.registry.entries() == []


@pytest.mark.parametrize("details", [{}, {"document": "{}"}, {"document": 7}])
def test_a_registration_without_a_schema_is_damage(details: dict[str, Value]) -> None:
    registry = Registry(log_name="audit", unknown="allow")

    with pytest.raises(IntegrityError, match="entry 7"):
        registry.observe(7, own_event(REGISTERED, details), NOW_MS)


async def test_a_dump_is_the_whole_state() -> None:
    log = Log()
    await log.register(**SHORT)
    await log.register(2, **LONGER)
    await log.register(**head("user.created"))
    other = Registry(log_name="audit", unknown="allow")

    other.load(json.loads(json.dumps(log.registry.dump())))

    assert other.entries() == log.registry.entries()
    assert other.admit(make_event()).event.schema == (ID, 2)


@pytest.mark.parametrize(
    "value",
    [None, {}, [1], [["{}", 1, 1, ""]], [[json.dumps(document(2)), 1, 1, ""]]],
    ids=["null", "map", "number", "empty", "second"],
)
async def test_another_dump_is_refused(value: Value) -> None:
    with pytest.raises(ValueError, match=r"expected|malformed|missing"):
        Registry(log_name="audit", unknown="allow").load(value)


async def test_the_newest_schema_of_its_action_is_written_into_an_event() -> None:
    log = Log()
    await log.register(**SHORT)
    await log.register(2, **LONGER)

    admitted = log.registry.admit(make_event())

    assert admitted.event == make_event(schema={"id": ID, "version": 2})
    assert admitted.warning == ""


async def test_an_event_may_name_an_older_version() -> None:
    log = Log()
    await log.register(**SHORT)
    await log.register(2, **LONGER)
    event = make_event(schema={"id": ID, "version": 1}, reason="why")

    assert log.registry.admit(event).event == event


@pytest.mark.parametrize(
    ("members", "pointer", "why"),
    [
        ({"reason": "much too long"}, "/reason", f"by schema {ID} version 1"),
        ({"schema": {"id": ID, "version": 2}}, "/schema", "version 2 is not"),
        ({"schema": {"id": "roles", "version": 1}}, "/schema", "roles version 1"),
        (
            {"schema": {"id": ID, "version": 1}, "action": "user.created"},
            "/schema/id",
            f"is for {ID}",
        ),
    ],
)
async def test_an_event_that_does_not_fit_is_refused_with_its_place(
    members: dict[str, Any], pointer: str, why: str
) -> None:
    log = Log()
    await log.register(**SHORT)

    with pytest.raises(EventError) as caught:
        log.registry.admit(make_event(**members))

    assert caught.value.pointer == pointer
    assert why in caught.value.detail
    assert "much too long" not in caught.value.detail


async def test_one_fault_is_told_however_many_there_are() -> None:
    log = Log()
    await log.register(properties={"reason": False, "before": False, "after": False})

    with pytest.raises(EventError) as caught:
        log.registry.admit(make_event())

    assert caught.value.detail == f"nothing is taken here, by schema {ID} version 1"


async def test_an_event_of_more_values_than_a_schema_can_check_is_refused() -> None:
    log = Log()
    shapes = [{"required": ["kind", name]} for name in ("id", "name", "at", "of")]
    nested = {"properties": {"a": {"items": {"anyOf": shapes}}}}
    await log.register(properties={"details": nested})

    with pytest.raises(EventError, match="over 5000 values to check") as caught:
        log.registry.admit(make_event(details={"a": [{}] * 15_000}))

    assert caught.value.pointer == "/details"


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ({"allOf": [{"pattern": "(a{99}){10}"}] * 5}, "patterns of"),
        ({"enum": [[{}] * 5_100]}, "checks of one value"),
    ],
)
async def test_a_schema_that_leaves_no_room_for_events_is_refused(
    reason: dict[str, Any], why: str
) -> None:
    log = Log()

    with pytest.raises(UnprocessableError, match=why):
        await log.register(properties={"reason": reason})


async def test_marks_are_given_to_the_intake_and_to_readers() -> None:
    log = Log()
    text = {"type": "string"}
    ip = {**text, "x-tallystick": {"subject": "target/0", "sensitive": True}}
    agent = {**text, "x-tallystick": {"indexed": True}}
    request = {"properties": {"ip": ip, "user_agent": agent}}
    await log.register(properties={"request": request})

    admitted = log.registry.admit(make_event())

    assert admitted.places == {"request/ip": 0}
    assert admitted.indexed == ("request/user_agent",)
    assert log.registry.sensitive((ID, 1)) == {"request/ip"}
    assert log.registry.sensitive(("other", 1)) == frozenset()


async def test_what_a_later_version_calls_sensitive_is_so_in_older_events() -> None:
    log = Log()
    mark = {"x-tallystick": {"sensitive": True}}
    await log.register(properties={"reason": {"type": "string"}})
    await log.register(2, properties={"reason": {"type": "string", **mark}})

    assert log.registry.sensitive((ID, 1)) == {"reason"}


async def test_the_servers_own_events_have_no_schema() -> None:
    log = Log("refuse")
    event = own_event("producer.gap", {})

    assert log.registry.admit(event).event == event


def test_unknown_actions_are_taken_where_the_log_allows_them() -> None:
    admitted = Log("allow").registry.admit(make_event())

    assert admitted.event == make_event()
    assert admitted.warning == ""


def test_unknown_actions_are_refused_where_the_log_says_so() -> None:
    with pytest.raises(EventError, match=f"no schema is registered for {ID}") as caught:
        Log("refuse").registry.admit(make_event())

    assert caught.value.pointer == "/action"


def test_unknown_actions_are_counted_and_told_each_time_they_are_ten_times_as_many(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Log("warn").registry

    with caplog.at_level(logging.WARNING):
        warnings = {registry.admit(make_event()).warning for _ in range(120)}

    assert warnings == {f"no schema is registered for {ID}"}
    told = [vars(record) for record in caplog.records]
    assert [(one["action"], one["count"]) for one in told] == [
        (ID, 1),
        (ID, 10),
        (ID, 100),
    ]


def test_the_names_that_are_counted_are_bounded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Log("warn").registry

    for number in range(module.MAX_COUNTED + 20):
        registry.admit(make_event(action=f"user.act{number}"))

    last = vars(caplog.records[-1])
    assert (last["action"], last["count"]) == ("others", 10)


async def test_schemas_that_were_not_used_lately_are_compiled_again() -> None:
    log = Log()
    actions = [f"user.act{number}" for number in range(module.MAX_COMPILED + 1)]
    for action in actions:
        await log.register(**head(action), **SHORT)
    for action in actions:
        log.registry.admit(make_event(action=action, reason="why"))

    with pytest.raises(EventError, match="maxLength 3"):
        log.registry.admit(make_event(action=actions[0]))


async def test_a_log_has_a_bounded_number_of_schemas() -> None:
    log = Log()
    rows: list[Value] = [
        [json.dumps(document(**head(f"user.act{number}"))), 1, 1, "ops"]
        for number in range(module.MAX_SCHEMAS)
    ]
    log.registry.load(rows)

    with pytest.raises(UnprocessableError, match=f"at most {module.MAX_SCHEMAS}"):
        await log.register(**SHORT)
