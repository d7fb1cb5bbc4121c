from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.schema_compare import narrowings
from tests.unit.merkle.schemas import DEFS, NODES, VALUES, Node, schema

MANY_VALUES = st.lists(VALUES, min_size=1, max_size=12)
_DROPPED = object()


def opened(node: Node) -> Node:
    """The schema with its references followed."""
    made = schema(**{"properties": {"details": node}, "$defs": DEFS})
    root: dict[str, Any] = made.root["properties"]
    found: Node = root["details"]
    return found


def judge(node: Node) -> Draft202012Validator:
    """What another implementation says of a schema."""
    whole = {"$defs": DEFS, "allOf": [node]}
    return Draft202012Validator(whole, offline=True)


@st.composite
def changed(draw: st.DrawFn, node: Any) -> Any:  # noqa: ANN401 -- any value of JSON
    """A value with something changed in a few places: the next version, or not."""
    if isinstance(node, dict):
        kept = {name: draw(changed(value)) for name, value in node.items()}
        found = {name: value for name, value in kept.items() if value is not _DROPPED}
        return found if draw(st.integers(0, 7)) else _DROPPED
    if isinstance(node, list):
        return [value for one in node if (value := draw(changed(one))) is not _DROPPED]
    if draw(st.integers(0, 3)):
        return node
    if isinstance(node, bool):
        return not node
    if isinstance(node, int):
        return node + draw(st.integers(-1, 1))
    return node


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Node, Node]:
    """A schema and one that came from it, or one that has nothing to do with it."""
    old = draw(NODES)
    how = draw(st.integers(0, 5))
    if how == 0:
        return old, draw(NODES)
    new = draw(changed(old))
    if new is _DROPPED:
        return old, {}
    if how == 1:
        return {"allOf": [old, draw(NODES)]}, new
    if how == 2:
        return old, {"anyOf": [draw(NODES), new]}
    if how == 3:
        return {"anyOf": [old, draw(NODES)]}, {"anyOf": [draw(NODES), new]}
    return old, new


@settings(max_examples=300)
@given(pairs(), MANY_VALUES)
def test_what_was_valid_stays_valid_where_nothing_is_called_narrower(
    pair: tuple[Node, Node], values: list[Any]
) -> None:
    try:
        old, new = opened(pair[0]), opened(pair[1])
    except MalformedError:
        assume(False)
    assume(not narrowings(old, new))

    before, after = judge(pair[0]), judge(pair[1])

    assert [one for one in values if before.is_valid(one) > after.is_valid(one)] == []


@given(NODES)
def test_a_schema_is_never_narrower_than_itself(node: Node) -> None:
    try:
        old, new = opened(node), opened(node)
    except MalformedError:
        assume(False)

    assert narrowings(old, new) == ()


@given(NODES)
def test_everything_follows_from_nothing_and_nothing_is_asked_of_anything(
    node: Node,
) -> None:
    try:
        found = opened(node)
    except MalformedError:
        assume(False)

    assert narrowings(False, found) == narrowings(found, True) == ()


TEXT, NUMBER, NOTHING = {"type": "string"}, {"type": "integer"}, {"type": "null"}
SHORT = {"type": "string", "maxLength": 3}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, {"anyOf": [NUMBER, TEXT]}),
        ({"anyOf": [SHORT, NUMBER]}, {"anyOf": [NUMBER, NOTHING, TEXT]}),
        ({"anyOf": [SHORT, NUMBER]}, {"type": ["string", "integer"]}),
        ({"oneOf": [SHORT, NUMBER]}, {"type": ["string", "integer"]}),
        ({"oneOf": [TEXT, NUMBER]}, {"oneOf": [TEXT, NUMBER]}),
        ({"allOf": [TEXT, {"maxLength": 3}]}, SHORT),
        (SHORT, {"allOf": [TEXT, {"$ref": SHORT}]}),
        ({"$ref": SHORT}, TEXT),
        ({"allOf": [True, {"not": TEXT}]}, {"not": TEXT}),
        ({"if": TEXT, "then": SHORT}, {"if": TEXT, "then": SHORT}),
        ({"contains": TEXT, "minContains": 2}, {"contains": TEXT, "minContains": 2}),
        ({"unevaluatedProperties": False}, {"unevaluatedProperties": False}),
        ({"allOf": [TEXT, False]}, NUMBER),
    ],
)
def test_parts_follow_from_parts(old: Node, new: Node) -> None:
    assert narrowings(old, new) == ()


@pytest.mark.parametrize(
    ("where", "old", "new"),
    [
        ("", TEXT, False),
        ("/anyOf", TEXT, {"anyOf": [NUMBER, SHORT]}),
        ("/type", {"anyOf": [TEXT, NUMBER]}, TEXT),
        ("/oneOf", {"oneOf": [TEXT]}, {"oneOf": [TEXT, NUMBER]}),
        ("/not", {}, {"not": TEXT}),
        ("/if", {"if": TEXT, "then": SHORT}, {"if": TEXT, "then": False}),
        ("/if", {"if": TEXT, "else": TEXT}, {"if": TEXT, "else": NUMBER}),
        ("/contains", {"contains": TEXT}, {"contains": TEXT, "minContains": 2}),
        ("/allOf/0/maxLength", TEXT, {"allOf": [SHORT]}),
        ("/$ref/type", {}, {"$ref": TEXT}),
        ("", {}, {"unevaluatedItems": False}),
        ("", {"unevaluatedProperties": False, "properties": {"a": True}}, {
            "unevaluatedProperties": False}),
    ],
)  # fmt: skip
def test_a_part_that_does_not_follow_is_named(where: str, old: Node, new: Node) -> None:
    assert {one.where for one in narrowings(old, new)} == {where}


def test_nested_choices_are_compared_in_a_bounded_time() -> None:
    old: Node = {"type": "string", "maxLength": 2}
    new: Node = {"type": "string", "maxLength": 1}
    for _ in range(14):
        old = {"anyOf": [old, {"anyOf": [old, NUMBER]}]}
        new = {"anyOf": [new, {"anyOf": [new, NOTHING]}]}

    assert [one.where for one in narrowings(old, new)] == ["/anyOf"]
