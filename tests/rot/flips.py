"""Choose the bits to flip: in each kind of record, and anywhere in the file.

A record is found in the file by its bytes, so what is flipped is the file itself.
Older copies of the same bytes, in pages that are not in use, are flipped too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tallystick_server.log.findings import Kind, Problem
from tallystick_server.storage.lmdb import open_store
from tallystick_server.storage.records import (
    ENTRIES,
    HEADS,
    KEYS,
    META,
    PUBLISHED,
    ROWS,
    unpack_index,
    unpack_row_key,
)

PAGE = 4096
ANYWHERE = b"pages"
META_PAGES = b"meta pages"
NUMBERS = b"commit numbers"
NUMBER_AT = 144
"""Where a meta page has the number of its commit."""

Item = tuple[bytes, bytes]


@dataclass(frozen=True)
class Flip:
    """One bit: what of (a table, or pages), the record's key, where in the file.

    `in_key` says that it lies in the key of a record.
    """

    kind: bytes
    key: bytes
    places: tuple[int, ...]
    mask: int
    in_key: bool = False

    def apply(self, file: Path) -> None:
        """Flip it."""
        with file.open("r+b", buffering=0) as data:
            for place in self.places:
                data.seek(place)
                (byte,) = data.read(1)
                data.seek(place)
                data.write(bytes([byte ^ self.mask]))

    def is_named_by(self, problem: Problem) -> bool:
        """Whether a problem says what was hit: this entry, this row, this record."""
        if self.in_key or self.kind in {ANYWHERE, META_PAGES, NUMBERS}:
            return True  # a page, or a record that is missing and one too many
        if problem.kind is Kind.STORE:
            return True
        if self.kind == ENTRIES:
            return problem.index == unpack_index(self.key, table=ENTRIES)
        if self.kind == ROWS:
            return (problem.level, problem.block) == unpack_row_key(self.key)
        if self.kind == HEADS:
            return problem.size == unpack_index(self.key, table=HEADS)
        if self.kind == KEYS:
            return repr(self.key) in problem.text
        if self.key == PUBLISHED:
            return problem.kind is Kind.PUBLISHED
        return problem.kind is Kind.META

    def __str__(self) -> str:
        where = "key" if self.in_key else "value"
        return (
            f"{self.kind.decode()} {self.key.hex()} {where} {self.places} {self.mask}"
        )


def all_items(store: Path) -> dict[bytes, list[Item]]:
    """Read every table of a store that nobody has open."""
    opened = open_store(store, read_only=True)
    tables = (META, ENTRIES, ROWS, HEADS, KEYS)
    found = {table: list(opened.scan(table)) for table in tables}
    opened.close()
    return found


def draw_flips(
    file: bytes, items: dict[bytes, list[Item]], *, count: int, seed: int
) -> Iterator[Flip]:
    """Draw flips: a third of them anywhere, the others over all kinds of records."""
    chance = random.Random(seed)
    kinds = (ENTRIES, ANYWHERE, ROWS, HEADS, NUMBERS, KEYS, META, META_PAGES, ANYWHERE)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        if kind in items:
            yield draw_in_table(chance, file, items, kind)
        elif kind == NUMBERS:
            place = chance.randrange(2) * PAGE + NUMBER_AT
            yield Flip(kind, b"", (place,), 1 << chance.randrange(8))
        else:
            most = 2 * PAGE if kind == META_PAGES else len(file)
            place = chance.randrange(most)
            yield Flip(kind, b"", (place,), 1 << chance.randrange(8))


def draw_in_table(
    chance: random.Random, file: bytes, items: dict[bytes, list[Item]], table: bytes
) -> Flip:
    """Draw a flip in a record of a table; every tenth one in its key."""
    while True:
        key, value = chance.choice(items[table])
        mask = 1 << chance.randrange(8)
        in_key = chance.random() < 0.1
        whole = key if in_key else value
        at = chance.randrange(len(whole))
        if places := _find(file, key, value, at, in_key=in_key):
            return Flip(table, key, places, mask, in_key)


def _find(
    file: bytes, key: bytes, value: bytes, at: int, *, in_key: bool
) -> tuple[int, ...]:
    """Find a byte of a record: its key and its value, or a long value alone."""
    together = _all(file, key + value)
    if in_key:
        return tuple(start + at for start in together)
    apart = _all(file, value) if len(value) > 1000 else []
    starts = {start + len(key) for start in together} | set(apart)
    return tuple(sorted(start + at for start in starts))


def _all(file: bytes, wanted: bytes) -> Sequence[int]:
    """Find every place of some bytes."""
    found = []
    at = file.find(wanted)
    while at >= 0:
        found.append(at)
        at = file.find(wanted, at + 1)
    return found
