"""What a check of a whole log finds, in a bounded list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

MAX_LISTED = 1000
"""Problems that are kept; the rest is counted."""


class Kind(StrEnum):
    """What part of a log is wrong."""

    STORE = "store"
    """A part of the file cannot be read."""
    META = "meta"
    """What the store says of itself."""
    GENESIS = "genesis"
    """Entry 0, or a key that it commits to."""
    ENTRY = "entry"
    """An entry is missing, damaged, or was never part of the tree."""
    ROW = "row"
    """A row of node hashes is missing, wrong, or too much."""
    HEAD = "head"
    """A signed head does not verify, or is not the head of the entries."""
    PUBLISHED = "published"
    """The published checkpoint, or its cosignatures."""
    KEY = "key"
    """An idempotency key."""
    RECORD = "record"
    """The record of an event, or its index entry: missing, wrong, or too much."""
    ID = "id"
    """An event id."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where: those that apply are not None.

    `index` is that of an entry, (level, block) those of a row, `size` that of a head.
    """

    kind: Kind
    text: str
    index: int | None = None
    level: int | None = None
    block: int | None = None
    size: int | None = None


@dataclass(slots=True)
class Findings:
    """Collects problems: the first ones whole, all of them counted by kind."""

    most: int = MAX_LISTED
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)

    def add(self, problem: Problem) -> None:
        """Take one more."""
        self.counts[problem.kind] += 1
        if len(self.problems) < self.most:
            self.problems.append(problem)
