from __future__ import annotations

import json

import pytest
from hypothesis import given
from jsonschema_rs import Draft202012Validator

from tallystick_server.ingest.schemas.compiling import compile_schema
from tallystick_server.ingest.schemas.telling import Teller, make_telling
from tests.fakes.intakes import event_json
from tests.unit.merkle.schemas import DEFS, NODES, VALUES, Node, details, schema

SHAPES = [
    {"properties": {"kind": {"const": kind}}, "required": ["kind", "name"]}
    for kind in ("a", "b", "c")
]


def keys_of(node: object) -> set[str]:
    """All names in what is applied for itself: not in what a `not` says."""
    if isinstance(node, list):
        return {key for one in node for key in keys_of(one)}
    if not isinstance(node, dict):
        return set()
    return set(node).union(*(keys_of(node[key]) for key in node if key != "not"))


@pytest.mark.parametrize(
    "node",
    [
        {"anyOf": SHAPES},
        {"oneOf": SHAPES},
        {"allOf": [{"anyOf": SHAPES}], "oneOf": SHAPES},
        {"$ref": "#/$defs/shapes"},
        {"items": {"$ref": "#/$defs/shapes"}},
        {"prefixItems": [True, {"anyOf": SHAPES}]},
        {"additionalProperties": {"then": {"anyOf": SHAPES}}},
    ],
)
def test_no_branch_is_left_whose_faults_would_be_worded(node: Node) -> None:
    made = schema(
        properties={"details": {"properties": {"a": node}}},
        **{"$defs": {"shapes": {"anyOf": SHAPES}}},
    )

    assert not keys_of(make_telling(made.root)) & {"anyOf", "oneOf", "$ref"}


@pytest.mark.parametrize(
    ("node", "value", "where", "why"),
    [
        ({"anyOf": SHAPES}, {}, "/details/a", "does not fit anyOf"),
        ({"oneOf": SHAPES}, {}, "/details/a", "does not fit oneOf"),
        ({"items": {"anyOf": SHAPES}}, [{}, 1], "/details/a/0", "does not fit anyOf"),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            1,
            "/details/a",
            'expected anyOf [{"type": "string"}, {"type": "null"}]',
        ),
        ({"not": {"not": {"type": "string"}}}, 1, "/details/a", "does not fit not"),
        ({"not": {"anyOf": SHAPES}}, 1, "/details/a", "does not fit not"),
        (
            {"properties": {"b": True}, "unevaluatedProperties": False},
            {"c": 1},
            "/details/a",
            "does not fit unevaluatedProperties",
        ),
        (
            {
                "anyOf": [{"properties": {"b": True}}],
                "unevaluatedProperties": False,
                "properties": {"d": {"type": "null"}},
            },
            {"b": 1, "d": 1},
            "/details/a/d",
            'expected type "null"',
        ),
        ({"contains": {"const": 1}}, [2], "/details/a", "does not fit contains"),
    ],
)
def test_a_fault_of_branches_is_told_where_they_stand(
    node: Node, value: object, where: str, why: str
) -> None:
    compiled = compile_schema(details(1, {"a": node}))

    assert compiled.check(event_json(details={"a": value})) == (where, why)


@given(NODES, VALUES)
def test_whatever_does_not_fit_is_told_and_nothing_else(
    node: Node, value: object
) -> None:
    made = schema(
        properties={"details": {"properties": {"a": node}}}, **{"$defs": DEFS}
    )
    event = event_json(details={"a": value})
    fits = Draft202012Validator(json.loads(made.text)).is_valid(event)
    document = make_telling(made.root)
    teller = Teller(document, Draft202012Validator(document))

    found = compile_schema(made).check(event)

    assert (found is None) == fits
    assert found is None or found[0].startswith("/details")
    assert not fits or teller.tell(event) is None
