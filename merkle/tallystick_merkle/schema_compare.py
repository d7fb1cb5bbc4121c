"""Whether a schema takes all that another takes: the rule for a next version.

    narrowings(old, new)   what of `new` could refuse a value that `old` takes

Nothing found means that every value valid under `old` is valid under `new`.  The
converse does not hold: what cannot be decided is counted as narrower.

A schema is taken apart into *parts* that must all hold: `allOf` and `$ref` give their
own, each rule of `schema_keyrules` is one.  Every part of the new schema has to follow
from the old one:

- keywords, by their rule, or because the old schema takes no value of their types;
- `anyOf`, if all parts of one branch follow;
- `oneOf`, `not`, `if`, `contains` and schemas with `unevaluated...` only from the same;
- and anything, if it follows from each branch of an `anyOf` or `oneOf` of the old one.

Each pair is compared once, so the time is bounded by the product of the two sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tallystick_merkle.schema_keyrules import (
    ALL_TYPES,
    RULES,
    Difference,
    Keywords,
    Known,
    Rule,
    spell,
    types_of,
)
from tallystick_merkle.schema_keywords import Node, pointer

_FIXED = (
    ("oneOf",),
    ("not",),
    ("if", "then", "else"),
    ("contains", "minContains", "maxContains"),
)
_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
_ANYTHING = Known((), (), frozenset(), ALL_TYPES, is_never=False)
_NEVER = Known((), (), frozenset(), frozenset(), is_never=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Something of the new schema that must hold, and the schema in which it stands.

    `rule` judges keywords; `branches` are those of an anyOf; `fixed` is what must have
    been there; without any of them it is `false`, which nothing fulfils.
    """

    where: str
    node: Keywords
    rule: Rule | None = None
    branches: tuple[tuple[_Part, ...], ...] = ()
    fixed: str = ""


def narrowings(old: Node, new: Node) -> tuple[Difference, ...]:
    """Name what of `new` could refuse a value that `old` takes, by JSON pointer.

    Requires schemas as `parse_schema` gives them in `root`.
    """
    return tuple(_Comparer().covers(old, new, ""))


class _Comparer:
    """Compares pairs of schemas, and remembers them by their ids.

    Each memory also holds what its ids stand for, so that no id is used again.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Node, Known]] = {}
        self._parts: dict[int, tuple[Node, tuple[_Part, ...]]] = {}
        self._judged: dict[tuple[int, int], tuple[_Part, list[Difference]]] = {}

    def covers(self, old: Node, new: Node, where: str) -> list[Difference]:
        """Name what of `new` does not follow from `old`."""
        known = self._open(old)
        return [
            difference
            for part in self._split(new, where)
            for difference in self._follows(known, part)
        ]

    def _follows(self, known: Known, part: _Part) -> list[Difference]:
        """Name why a part does not follow from what is known; nothing if it does."""
        key = id(known), id(part)
        if key not in self._judged:
            found = [] if known.is_never else self._directly(known, part)
            if found and any(self._all_follow(one, part) for one in known.choices):
                found = []
            self._judged[key] = part, found
        return self._judged[key][1]

    def _all_follow(self, branches: tuple[Node, ...], part: _Part) -> bool:
        return not any(self._follows(self._open(one), part) for one in branches)

    def _directly(self, known: Known, part: _Part) -> list[Difference]:
        if part.rule is not None:
            if not known.types & part.rule.types:
                return []
            return part.rule.judge(known, part.node, part.where, self.covers)
        if part.branches:
            for branch in part.branches:
                if not any(self._follows(known, one) for one in branch):
                    return []
            return [Difference(part.where, "what was taken may fit no branch")]
        if not part.fixed:
            return [Difference(part.where, "nothing is taken here any more")]
        if part.fixed in known.fixed:
            return []
        return [Difference(part.where, "is new, or not just as it was")]

    def _open(self, node: Node) -> Known:
        """Say what is known of the values that a schema takes."""
        if isinstance(node, bool):
            return _ANYTHING if node else _NEVER
        if id(node) not in self._known:
            self._known[id(node)] = node, _know(node)
        return self._known[id(node)][1]

    def _split(self, node: Node, where: str) -> tuple[_Part, ...]:
        """Give the parts of a schema."""
        if node is True:
            return ()
        if isinstance(node, bool):
            return (_Part(where, {}),)
        if id(node) not in self._parts:
            self._parts[id(node)] = node, tuple(self._take_apart(node, where))
        return self._parts[id(node)][1]

    def _take_apart(self, node: Keywords, where: str) -> Iterator[_Part]:
        """Give the parts of an object of keywords."""
        if any(keyword in node for keyword in _UNEVALUATED):
            yield _Part(where, node, fixed=spell(node))
            return
        for rule in RULES:
            if any(keyword in node for keyword in rule.keywords):
                yield _Part(where, node, rule=rule)
        for keyword, some in _fixed(node):
            yield _Part(pointer(where, keyword), node, fixed=some)
        if "anyOf" in node:
            place = pointer(where, "anyOf")
            branches = tuple(
                self._split(branch, pointer(place, number))
                for number, branch in enumerate(node["anyOf"])
            )
            yield _Part(place, node, branches=branches)
        for place, below in _conjuncts(node, where):
            yield from self._split(below, place)


def _conjuncts(node: Keywords, where: str) -> Iterator[tuple[str, Node]]:
    """Give the schemas that have to hold beside the keywords of `node`."""
    if "$ref" in node:
        yield pointer(where, "$ref"), node["$ref"]
    for number, below in enumerate(node.get("allOf", ())):
        yield pointer(where, "allOf", number), below


def _fixed(node: Keywords) -> Iterator[tuple[str, str]]:
    """Spell what of a schema can only be kept as it is."""
    for keywords in _FIXED:
        if keywords[0] in node:
            some = {name: node[name] for name in keywords if name in node}
            yield keywords[0], spell(some)


def _know(node: Keywords) -> Known:
    """Gather what holds for the values that an object of keywords takes."""
    bases: list[Keywords] = []
    choices: list[tuple[Node, ...]] = []
    fixed: set[str] = set()
    types = ALL_TYPES
    waiting: list[Any] = [node]
    while waiting:
        one = waiting.pop()
        if one is False:
            return Known((), (), frozenset(), frozenset(), is_never=True)
        if one is True:
            continue
        bases.append(one)
        types &= types_of(one)
        choices += [tuple(one[name]) for name in ("anyOf", "oneOf") if name in one]
        fixed.update(some for _, some in _fixed(one))
        if any(keyword in one for keyword in _UNEVALUATED):
            fixed.add(spell(one))
        waiting += [below for _, below in _conjuncts(one, "")]
    return Known(tuple(bases), tuple(choices), frozenset(fixed), types, is_never=False)
