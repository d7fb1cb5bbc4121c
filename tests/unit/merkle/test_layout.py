"""Fields stand where the reference puts them, and can be put together again."""

from typing import Any

import pytest
from hypothesis import given

from tallystick_merkle import canonical
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.layout import (
    CORE,
    RESERVED,
    assemble,
    core_name,
    lay_out,
    names_digest,
)
from tests.reference import ev1
from tests.reference import ev1_disclosure as disclosure
from tests.reference.ev1_layout import groups_of
from tests.unit.merkle.events import PLACED, PLACES, TENANT, Json, example, json_events

Groups = list[dict[str, Any] | None]


def laid_out(event: Json, places: dict[str, int] | None = None) -> list[list[Any]]:
    """The groups of an event, decoded."""
    layout = lay_out(parse_event(event), tenant=TENANT, places=places)
    for group in layout.groups:
        assert [canonical.decode(pair)[0] for pair in group.pairs] == list(group.names)
    return [[canonical.decode(pair) for pair in group.pairs] for group in layout.groups]


def known(event: Json, places: dict[str, int] | None = None) -> Groups:
    """What is known of an event whose groups can all be read."""
    return [dict(group) for group in laid_out(event, places)]


@given(json_events(), PLACED)
def test_every_field_is_where_the_reference_puts_it(
    event: Json, places: dict[str, int]
) -> None:
    expected = groups_of(event, tenant=TENANT, places=places)

    assert laid_out(event, places) == [list(map(list, group)) for group in expected]


@given(json_events(), PLACED)
def test_an_event_can_be_put_together_again(
    event: Json, places: dict[str, int]
) -> None:
    body = assemble(known(event, places))

    assert parse_event(body) == parse_event(event)


def test_what_cannot_be_read_is_left_out() -> None:
    facts, _, target = known(example(), PLACES)

    body = assemble([facts, None, target])

    assert "actor" not in body
    assert "request" not in body
    assert body["after"] == {"role": "admin"}
    assert body["targets"] == [
        {"type": "user", "id": "bob@example.com", "person": True},
        {"type": "project"},
    ]
    assert assemble([None, None, target]) == {
        "before": {"role": "viewer"}, "after": {"role": "admin"},
    }  # fmt: skip
    assert assemble([]) == {}


def test_a_person_who_cannot_be_read_is_a_target_without_id() -> None:
    facts, actor, _ = known(example(), PLACES)

    assert assemble([facts, actor, None])["targets"] == [
        {"type": "user", "person": True},
        {"type": "project", "id": "apollo"},
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"details/a": 1, "details/a/b": 2},
        {"details/a/b": 2, "details/a": 1},
        {"details/~2": 1},
    ],
    ids=["a-value-then-a-map", "a-map-then-a-value", "no-escape"],
)
def test_names_that_contradict_each_other_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(MalformedError):
        assemble([None, fields])


def test_a_value_in_two_groups_is_refused() -> None:
    with pytest.raises(MalformedError, match="a value and a map"):
        assemble([None, {"reason": "a"}, {"reason": "b"}])


def test_the_places_are_those_of_the_reference() -> None:
    for group in range(4):
        for slot in range(14):
            assert core_name(group, slot) == disclosure.place_of(group, slot)
    assert CORE == disclosure.GROUP_0
    assert disclosure.CORE == RESERVED


def test_the_digest_of_names_is_that_of_the_reference() -> None:
    names = ["actor", "names", "reason"]

    assert names_digest(names) == ev1.names_digest(names)


def test_the_id_of_a_thing_stays_with_the_actor() -> None:
    groups = laid_out(example(), {"targets": 0, "targets/1": 0})

    assert ["targets/1", "apollo"] in groups[1]


def test_the_order_of_two_persons_is_that_of_their_first_mention() -> None:
    event = example()
    carol, bob = {"type": "user", "id": "carol"}, {"type": "user", "id": "bob"}
    event["targets"] = [carol, bob, carol, {"type": "user", "id": "alice@example.com"}]

    layout = lay_out(parse_event(event), tenant=TENANT)

    groups = laid_out(event)
    assert dict(groups[0])["targets"] == [
        ["user", 2],
        ["user", 3],
        ["user", 2],
        ["user", 1],
    ]
    assert [person.id for person in layout.persons] == ["carol", "bob"]
    assert [group[0][1][1] for group in groups[2:]] == ["carol", "bob"]


def test_a_group_does_not_print_its_values() -> None:
    actor = lay_out(parse_event(example()), tenant=TENANT).groups[1]

    assert "request/ip" in repr(actor)
    assert "203.0.113.9" not in repr(actor)
