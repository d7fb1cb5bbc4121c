"""Event schemas to test with: one small, and any that Hypothesis thinks of."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tallystick_merkle.schema import DIALECT, Schema, parse_schema

Node = dict[str, Any] | bool

NAMES = st.sampled_from(["a", "b", "ab", "c"])
TEXTS = st.sampled_from(["", "a", "b", "ab", "abc"])
NUMBERS = st.integers(-2, 5)
COUNTS = st.integers(0, 3)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)

VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(NAMES, below, max_size=3)
    ),
    max_leaves=5,
)
"""Values that an event may hold."""

_TYPES = st.sampled_from(
    ["array", "boolean", "integer", "null", "number", "object", "string"]
)
_PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "type": st.one_of(_TYPES, st.lists(_TYPES, min_size=1, unique=True)),
    "enum": st.lists(VALUES, min_size=1, max_size=4),
    "const": VALUES,
    "minimum": NUMBERS,
    "exclusiveMinimum": NUMBERS,
    "maximum": NUMBERS,
    "exclusiveMaximum": NUMBERS,
    "multipleOf": st.integers(1, 4),
    "minLength": COUNTS,
    "maxLength": COUNTS,
    "pattern": st.sampled_from(["^a", "b$", "."]),
    "minItems": COUNTS,
    "maxItems": COUNTS,
    "uniqueItems": st.booleans(),
    "minContains": COUNTS,
    "maxContains": COUNTS,
    "required": st.lists(NAMES, max_size=2, unique=True),
    "minProperties": COUNTS,
    "maxProperties": COUNTS,
    "dependentRequired": st.dictionaries(
        NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2
    ),
    "$ref": st.sampled_from(["#/$defs/text", "#/$defs/pair"]),
}
_ONE = (
    "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames",
    "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_PATTERNS = st.sampled_from(["^a", "b$"])


def _over(below: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Objects of a few keywords over schemas below."""
    some = st.lists(below, min_size=1, max_size=2)
    named = st.dictionaries(NAMES, below, max_size=3)
    keywords = _PLAIN | dict.fromkeys(_ONE, below)
    keywords |= dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), some)
    keywords |= dict.fromkeys(("properties", "dependentSchemas"), named)
    keywords["patternProperties"] = st.dictionaries(_PATTERNS, below, max_size=2)
    return st.lists(
        st.sampled_from(sorted(keywords)).flatmap(
            lambda key: st.tuples(st.just(key), keywords[key])
        ),
        max_size=4,
    ).map(dict)


NODES: st.SearchStrategy[Node] = st.recursive(st.booleans(), _over, max_leaves=6)
"""Schemas of every keyword that there is."""

DEFS: dict[str, Node] = {
    "text": {"type": "string", "maxLength": 2},
    "pair": {"properties": {"a": {"$ref": "#/$defs/text"}}, "required": ["a"]},
}
"""Definitions that the schemas may refer to."""


def document(
    version: int = 1,
    /,
    **keywords: Any,  # noqa: ANN401 -- any value of JSON
) -> dict[str, Any]:
    """A document for the action user.role.updated."""
    return {
        "$schema": DIALECT,
        "x-tallystick": {"action": "user.role.updated", "version": version},
        "type": "object",
        **keywords,
    }


def schema(
    version: int = 1,
    /,
    **keywords: Any,  # noqa: ANN401 -- any value of JSON
) -> Schema:
    """A schema for the action user.role.updated."""
    return parse_schema(json.dumps(document(version, **keywords)).encode())


def details(
    version: int = 1,
    named: dict[str, Node] | None = None,
    /,
    *,
    rest: bool = False,
    **more: Node,
) -> Schema:
    """A schema whose details have named members, and `rest`: whether others too."""
    members = {**(named or {}), **more}
    below = {"type": "object", "properties": members, "additionalProperties": rest}
    return schema(version, properties={"details": below})
