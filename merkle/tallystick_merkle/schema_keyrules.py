"""For each keyword: when it follows from what an older schema is known to ask for.

A rule is given what is known of every value that the old schema takes, and the new
schema with its place; it names what of its keywords does not follow.  It is asked only
if the old schema takes values of the types that the keywords are about.  Where several
objects of keywords are known (of `allOf`), all of them hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tallystick_merkle.schema_keywords import Node, pointer

Keywords = dict[str, Any]
Covers = Callable[[Node, Node, str], list["Difference"]]
"""Names what of the second schema, at a place, does not follow from the first."""

ALL_TYPES = frozenset(
    {"array", "boolean", "integer", "null", "number", "object", "string"}
)
"""All types; "number" stands here for those that are no integers."""

_NUMBERS = frozenset({"integer", "number"})


class Difference(NamedTuple):
    """A place in the new schema, as a JSON pointer, and what is narrower there."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of every value that the old schema takes.

    All `bases` hold; of each list in `choices` at least one schema holds; `fixed` are
    spellings of what can only be kept; the value has one of `types`.
    """

    bases: tuple[Keywords, ...]
    choices: tuple[tuple[Node, ...], ...]
    fixed: frozenset[str]
    types: frozenset[str]
    is_never: bool


Judge = Callable[[Known, Keywords, str, Covers], list[Difference]]
"""Names what of one rule's keywords, in the schema at a place, does not follow."""


class Rule(NamedTuple):
    """Keywords that are judged together, and the types that they are about."""

    keywords: tuple[str, ...]
    types: frozenset[str]
    judge: Judge


