from __future__ import annotations

from typing import Any

import pytest

from tallystick_merkle.schema_compare import narrowings

KEPT: list[tuple[str, Any, Any]] = [
    ("nothing is asked any more", {"type": "string", "maxLength": 3}, {}),
    ("a type more", {"type": "string"}, {"type": ["string", "null"]}),
    ("an integer is a number", {"type": "integer"}, {"type": "number"}),
    ("a value more", {"enum": ["a"]}, {"enum": ["a", "b"]}),
    ("a constant of a list", {"const": "a"}, {"enum": ["a", "b"]}),
    ("a list of one", {"enum": ["a"]}, {"const": "a"}),
    ("the type of all values", {"enum": ["a", "b"]}, {"type": "string"}),
    ("every kind of value", {"enum": [1, None, True, [], {}]}, {
        "type": ["integer", "null", "boolean", "array", "object"]}),
    ("a wider bound", {"minimum": 2, "maximum": 4}, {"minimum": 1, "maximum": 5}),
    ("a bound next to it", {"exclusiveMinimum": 1, "type": "integer"}, {"minimum": 2}),
    ("a bound itself taken", {"exclusiveMaximum": 4}, {"maximum": 4}),
    ("a divisor of the divisor", {"multipleOf": 6}, {"multipleOf": 3}),
    ("one divides all", {"type": "integer"}, {"multipleOf": 1}),
    ("longer and shorter", {"minLength": 2, "maxLength": 3}, {
        "minLength": 1, "maxLength": 4}),
    ("none needed", {}, {"minLength": 0, "minItems": 0, "uniqueItems": False}),
    ("the same pattern", {"pattern": "a"}, {"pattern": "a"}),
    ("the same format", {"format": "ipv4", "pattern": "."}, {"format": "ipv4"}),
    ("another type is meant", {"type": "integer"}, {"maxLength": 1, "items": False}),
    ("items one by one", {"prefixItems": [{"type": "string"}], "items": False}, {
        "prefixItems": [{"type": "string"}, {"type": "null"}]}),
    ("items as the rest", {"prefixItems": [{"const": 1}], "items": {"const": 2}}, {
        "items": {"type": "integer"}}),
    ("less required", {"required": ["a", "b"]}, {"required": ["b"]}),
    ("required by another", {"required": ["b"]}, {"dependentRequired": {"a": ["b"]}}),
    ("the same dependency", {"dependentRequired": {"a": ["b"]}}, {
        "dependentRequired": {"a": ["b"]}}),
    ("a wider dependency", {"dependentSchemas": {"a": {"maxProperties": 1}}}, {
        "dependentSchemas": {"a": {"maxProperties": 2}, "b": True}}),
    ("names of any kind", {}, {"propertyNames": {"type": "string"}}),
    ("wider names", {"propertyNames": {"maxLength": 1}}, {
        "propertyNames": {"maxLength": 2}}),
    ("a closed object opens", {"additionalProperties": False}, {
        "properties": {"a": {"type": "string"}}, "additionalProperties": {"const": 1}}),
    ("a property like all others", {"additionalProperties": {"type": "string"}}, {
        "properties": {"a": {"type": ["string", "null"]}}}),
    ("a property that takes any", {}, {"properties": {"a": {}}}),
    ("a property like the others now", {"properties": {"a": {"const": 1}},
        "additionalProperties": False}, {"additionalProperties": {"type": "integer"}}),
    ("wider patterns", {"patternProperties": {"^a": {"const": 1}}}, {
        "patternProperties": {"^a": {"type": "integer"}}}),
    ("patterns that are gone", {"patternProperties": {"^a": {"const": 1}}}, {}),
]  # fmt: skip

