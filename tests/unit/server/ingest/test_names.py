"""Names of keys: one for each subject, whatever it did, and none of two things."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tallystick_merkle import canonical
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.layout import lay_out
from tallystick_merkle.tags import MAX_TAGS, Dimension
from tallystick_server.ingest.names import (
    EventNames,
    dead_letters_name,
    month_of,
    name_event,
    period_of,
)
from tests.fakes.intakes import TENANT, make_event
from tests.unit.merkle.events import Json, json_events

MONTH = "2026-11/0"


def names_of(*, indexed: tuple[str, ...] = (), **members: Any) -> EventNames:  # noqa: ANN401 -- any member
    event = make_event(1, **members)
    layout = lay_out(event, tenant=TENANT)
    return name_event(event, layout, tenant=TENANT, month=MONTH, indexed=indexed)


def read(name: bytes) -> object:
    return canonical.decode(name)


def test_each_group_and_each_tag_has_the_name_that_it_should() -> None:
    names = names_of()

    alice = [TENANT, "subject", "user", "alice@example.com"]
    bob = [TENANT, "subject", "user", "bob@example.com"]
    assert [read(name) for name in names.groups] == [
        [TENANT, "facts", MONTH],
        alice,
        bob,
    ]
    assert [(dimension, read(name)) for dimension, name in names.tags] == [
        (Dimension.ACTOR, alice),
        (Dimension.ACTION, [TENANT, "action", "user.role.updated"]),
        (Dimension.PRODUCER, [TENANT, "producer", "billing"]),
        (Dimension.TARGET, bob),
        (Dimension.TARGET, [TENANT, "thing", "project", "apollo"]),
    ]


def test_a_subject_has_one_name_whether_it_acts_or_is_acted_upon() -> None:
    bob = {"type": "user", "id": "bob@example.com"}
    acting = names_of(actor=bob, targets=[])
    suffering = names_of()

    assert acting.groups[1] == suffering.groups[2]


def test_a_field_that_is_indexed_has_a_name_by_its_value() -> None:
    names = names_of(indexed=("details/ticket/id", "request/ip", "not/there"))

    assert [read(name) for dimension, name in names.tags[5:]] == [
        [TENANT, "field", ["request/ip", "203.0.113.77"]],
        [TENANT, "field", ["details/ticket/id", "OPS-4711"]],
    ]
    assert {dimension for dimension, _ in names.tags[5:]} == {Dimension.FIELD}


def test_the_most_that_an_event_can_be_about_has_a_tag_each() -> None:
    targets = [{"type": "user", "id": f"u{number}"} for number in range(10)]
    indexed = ("details/ticket/id", "details/ticket/urgent", "request/ip")

    names = names_of(targets=targets, indexed=indexed)

    assert len(names.tags) == len(set(names.tags)) == MAX_TAGS


def test_more_than_an_event_can_be_about_is_not_left_out_in_silence() -> None:
    targets = [{"type": "user", "id": f"u{number}"} for number in range(10)]
    indexed = ("details/ticket/id", "details/ticket/urgent", "request/ip", "reason")

    with pytest.raises(ValueError, match="at most 16 tags, came 17"):
        names_of(targets=targets, indexed=indexed)


@given(json_events())
def test_whatever_the_event_its_names_are_those_of_its_groups(body: Json) -> None:
    event = parse_event(body, service=None)
    layout = lay_out(event, tenant=TENANT)

    names = name_event(event, layout, tenant=TENANT, month=MONTH)

    assert len(names.groups) == len(layout.groups) == len(set(names.groups))
    for name in (*names.groups, *[name for _, name in names.tags]):
        value = read(name)
        assert isinstance(value, list)
        assert canonical.encode(value) == name


def test_another_tenant_has_other_names() -> None:
    event = make_event(1)
    layout = lay_out(event, tenant="other")
    others = name_event(event, layout, tenant="other", month=MONTH)
    names = names_of()

    assert set(others.groups).isdisjoint(names.groups)
    assert dead_letters_name("other") != dead_letters_name(TENANT)
    assert dead_letters_name(TENANT) not in names.groups


def test_months_are_those_of_utc() -> None:
    hours = {
        "1970-01": 0,
        "2024-02": 1_709_247_600_000,  # 29 February 2024, 23:00
        "2024-03": 1_709_251_200_000,
        "9999-12": 253_402_297_200_000,
    }

    assert {name: month_of(time_ms) for name, time_ms in hours.items()} == {
        name: name for name in hours
    }


def test_the_facts_of_a_month_have_a_key_for_each_part_of_a_log() -> None:
    """So that no key seals more messages than it may."""
    hour = 1_709_247_600_000

    assert period_of(hour, 0) == period_of(hour + 59, 2**24 - 1) == "2024-02/0"
    assert period_of(hour, 2**24) == "2024-02/1"
    assert period_of(hour, 2**40) == "2024-02/65536"
    assert period_of(hour + 3_600_000, 2**24) == "2024-03/1"