def spell(value: object) -> str:
    """Give the one spelling of a value: 1 and true are not the same."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def types_of(node: Keywords) -> frozenset[str]:
    """Give the types that the keywords of one schema leave."""
    named = node.get("type", sorted(ALL_TYPES))
    types = frozenset([named] if isinstance(named, str) else named)
    if "number" in types:
        types |= _NUMBERS
    values = _values(node)
    return types if values is None else types & frozenset(map(_type_of, values))


def _type_of(value: object) -> str:
    """Name the type of a value of an event: it has no floats."""
    if isinstance(value, bool):
        return "boolean"
    names: tuple[tuple[type, str], ...] = (
        (int, "integer"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def _values(node: Keywords) -> list[Any] | None:
    """Give the values that `enum` and `const` leave; None if there is neither."""
    if "const" in node:
        return [node["const"]]
    values: list[Any] | None = node.get("enum")
    return values


def _each(known: Known, keyword: str) -> Iterable[Any]:
    """Give every value that the old schema has for a keyword."""
    return (base[keyword] for base in known.bases if keyword in base)


def _judge_type(
    known: Known, node: Keywords, where: str, _: Covers
) -> list[Difference]:
    lost = known.types - types_of({"type": node["type"]})
    if not lost:
        return []
    names = ", ".join(sorted(lost))
    return [Difference(pointer(where, "type"), f"no longer taken: {names}")]


def _judge_values(
    known: Known, node: Keywords, where: str, _: Covers
) -> list[Difference]:
    found = []
    for keyword in ("enum", "const"):
        if keyword not in node:
            continue
        values = node[keyword] if keyword == "enum" else [node[keyword]]
        taken = set(map(spell, values))
        lists = [kept for base in known.bases if (kept := _values(base)) is not None]
        if not any(taken.issuperset(map(spell, kept)) for kept in lists):
            why = "a value that was taken is missing" if lists else "is new"
            found.append(Difference(pointer(where, keyword), why))
    return found


def _judge_bounds(
    known: Known, node: Keywords, where: str, _: Covers
) -> list[Difference]:
    found = []
    is_whole = "number" not in known.types
    for keyword, strict, sign in _BOUNDS:
        held = [
            _bound(base, one, is_strict, sign, is_whole)
            for base in known.bases
            for one, is_strict in ((keyword, False), (strict, True))
            if one in base
        ]
        for one, is_strict in ((keyword, False), (strict, True)):
            if one in node:
                asked = _bound(node, one, is_strict, sign, is_whole)
                if not any(bound >= asked for bound in held):
                    found.append(Difference(pointer(where, one), _NARROWER))
    return found


def _bound(
    node: Keywords, keyword: str, is_strict: bool, sign: int, is_whole: bool
) -> tuple[int, bool]:
    """Give a bound as one from below: the larger asks for more."""
    value = sign * node[keyword]
    return (value + 1, False) if is_strict and is_whole else (value, is_strict)


def _judge_divisor(
    known: Known, node: Keywords, where: str, _: Covers
) -> list[Difference]:
    divisor: int = node["multipleOf"]
    is_free = divisor == 1 and "number" not in known.types
    if is_free or any(one % divisor == 0 for one in _each(known, "multipleOf")):
        return []
    return [Difference(pointer(where, "multipleOf"), _NARROWER)]


def _least(keyword: str) -> Judge:
    """Judge a count of which there must be at least so many."""

    def judge(known: Known, node: Keywords, where: str, _: Covers) -> list[Difference]:
        if node[keyword] <= max(_each(known, keyword), default=0):
            return []
        return [Difference(pointer(where, keyword), _NARROWER)]

    return judge


def _most(keyword: str) -> Judge:
    """Judge a count of which there must be at most so many."""

    def judge(known: Known, node: Keywords, where: str, _: Covers) -> list[Difference]:
        if any(one <= node[keyword] for one in _each(known, keyword)):
            return []
        return [Difference(pointer(where, keyword), _NARROWER)]

    return judge


def _same(keyword: str) -> Judge:
    """Judge a keyword that can only be kept or left out."""

    def judge(known: Known, node: Keywords, where: str, _: Covers) -> list[Difference]:
        if node[keyword] is False or node[keyword] in _each(known, keyword):
            return []
        return [Difference(pointer(where, keyword), "is new, or another")]

    return judge


def _judge_items(
    known: Known, node: Keywords, where: str, covers: Covers
) -> list[Difference]:
    return _best(_items(base, node, where, covers) for base in _bases(known))


def _items(
    base: Keywords, node: Keywords, where: str, covers: Covers
) -> list[Difference]:
    """Compare places one by one, and then the rest."""
    old, new = base.get("prefixItems", []), node.get("prefixItems", [])
    rest, found = base.get("items", True), []
    for place, one in enumerate(new):
        before = old[place] if place < len(old) else rest
        found += covers(before, one, pointer(where, "prefixItems", place))
    if "items" in node:
        for before in [*old[len(new) :], rest]:
            found += covers(before, node["items"], pointer(where, "items"))
    return found


def _judge_required(
    known: Known, node: Keywords, where: str, _: Covers
) -> list[Difference]:
    asked = {name for names in _each(known, "required") for name in names}
    return [
        Difference(pointer(where, "required"), f"{name} was not required")
        for name in node["required"]
        if name not in asked
    ]


def _judge_dependent_names(
    known: Known, node: Keywords, where: str, _: Covers
) -> list[Difference]:
    asked = {name for names in _each(known, "required") for name in names}
    found = []
    for name, names in node["dependentRequired"].items():
        held = [lists.get(name, []) for lists in _each(known, "dependentRequired")]
        if not asked.union(*held).issuperset(names):
            place = pointer(where, "dependentRequired", name)
            found.append(Difference(place, "a name that was not required"))
    return found


def _judge_dependent_schemas(
    known: Known, node: Keywords, where: str, covers: Covers
) -> list[Difference]:
    found = []
    for name, schema in node["dependentSchemas"].items():
        place = pointer(where, "dependentSchemas", name)
        held = [maps.get(name, True) for maps in _each(known, "dependentSchemas")]
        found += _best(covers(one, schema, place) for one in held or [True])
    return found


def _judge_names(
    known: Known, node: Keywords, where: str, covers: Covers
) -> list[Difference]:
    held = [*_each(known, "propertyNames"), {"type": "string"}]
    place = pointer(where, "propertyNames")
    return _best(covers(one, node["propertyNames"], place) for one in held)


def _judge_members(
    known: Known, node: Keywords, where: str, covers: Covers
) -> list[Difference]:
    return _best(_members(base, node, where, covers) for base in _bases(known))


def _members(
    base: Keywords, node: Keywords, where: str, covers: Covers
) -> list[Difference]:
    """Compare named members, patterns of names, and what is not named.

    A member that the new schema names and the old one does not was judged by what the
    old one says of others; with patterns, it may have been judged by any of them.
    """
    old, new = base.get("properties", {}), node.get("properties", {})
    patterns = base.get("patternProperties", {})
    rest = base.get("additionalProperties", True)
    found: list[Difference] = []
    for name, schema in node.get("patternProperties", {}).items():
        place = pointer(where, "patternProperties", name)
        if name not in patterns:
            found.append(Difference(place, "a pattern of names that is new"))
        else:
            found += covers(patterns[name], schema, place)
    for name, schema in new.items():
        place = pointer(where, "properties", name)
        if name in old:
            found += covers(old[name], schema, place)
        elif covers(True if patterns else rest, schema, place):
            found.append(Difference(place, _OPEN))
    if "additionalProperties" in node:
        found += _others(base, node, pointer(where, "additionalProperties"), covers)
    return found


def _others(
    base: Keywords, node: Keywords, where: str, covers: Covers
) -> list[Difference]:
    """Compare what is said of members that the new schema does not name."""
    schema, found = node["additionalProperties"], []
    if set(base.get("patternProperties", {})) - set(node.get("patternProperties", {})):
        found.append(Difference(where, "a pattern of names is missing"))
    new = node.get("properties", {})
    for name, before in base.get("properties", {}).items():
        if name not in new and covers(before, schema, where):
            found.append(Difference(where, f"{name} was taken, and is not any more"))
    return found + covers(base.get("additionalProperties", True), schema, where)


def _bases(known: Known) -> tuple[Keywords, ...]:
    """Give the objects of keywords, or an empty one where there is none."""
    return known.bases or ({},)


def _best(found: Iterable[list[Difference]]) -> list[Difference]:
    """Give the shortest list: nothing, if one of them is."""
    return min(found, key=len)


_NARROWER = "is narrower, or new"
_OPEN = (
    "a new property of an object that was open: the old version takes any value there;"
    " take any too, or close the object from its first version on"
)
_BOUNDS = (
    ("minimum", "exclusiveMinimum", 1),
    ("maximum", "exclusiveMaximum", -1),
)
_ARRAY, _STRING = frozenset({"array"}), frozenset({"string"})
_OBJECT = frozenset({"object"})

RULES = (
    Rule(("type",), ALL_TYPES, _judge_type),
    Rule(("enum", "const"), ALL_TYPES, _judge_values),
    Rule(
        ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
        _NUMBERS,
        _judge_bounds,
    ),
    Rule(("multipleOf",), _NUMBERS, _judge_divisor),
    Rule(("minLength",), _STRING, _least("minLength")),
    Rule(("maxLength",), _STRING, _most("maxLength")),
    Rule(("pattern",), _STRING, _same("pattern")),
    Rule(("format",), _STRING, _same("format")),
    Rule(("minItems",), _ARRAY, _least("minItems")),
    Rule(("maxItems",), _ARRAY, _most("maxItems")),
    Rule(("uniqueItems",), _ARRAY, _same("uniqueItems")),
    Rule(("items", "prefixItems"), _ARRAY, _judge_items),
    Rule(("required",), _OBJECT, _judge_required),
    Rule(("minProperties",), _OBJECT, _least("minProperties")),
    Rule(("maxProperties",), _OBJECT, _most("maxProperties")),
    Rule(("dependentRequired",), _OBJECT, _judge_dependent_names),
    Rule(("dependentSchemas",), _OBJECT, _judge_dependent_schemas),
    Rule(("propertyNames",), _OBJECT, _judge_names),
    Rule(
        ("properties", "patternProperties", "additionalProperties"),
        _OBJECT,
        _judge_members,
    ),
)
"""All keywords that can be compared."""