NARROWED: list[tuple[str, Any, Any]] = [
    ("/type", {"type": ["string", "null"]}, {"type": "string"}),
    ("/type", {"type": "number"}, {"type": "integer"}),
    ("/type", {}, {"type": "object"}),
    ("/enum", {"enum": ["a", "b"]}, {"enum": ["a"]}),
    ("/enum", {"enum": [1]}, {"enum": [True]}),
    ("/enum", {"type": "string"}, {"enum": ["a"]}),
    ("/const", {"enum": [1, 2]}, {"const": 1}),
    ("/minimum", {}, {"minimum": 0}),
    ("/minimum", {"minimum": 1}, {"minimum": 2}),
    ("/exclusiveMinimum", {"minimum": 1}, {"exclusiveMinimum": 1}),
    ("/maximum", {"maximum": 2}, {"maximum": 1}),
    ("/exclusiveMaximum", {"maximum": 1}, {"exclusiveMaximum": 1}),
    ("/multipleOf", {"multipleOf": 3}, {"multipleOf": 6}),
    ("/multipleOf", {}, {"multipleOf": 1}),
    ("/minLength", {}, {"minLength": 1}),
    ("/maxLength", {"maxLength": 3}, {"maxLength": 2}),
    ("/pattern", {"pattern": "a"}, {"pattern": "b"}),
    ("/format", {}, {"format": "ipv4"}),
    ("/minItems", {"minItems": 1}, {"minItems": 2}),
    ("/maxItems", {}, {"maxItems": 1}),
    ("/uniqueItems", {"uniqueItems": False}, {"uniqueItems": True}),
    ("/items", {}, {"items": False}),
    ("/items/type", {"prefixItems": [{"type": "null"}]}, {"items": {"type": "null"}}),
    ("/items/type", {"prefixItems": [{"type": "string"}], "items": {"type": "null"}},
     {"items": {"type": "null"}}),
    ("/prefixItems/0/type", {}, {"prefixItems": [{"type": "null"}]}),
    ("/required", {}, {"required": ["a"]}),
    ("/minProperties", {}, {"minProperties": 1}),
    ("/maxProperties", {"maxProperties": 2}, {"maxProperties": 1}),
    ("/dependentRequired/a", {}, {"dependentRequired": {"a": ["b"]}}),
    ("/dependentSchemas/a", {}, {"dependentSchemas": {"a": False}}),
    ("/propertyNames/maxLength", {}, {"propertyNames": {"maxLength": 1}}),
    ("/additionalProperties", {}, {"additionalProperties": False}),
    ("/additionalProperties", {"properties": {"a": {}}, "additionalProperties": False},
     {"additionalProperties": False}),
    ("/properties/a", {}, {"properties": {"a": {"type": "string"}}}),
    ("/properties/a", {"additionalProperties": {"type": "string"}},
     {"properties": {"a": {"type": "null"}}}),
    ("/properties/a/maxLength", {"properties": {"a": {"type": "string"}}},
     {"properties": {"a": {"maxLength": 1}}}),
    ("/properties/ab", {"patternProperties": {"^a": {}}, "additionalProperties": False},
     {"patternProperties": {"^a": {}}, "properties": {"ab": {"type": "string"}}}),
    ("/patternProperties/^a", {}, {"patternProperties": {"^a": {"type": "string"}}}),
    ("/patternProperties/^a/type", {"patternProperties": {"^a": {}}},
     {"patternProperties": {"^a": {"type": "string"}}}),
    ("/additionalProperties", {"patternProperties": {"^a": {}},
      "additionalProperties": False}, {"additionalProperties": False}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"), [pair for _, *pair in KEPT], ids=[name for name, *_ in KEPT]
)
def test_what_is_as_wide_follows(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert narrowings(old, new) == ()


@pytest.mark.parametrize(
    ("where", "old", "new"),
    NARROWED,
    ids=[f"{number}{where}" for number, (where, *_) in enumerate(NARROWED)],
)
def test_what_is_narrower_is_named_with_its_place(
    where: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert {one.where for one in narrowings(old, new)} == {where}
