"""Each kind of damage to a stored log is named once, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tallystick_server.log.findings import Kind
from tallystick_server.log.fsck import check_log
from tallystick_server.storage.base import Head, UsedKey
from tallystick_server.storage.records import (
    ENTRIES,
    HEADS,
    KEYS,
    META,
    PUBLISHED,
    ROWS,
    pack_head,
    pack_index,
    pack_published,
    pack_row_key,
    pack_used_key,
    unpack_published,
)
from tests.unit.server.log.damage import (
    Damage,
    change,
    drop,
    flip,
    of_head,
    of_key,
    put,
)
from tests.unit.server.log.stored_logs import (
    SIZE,
    StoredLog,
    opened,
)
from tests.unit.server.storage.lmdb_bench import raw

PARTIAL = 2
"""The block of the last row of leaves, which is not full."""


TABLE: dict[str, tuple[bytes, Damage, list[tuple[Kind, int | None, str]]]] = {
    "entry changed": (
        ENTRIES,
        put(pack_index(5), b"forged"),
        [(Kind.ENTRY, 5, "entry 5 is not the one")],
    ),
    "entry changed in one bit": (
        ENTRIES,
        change(pack_index(300), flip(0)),
        [(Kind.ENTRY, 300, "entry 300 is not the one")],
    ),
    "last entry changed": (
        ENTRIES,
        put(pack_index(SIZE - 1), b"forged"),
        [(Kind.ENTRY, SIZE - 1, "is not the one")],
    ),
    "entry missing": (
        ENTRIES,
        drop(pack_index(5)),
        [(Kind.ENTRY, 5, "entry 5 is not stored")],
    ),
    "first entry missing": (
        ENTRIES,
        drop(pack_index(0)),
        [(Kind.ENTRY, 0, "entry 0 is not stored")],
    ),
    "last entry missing": (
        ENTRIES,
        drop(pack_index(SIZE - 1)),
        [(Kind.ENTRY, SIZE - 1, "is not stored")],
    ),
    "entry 0 changed": (
        ENTRIES,
        put(pack_index(0), b"no genesis"),
        [(Kind.ENTRY, 0, "is not the one"), (Kind.GENESIS, 0, "malformed genesis")],
    ),
    "entry too much": (
        ENTRIES,
        put(pack_index(SIZE), b"stray"),
        [(Kind.ENTRY, SIZE, "beyond the last head")],
    ),
    "entry far away": (
        ENTRIES,
        put(pack_index(2**60), b"stray"),
        [(Kind.ENTRY, 2**60, "beyond the last head")],
    ),
    "entry key of a wrong shape": (
        ENTRIES,
        put(pack_index(5) + b"x", b"stray"),
        [(Kind.ENTRY, None, "a key of 9 bytes")],
    ),
    "head changed in time": (
        HEADS,
        of_head(lambda head: replace(head, time_ms=head.time_ms - 100)),
        [(Kind.HEAD, 3, "older than the head before")],
    ),
    "head changed in root": (
        HEADS,
        of_head(lambda head: replace(head, root=bytes(32))),
        [(Kind.HEAD, 3, "its root is not that of the entries")],
    ),
    "head with a broken signature": (
        HEADS,
        of_head(lambda head: replace(head, note=head.note[:-8] + b"AAA=\n")),
        [(Kind.HEAD, 3, "head of size 3: ")],
    ),
    "head without a note": (
        HEADS,
        put(pack_index(3), bytes(40)),
        [(Kind.HEAD, 3, "head of size 3: 40 bytes")],
    ),
    "head with a flipped bit of its time": (
        HEADS,
        change(pack_index(3), flip(7)),
        [(Kind.HEAD, 3, "head of size 3: it is damaged")],
    ),
    "head missing in the middle": (
        HEADS,
        drop(pack_index(3)),
        [(Kind.HEAD, 303, "stands on size 3, stored before it is size 2")],
    ),
    "genesis head missing": (
        HEADS,
        drop(pack_index(1)),
        [(Kind.HEAD, 2, "stands on size 1, stored before it is size 0")],
    ),
    "head of no size": (
        HEADS,
        put(b"no size", bytes(50)),
        [(Kind.HEAD, None, "a key of 7 bytes")],
    ),
    "head beyond the entries": (
        HEADS,
        put(
            pack_index(10**6),
            pack_head(Head(10**6, bytes(32), b"note", 1), parent=SIZE),
        ),
        [(Kind.HEAD, 10**6, "there are not so many entries")],
    ),
    "published checkpoint cut off": (
        META,
        put(PUBLISHED, bytes(24)),
        [(Kind.PUBLISHED, None, "24 bytes stored")],
    ),
    "published checkpoint with a flipped bit": (
        META,
        change(PUBLISHED, flip(-20)),
        [(Kind.PUBLISHED, None, "it is damaged")],
    ),
    "published checkpoint without a head": (
        META,
        change(
            PUBLISHED,
            lambda value: pack_published(replace(unpack_published(value), size=100)),
        ),
        [(Kind.PUBLISHED, 100, "no head of that size")],
    ),
    "published checkpoint of another head": (
        META,
        change(
            PUBLISHED,
            lambda value: pack_published(replace(unpack_published(value), size=3)),
        ),
        [(Kind.PUBLISHED, 3, "does not say what its head says")],
    ),
    "published checkpoint older than its head": (
        META,
        change(
            PUBLISHED,
            lambda value: pack_published(replace(unpack_published(value), time_ms=9)),
        ),
        [(Kind.PUBLISHED, SIZE - 3, "older than its head")],
    ),
    "published checkpoint that is none": (
        META,
        change(
            PUBLISHED,
            lambda value: pack_published(replace(unpack_published(value), note=b"no")),
        ),
        [(Kind.PUBLISHED, SIZE - 3, "malformed note")],
    ),
    "idempotency key missing": (
        KEYS,
        drop(b"principal\0key 1"),
        [(Kind.KEY, None, f"stand for {SIZE - 2} entries of {SIZE - 1}")],
    ),
    "idempotency key cut off": (
        KEYS,
        put(b"principal\0key 1", bytes(59)),
        [(Kind.KEY, None, "59 bytes stored"), (Kind.KEY, None, "stand for")],
    ),
    "idempotency key with a flipped bit of its digest": (
        KEYS,
        change(b"principal\0key 1", flip(0)),
        [(Kind.KEY, None, "it is damaged"), (Kind.KEY, None, "stand for")],
    ),
    "idempotency key of nothing": (
        KEYS,
        of_key(lambda used: replace(used, count=0)),
        [(Kind.KEY, 2, "entries [2, 2)"), (Kind.KEY, None, "stand for")],
    ),
    "idempotency key of entry 0": (
        KEYS,
        of_key(lambda used: replace(used, first=0)),
        [(Kind.KEY, 0, "entries [0, 1)"), (Kind.KEY, None, "stand for")],
    ),
    "idempotency key beyond the log": (
        KEYS,
        of_key(lambda used: replace(used, first=SIZE)),
        [(Kind.KEY, SIZE, "which cannot be"), (Kind.KEY, None, "stand for")],
    ),
    "idempotency key of too many entries": (
        KEYS,
        of_key(lambda used: replace(used, count=2**31)),
        [(Kind.KEY, 2, "which cannot be"), (Kind.KEY, None, "stand for")],
    ),
    "idempotency key of the future": (
        KEYS,
        of_key(lambda used: replace(used, time_ms=2**50)),
        [(Kind.KEY, 2, "later than the last head")],
    ),
    "idempotency key too much": (
        KEYS,
        put(b"stray", pack_used_key(b"stray", UsedKey(bytes(32), 1, 1, 0))),
        [(Kind.KEY, None, f"stand for {SIZE} entries of {SIZE - 1}")],
    ),
    "another origin": (
        META,
        put(b"origin", b"another.example"),
        [(Kind.META, 0, "the store says")],
    ),
    "another time of creation": (
        META,
        put(b"created_ms", b"17"),
        [(Kind.META, 0, "the store says")],
    ),
    "an unknown item": (
        META,
        put(b"unknown", b""),
        [(Kind.META, None, "unknown item b'unknown'")],
    ),
}


@pytest.mark.parametrize(("table", "damage", "expected"), TABLE.values(), ids=TABLE)
def test_damage_is_named_once(
    log: StoredLog,
    table: bytes,
    damage: Damage,
    expected: list[tuple[Kind, int | None, str]],
) -> None:
    with raw(log.place, table) as cursor:
        damage(cursor)

    report = log.check()

    found = [
        (problem.kind, problem.size if problem.index is None else problem.index)
        for problem in report.problems
    ]
    assert found == [(kind, place) for kind, place, _ in expected]
    for problem, (_, _, text) in zip(report.problems, expected, strict=True):
        assert text in problem.text
    assert not report.is_sound


ROW_TABLE: dict[str, tuple[Damage, tuple[int, int] | None, str]] = {
    "row of leaves missing": (drop(pack_row_key(0, 0)), (0, 0), "is missing"),
    "interior row missing": (drop(pack_row_key(1, 0)), (1, 0), "is missing"),
    "high row missing": (drop(pack_row_key(9, 0)), (9, 0), "is missing"),
    "leaf flipped": (
        change(pack_row_key(0, 0), flip(7 * 32)),
        (0, 0),
        "1 of 256 hashes are wrong, the first is node 0/7",
    ),
    "interior node flipped": (
        change(pack_row_key(1, 1), flip(3 * 32 + 31)),
        (1, 1),
        "the first is node 1/259",
    ),
    "full interior row flipped in two": (
        change(pack_row_key(1, 0), lambda row: flip(0)(flip(255 * 32)(row))),
        (1, 0),
        "2 of 256 hashes are wrong, the first is node 1/0",
    ),
    "row of leaves cut off": (
        change(pack_row_key(0, 1), lambda row: row[:-32]),
        (0, 1),
        "has 8160 bytes, expected 8192",
    ),
    "interior row cut off": (
        change(pack_row_key(2, 0), lambda row: row[:-1]),
        (2, 0),
        "wrong",
    ),
    "unfinished row of leaves too wide": (
        change(pack_row_key(0, PARTIAL), lambda row: row + bytes(32)),
        (0, PARTIAL),
        "expected",
    ),
    "unfinished interior row too wide": (
        change(pack_row_key(3, 0), lambda row: row + bytes(32)),
        (3, 0),
        "expected",
    ),
    "row beyond the end of its level": (
        put(pack_row_key(0, 3), bytes(32)),
        (0, 3),
        "beyond the end of the tree",
    ),
    "row of a level that is too high": (
        put(pack_row_key(10, 0), bytes(32)),
        (10, 0),
        "beyond the end of the tree",
    ),
    "row of the highest level": (
        put(pack_row_key(255, 2**63), bytes(32)),
        (255, 2**63),
        "beyond the end of the tree",
    ),
    "row key of a wrong shape": (put(b"\0row", bytes(32)), None, "a key of 4 bytes"),
}


@pytest.mark.parametrize(("damage", "place", "text"), ROW_TABLE.values(), ids=ROW_TABLE)
def test_damage_to_a_row_is_named_once(
    log: StoredLog, damage: Damage, place: tuple[int, int] | None, text: str
) -> None:
    with raw(log.place, ROWS) as cursor:
        damage(cursor)

    (problem,) = log.check().problems

    assert problem.kind is Kind.ROW
    assert (problem.level, problem.block) == (place or (None, None))
    assert text in problem.text


def test_many_problems_are_all_named(log: StoredLog) -> None:
    with raw(log.place, ENTRIES) as cursor:
        for index in (5, 6, 400):
            cursor.put(pack_index(index), b"forged")
        cursor.pop(pack_index(9))
    with raw(log.place, ROWS) as cursor:
        cursor.pop(pack_row_key(4, 0))
    with raw(log.place, HEADS) as cursor:
        of_head(lambda head: replace(head, root=bytes(32)))(cursor)

    report = log.check()

    assert {problem.index for problem in report.problems} == {5, 6, 9, 400, None}
    assert report.counts == {Kind.ENTRY: 4, Kind.ROW: 1, Kind.HEAD: 1}


def test_problems_beyond_the_bound_are_counted(log: StoredLog) -> None:
    with raw(log.place, ENTRIES) as cursor:
        for index in range(100):
            cursor.put(pack_index(index), b"forged")

    with opened(log.place) as store:
        report = check_log(store, log.known, most=10)

    assert len(report.problems) == 10
    assert report.counts[Kind.ENTRY] == 100
