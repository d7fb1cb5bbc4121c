"""The opening: with it and the event, a leaf is derived again, and fields are shown."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tallystick_merkle.disclosure import check_disclosure, disclose
from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.opening import (
    Opening,
    check_opening,
    format_opening,
    open_layout,
    parse_opening,
    relay,
)
from tests.reference import ev1
from tests.unit.merkle.events import PLACED, TENANT, Json, example, json_events
from tests.vectors.ev1events import Sealed, base, seal

BASE = base()


def opening_of(sealed: Sealed) -> Opening:
    event = parse_event(sealed.origin["event"])
    return Opening(
        tuple(sealed.seeds),
        sealed.entry,
        TENANT,
        event.producer.service,
        event.schema,
        sealed.origin["places"],
    )


GOOD = opening_of(BASE)
EVENT = parse_event(example())
LEAF = parse_leaf(BASE.leaf)


@given(json_events(), PLACED)
def test_every_leaf_is_derived_again(event: Json, places: dict[str, int]) -> None:
    sealed = seal(event, places=places)
    leaf = parse_leaf(sealed.leaf)
    opening = opening_of(sealed)
    assert parse_opening(format_opening(opening)) == opening

    layout = check_opening(parse_event(event), opening, leaf)

    shown = disclose(open_layout(layout, opening), ["actor"])
    assert check_disclosure(shown, leaf).fields["actor"] == [
        event["actor"]["type"], event["actor"]["id"],
    ]  # fmt: skip


def test_what_the_log_added_is_added_again() -> None:
    bare = replace(EVENT, producer=EVENT.producer._replace(service=""), schema=None)

    assert check_opening(bare, GOOD, LEAF) == relay(EVENT, GOOD)


@pytest.mark.parametrize(
    ("opening", "why"),
    [
        (replace(GOOD, service="billing"), "another producer"),
        (replace(GOOD, schema=("user.role", 4)), "another schema"),
        (replace(GOOD, schema=None), "another schema"),
        (replace(GOOD, tenant="tenant-8"), "another event"),
        (replace(GOOD, places={}), "another event"),
        (replace(GOOD, seeds=GOOD.seeds[::-1]), "another event"),
        (replace(GOOD, seeds=GOOD.seeds[:2]), "2 seeds for 3 groups"),
        (replace(GOOD, index_entry=ev1.index_entry(0, [bytes(16)])), "index entry"),
    ],
    ids=["service", "schema", "no-schema", "tenant", "places", "seeds", "few", "tags"],
)
def test_an_opening_of_something_else_is_refused(opening: Opening, why: str) -> None:
    with pytest.raises(ProofError, match=why):
        check_opening(EVENT, opening, LEAF)


def test_an_event_of_something_else_is_refused() -> None:
    event = parse_event(example() | {"reason": "revenge"})

    with pytest.raises(ProofError, match="another event"):
        check_opening(event, GOOD, LEAF)


def test_an_opening_does_not_print_its_secrets() -> None:
    assert GOOD.seeds[0].hex() not in repr(GOOD)
    assert repr(GOOD.seeds[0]) not in repr(GOOD)
    assert repr(GOOD.index_entry) not in repr(GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"seeds": None},
        {"seeds": ["00" * 16]},
        {"seeds": ["00" * 16] * 13},
        {"seeds": ["00" * 15] * 2},
        {"seeds": [b"0" * 16] * 2},
        {"seeds": ["0G" * 16] * 2},
        {"seeds": ["AB" * 16] * 2},
        {"seeds": ["00" * 16 + "\n"] * 2},
        {"index_entry": ""},
        {"index_entry": "00"},
        {"index_entry": "0" * 1026},
        {"index_entry": None},
        {"tenant": None},
        {"service": 7},
        {"schema": {"id": "a"}},
        {"schema": {"id": 1, "version": 1}},
        {"schema": {"id": "a", "version": True}},
        {"schema": "a"},
        {"places": []},
        {"places": {"before": -1}},
        {"places": {"before": 10}},
        {"places": {"before": True}},
        {"places": {1: 1}},
        {"places": {f"n{at}": 0 for at in range(65)}},
    ],
    ids=str,
)
def test_an_opening_out_of_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_opening(format_opening(GOOD) | change)


@pytest.mark.parametrize("value", [None, [], "opening", {}], ids=str)
def test_anything_else_is_no_opening(value: object) -> None:
    with pytest.raises(MalformedError, match="opening"):
        parse_opening(value)


def test_an_opening_without_schema_and_places_is_read() -> None:
    plain = replace(GOOD, schema=None, places={})

    assert parse_opening(format_opening(plain)) == plain
