"""Rules: how a mapping finds one value in a record.

A rule gives a value, or nothing: what it asks for is not there, or its conditions do
not hold.  It also says where the value came from if it is there unchanged; only then
may that place be left out of the rest of the record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tallystick_client.mapping.records import Pointer, find
from tallystick_merkle.event import Value

MAX_MATCHED = 64 * 1024
"""Most characters of a text that a pattern is tried on."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value, and the place where it stands unchanged, if there is one."""

    value: Value
    source: Pointer | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold at a place: one of some values, a range, a pattern, presence."""

    path: Pointer
    values: tuple[Value, ...] | None = None
    least: int | None = None
    most: int | None = None
    matches: re.Pattern[str] | None = None
    exists: bool | None = None

    def holds(self, scope: Scope) -> bool:
        """Whether it holds for a record."""
        value = find(scope.record, self.path)
        if self.exists is not None and (value is not None) != self.exists:
            return False
        if self.values is not None and not any(
            value == one and type(value) is type(one) for one in self.values
        ):
            return False
        if self.least is not None or self.most is not None:
            if not isinstance(value, int) or isinstance(value, bool):
                return False
            if self.least is not None and value < self.least:
                return False
            if self.most is not None and value > self.most:
                return False
        if self.matches is not None:
            return isinstance(value, str) and bool(
                self.matches.search(value[:MAX_MATCHED])
            )
        return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to find a value: a path, a constant, a template or a named part.

    Then, in this order: `pattern` keeps its first group, `lookup` replaces the value
    by that of a table, `style` spells it as part of an action.
    """

    path: Pointer | None = None
    value: Value = None
    template: tuple[str | Ways, ...] | None = None
    part: Ways | None = None
    where: tuple[Condition, ...] = ()
    pattern: re.Pattern[str] | None = None
    lookup: Mapping[str, Value] | None = None
    is_kebab: bool = False

    def find(self, scope: Scope) -> Found | None:
        """Give what the rule finds in a record."""
        if not all(condition.holds(scope) for condition in self.where):
            return None
        found = self._raw(scope)
        if found is None or found.value is None:
            return None
        value = found.value
        if isinstance(value, str) and value in scope.empty:
            return None
        changed = self._change(value)
        if changed is None or changed == "":
            return None
        is_same = changed is value
        return Found(changed, found.source if is_same else None)

    def _raw(self, scope: Scope) -> Found | None:
        if self.path is not None:
            return Found(find(scope.record, self.path), self.path)
        if self.part is not None:
            return first(self.part, scope)
        if self.template is not None:
            text = fill(self.template, scope)
            return None if text is None else Found(text)
        return Found(self.value)

    def _change(self, value: Value) -> Value:
        if self.pattern is not None:
            text = as_text(value)
            match = None if text is None else self.pattern.search(text[:MAX_MATCHED])
            if match is None:
                return None
            value = match[1] if match.re.groups else match[0]
        if self.lookup is not None:
            text = as_text(value)
            value = None if text is None else self.lookup.get(text)
        if self.is_kebab:
            text = as_text(value)
            value = None if text is None else kebab(text)
        return value


Ways = tuple[Rule, ...]
"""Rules of which the first one that finds something counts."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A record, and the texts that mean nothing in it."""

    record: Value
    empty: frozenset[str] = field(default_factory=lambda: frozenset({""}))


def first(ways: Ways, scope: Scope) -> Found | None:
    """Give what the first rule finds that finds something."""
    for rule in ways:
        found = rule.find(scope)
        if found is not None:
            return found
    return None


def fill(template: tuple[str | Ways, ...], scope: Scope) -> str | None:
    """Fill a template; None where a part of it finds nothing."""
    texts = []
    for piece in template:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        found = first(piece, scope)
        text = None if found is None else as_text(found.value)
        if text is None:
            return None
        texts.append(text)
    return "".join(texts)


def as_text(value: Value) -> str | None:
    """Write a text, an integer or a truth value as text; None for all else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else None


def kebab(text: str) -> str:
    """Spell a name as part of an action: DescribeDBInstances, describe-db-instances."""
    text = _HUMP.sub("-", text)
    return _ODD.sub("-", text.lower()).strip("-_")


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ODD = re.compile(r"[^a-z0-9_]+")
