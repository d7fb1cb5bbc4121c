"""What a schema says about the fields of an event: whose, how secret, how found.

    "ip": {"type": "string",
           "x-tallystick": {"subject": "target/0", "sensitive": true, "indexed": true}}

- `subject` names the person to whom a field belongs, with whose key it is encrypted:
  the actor, who has whatever nobody else is given, or a target by its place in the
  list.  It holds for all that is below, and nothing below may say otherwise.
- `sensitive` fields, and all below, are shown only to who may see all.
- `indexed` fields can be searched for: at most 3, of one simple type, not sensitive.

A mark stands on a property that `properties` alone lead to from the root, under one of
the free members of an event, and that is a field of its own: at most four names deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tallystick_merkle.event import EXTRA_ROOTS, MAX_PARTS, escape
from tallystick_merkle.schema_keywords import refuse

MARK = "x-tallystick"
"""The keyword of marks, and of the head of a schema."""

MAX_INDEXED = 3
"""Most fields of a schema that can be searched for."""

ACTOR = "actor"
"""The subject of whatever is given to nobody else."""

_SUBJECT = re.compile(r"actor|target/[0-9]", re.ASCII)
_SIMPLE = ("boolean", "integer", "string")
_MEMBERS = ("subject", "sensitive", "indexed")


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark, and where in the document it stands; `subject` is None if not said."""

    where: str
    subject: str | None
    is_sensitive: bool
    is_indexed: bool


@dataclass(frozen=True, slots=True)
class Marks:
    """All marks of a schema by the flattened name of their field.

    `named` are all fields that the schema names, with where it does.
    """

    by_name: Mapping[str, Mark]
    named: Mapping[str, str]

    @property
    def places(self) -> dict[str, int]:
        """Which fields, with all below, belong to which target: its index."""
        return {
            name: int(mark.subject.partition("/")[2])
            for name, mark in self.by_name.items()
            if mark.subject is not None and mark.subject != ACTOR
        }

    @property
    def sensitive(self) -> frozenset[str]:
        """Fields that are sensitive, with all below."""
        return frozenset(n for n, mark in self.by_name.items() if mark.is_sensitive)

    @property
    def indexed(self) -> tuple[str, ...]:
        """Fields that can be searched for, sorted."""
        return tuple(sorted(n for n, mark in self.by_name.items() if mark.is_indexed))

    def subject_of(self, name: str) -> str:
        """Say to whom a field belongs."""
        return self.said_of(name) or ACTOR

    def said_of(self, name: str) -> str | None:
        """Give the subject that a mark names for a field, or for what it is part of."""
        for above in above_of(name):
            mark = self.by_name.get(above)
            if mark is not None and mark.subject is not None:
                return mark.subject
        return None

    def is_sensitive(self, name: str) -> bool:
        """Whether a field is sensitive, or something that it is part of."""
        return any(
            above in self.by_name and self.by_name[above].is_sensitive
            for above in above_of(name)
        )


def above_of(name: str) -> Iterator[str]:
    """Give a field's name and the names of all that it is part of."""
    while name:
        yield name
        name = name.rpartition("/")[0]


def flat_name(field: tuple[str, ...]) -> str:
    """Join the parts of a field's name."""
    return "/".join(map(escape, field))


def read_mark(value: object, field: tuple[str, ...], kind: object, where: str) -> Mark:
    """Read one mark on a field whose schema says `kind` of type.

    Raises MalformedError.
    """
    if not field or field[0] not in EXTRA_ROOTS:
        free = ", ".join(sorted(EXTRA_ROOTS))
        raise refuse(f"a mark stands on one of {free}, or below", where)
    if len(field) > MAX_PARTS:
        raise refuse(f"below {MAX_PARTS} names nothing is a field of its own", where)
    if not isinstance(value, dict) or not value or set(value) - set(_MEMBERS):
        raise refuse(f"expected an object of {', '.join(_MEMBERS)}", where)
    subject = value.get("subject")
    if "subject" in value and not (
        isinstance(subject, str) and _SUBJECT.fullmatch(subject)
    ):
        raise refuse("expected the subject actor, or target/0 to target/9", where)
    flags = [value.get(name, False) for name in ("sensitive", "indexed")]
    if not all(isinstance(flag, bool) for flag in flags):
        raise refuse("sensitive and indexed are true or false", where)
    is_sensitive, is_indexed = flags
    if is_indexed and kind not in _SIMPLE:
        raise refuse(f"an indexed field has one type of {', '.join(_SIMPLE)}", where)
    return Mark(where, subject, is_sensitive, is_indexed)


def check_marks(marks: Marks) -> None:
    """Raise MalformedError for marks that contradict each other."""
    for name, mark in marks.by_name.items():
        above = marks.said_of(name.rpartition("/")[0])
        if mark.subject is not None and above not in (None, mark.subject):
            raise refuse(f"what it is part of belongs to {above}", mark.where)
        if mark.is_indexed and marks.is_sensitive(name):
            raise refuse("a sensitive field cannot be indexed", mark.where)
    indexed = marks.indexed
    if len(indexed) > MAX_INDEXED:
        where = marks.by_name[indexed[MAX_INDEXED]].where
        raise refuse(f"at most {MAX_INDEXED} fields are indexed", where)
