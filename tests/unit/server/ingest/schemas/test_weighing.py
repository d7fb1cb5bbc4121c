from __future__ import annotations

import pytest

from tallystick_merkle.errors import MalformedError
from tallystick_server.ingest.schemas.weighing import (
    MAX_CHECKS,
    MAX_STEPS,
    MAX_VALUES,
    MAX_WEIGHT_STATES,
    MAX_WEIGHT_VALUES,
    Weight,
    check_weight,
    count_states,
    find_excess,
    weigh_schema,
)
from tests.fakes.intakes import event_json
from tests.unit.merkle.schemas import Node, details

ENVELOPE_VALUES = 100
"""More values than an event has beside its details."""


@pytest.mark.parametrize(
    ("node", "weight"),
    [
        (True, (1, 0)),
        ({}, (1, 0)),
        ({"type": "string", "maxLength": 3}, (1, 0)),
        ({"items": {"anyOf": [{}, {}, {}]}}, (5, 0)),
        ({"properties": {"a": {}, "b": {"not": {}}}}, (4, 0)),
        ({"$ref": {"items": {}}}, (3, 0)),
        ({"required": ["a", "b"]}, (3, 0)),
        ({"enum": list(range(64))}, (10, 0)),
        ({"const": {"a": {"b": 1}}}, (4, 0)),
        ({"pattern": "^a{5}$"}, (1, 8)),
        ({"patternProperties": {"^a": {}, "^b": {}}}, (3, 6)),
        ({"anyOf": [{}, {}], "unevaluatedProperties": False}, (12, 0)),
        ({"allOf": [{"unevaluatedItems": False}], "unevaluatedItems": {}}, (24, 0)),
    ],
)
def test_a_schema_weighs_all_that_one_value_may_have_to_pass(
    node: Node, weight: tuple[int, int]
) -> None:
    assert weigh_schema(node) == weight


@pytest.mark.parametrize(
    ("pattern", "states"),
    [
        ("", 1),
        ("abc", 4),
        ("a*b+c?", 4),
        ("[abc]", 2),
        (r"[\]a]{3}", 4),
        (r"\d{4}-\d{2}", 8),
        ("a{2,}", 3),
        ("a{,2}", 6),
        ("(ab){3}", 10),
        ("((ab){3}c){10}", 111),
        (r"\({2}", 3),
        (r"\p{Lu}{7}", 8),
        ("a|b", 3),
    ],
)
def test_states_are_counted_with_repetitions_counted_out(
    pattern: str, states: int
) -> None:
    assert count_states(pattern) == states


def test_values_are_counted_however_they_are_nested() -> None:
    light = Weight(1, 0)
    many = event_json(details={"a": [[{}]] * MAX_VALUES})

    assert find_excess(event_json(details={"a": [0] * 4_000}), light) is None
    assert find_excess(many, light) == (
        "/details",
        f"over {MAX_VALUES} values to check",
    )


def test_the_heavier_a_schema_is_the_fewer_values_an_event_may_have() -> None:
    heavy = Weight(MAX_CHECKS // 500, 0)

    assert find_excess(event_json(details={"a": [0] * 400}), heavy) is None
    assert find_excess(event_json(details={"a": [0] * 500}), heavy) == (
        "/details",
        "over 500 values to check",
    )


@pytest.mark.parametrize("text", ["x" * 10_001, "é" * 5_001, {"x" * 10_001: 0}])
def test_the_more_states_patterns_have_the_less_text_an_event_may_have(
    text: object,
) -> None:
    heavy = Weight(1, MAX_STEPS // 10_000)

    assert find_excess(event_json(details={"a": "x" * 9_000}), heavy) is None
    assert find_excess(event_json(details={"a": text}), heavy) == (
        "/details",
        "over 10000 bytes of text to check",
    )


@pytest.mark.parametrize(
    "weight", [Weight(MAX_WEIGHT_VALUES + 1, 0), Weight(1, MAX_WEIGHT_STATES + 1)]
)
def test_a_schema_that_leaves_no_room_for_events_is_refused(weight: Weight) -> None:
    with pytest.raises(MalformedError, match="at most"):
        check_weight(weight)


def test_the_heaviest_schema_leaves_room_for_ordinary_events() -> None:
    heaviest = Weight(MAX_WEIGHT_VALUES, MAX_WEIGHT_STATES)

    check_weight(heaviest)
    assert (
        find_excess(event_json(details={"a": "x" * 500, "b": [1] * 40}), heaviest)
        is None
    )
    assert MAX_CHECKS // MAX_WEIGHT_VALUES == ENVELOPE_VALUES


def test_references_weigh_as_often_as_they_are_followed() -> None:
    shape = {"required": ["a", "b", "c"]}
    once = weigh_schema(details(1, {"a": shape}).root)
    thrice = weigh_schema(details(1, {"a": {"allOf": [shape, shape, shape]}}).root)

    assert thrice.values - once.values == 2 * 4 + 1
