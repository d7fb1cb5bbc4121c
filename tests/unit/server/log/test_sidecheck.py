"""Each kind of damage beside the events of a stored log is named once, and alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import lmdb
import pytest

from tallystick_merkle.genesis import EVENTS
from tallystick_merkle.sealing import format_record
from tallystick_server.clock import SetClock
from tallystick_server.errors import IntegrityError
from tallystick_server.log.findings import Kind
from tallystick_server.log.fsck import check_log
from tallystick_server.storage.base import Side, StoredRecord, UsedId
from tallystick_server.storage.environment import open_environment
from tallystick_server.storage.lmdb import MAP_BYTES, LmdbStore
from tallystick_server.storage.records import ENTRIES, KEYS, META, ROWS, pack_row_key
from tallystick_server.storage.records import pack_index as at
from tallystick_server.storage.sides import (
    IDS,
    RECORDS,
    VAULT,
    pack_record,
    pack_used_id,
    unpack_record,
    unpack_used_id,
)
from tests.fakes.sealed import OWNER, event_id, sealed
from tests.unit.server.log.damage import Damage, change, drop, flip, put
from tests.unit.server.log.stored_logs import OWN, SIZE, StoredLog, empty_log
from tests.unit.server.log.test_fsck_unreadable import Growing
from tests.unit.server.storage.lmdb_bench import raw

OWN_INDEX = 303
OWN_KEY = b"principal\0key %d" % OWN

Expected = list[tuple[Kind, int | None, str]]


def of_record(index: int, how: Callable[[StoredRecord], StoredRecord]) -> Damage:
    """Change a record, its seal too."""
    return change(
        at(index), lambda value: resealed(index, how(unpack_record(index, value)))
    )


def resealed(index: int, one: StoredRecord) -> bytes:
    return pack_record(Side(index, b"", OWNER, one.index_entry, one.record))


def of_id(number: int, how: Callable[[UsedId], UsedId]) -> Damage:
    """Change what an event id stands for, its seal too."""
    key = event_id(number)
    return change(key, lambda value: pack_used_id(key, how(unpack_used_id(key, value))))


def exchange(index: int, other: int) -> Damage:
    """Put the record of another event in the place of one, under a seal that fits."""

    def damage(cursor: lmdb.Cursor[bytes]) -> None:
        value = cursor.get(at(other))
        assert value is not None
        cursor.put(at(index), resealed(index, unpack_record(other, value)))

    return damage


STRAY = pack_used_id(event_id(9_000), UsedId(7, OWNER, 5))
BEYOND = pack_used_id(event_id(9_000), UsedId(SIZE, OWNER, 5))
RECORD = pack_record(Side(SIZE, b"", OWNER, b"entry", b"record"))
OWN_RECORD = pack_record(Side(OWN_INDEX, b"", OWNER, b"entry", b"record"))

TABLE: dict[str, tuple[bytes, Damage, Expected]] = {
    "record missing": (
        RECORDS,
        drop(at(5)),
        [(Kind.RECORD, 5, "record 5 is missing")],
    ),
    "last record missing": (
        RECORDS,
        drop(at(SIZE - 1)),
        [(Kind.RECORD, SIZE - 1, "is missing")],
    ),
    "record with a flipped bit": (
        RECORDS,
        change(at(5), flip(200)),
        [(Kind.RECORD, 5, "record 5: it is damaged")],
    ),
    "record cut off": (
        RECORDS,
        put(at(5), b"short"),
        [(Kind.RECORD, 5, "record 5: 5 bytes stored")],
    ),
    "record of another event": (
        RECORDS,
        exchange(5, 6),
        [(Kind.RECORD, 5, "record 5: its index entry is not that of the leaf")],
    ),
    "record with an index entry of another event": (
        RECORDS,
        of_record(5, lambda one: replace(one, index_entry=one.index_entry[:-1] + b"x")),
        [(Kind.RECORD, 5, "record 5: its index entry is not that of the leaf")],
    ),
    "record with groups of another event": (
        RECORDS,
        of_record(
            5,
            lambda one: replace(
                one, record=format_record(event_id(5), 5, sealed(9).groups)
            ),
        ),
        [(Kind.RECORD, 5, "record 5: its groups are not those of the leaf")],
    ),
    "record of another time": (
        RECORDS,
        of_record(
            5,
            lambda one: replace(
                one, record=format_record(event_id(5), 5, sealed(5).groups)
            ),
        ),
        [(Kind.RECORD, 5, "record 5: it is of time 5, its leaf of")],
    ),
    "record that is none": (
        RECORDS,
        of_record(5, lambda one: replace(one, record=b"rubbish")),
        [(Kind.RECORD, 5, "record 5: malformed")],
    ),
    "record under another id": (
        RECORDS,
        of_record(
            5,
            lambda one: replace(
                one, record=one.record.replace(event_id(5), event_id(9_000))
            ),
        ),
        [
            (Kind.ID, 5, f"{event_id(9_000).hex()} of entry 5 is not stored"),
            (Kind.ID, 5, f"{event_id(5).hex()} is stored for entry 5, which is not"),
        ],
    ),
    "record of an entry of the server's own": (
        RECORDS,
        put(at(OWN_INDEX), OWN_RECORD),
        [(Kind.RECORD, OWN_INDEX, "is that of no event")],
    ),
    "record beyond the last head": (
        RECORDS,
        put(at(SIZE), RECORD),
        [(Kind.RECORD, SIZE, "stored beyond the last head")],
    ),
    "record key of a wrong shape": (
        RECORDS,
        put(at(5) + b"x", RECORD),
        [(Kind.RECORD, None, "table records: a key of 9 bytes")],
    ),
    "id missing": (
        IDS,
        drop(event_id(5)),
        [(Kind.ID, 5, f"{event_id(5).hex()} of entry 5 is not stored")],
    ),
    "id with a flipped bit": (
        IDS,
        change(event_id(5), flip(3)),
        [(Kind.ID, None, f"event id {event_id(5).hex()}: it is damaged")],
    ),
    "id of another index": (
        IDS,
        of_id(5, lambda used: replace(used, index=6)),
        [(Kind.ID, 5, "is stored for entry 6 and time")],
    ),
    "id of another time": (
        IDS,
        of_id(5, lambda used: replace(used, time_ms=17)),
        [(Kind.ID, 5, "is stored for entry 5 and time 17")],
    ),
    "id too much": (
        IDS,
        put(event_id(9_000), STRAY),
        [(Kind.ID, 7, "is stored for entry 7, which is not the event of that id")],
    ),
    "id beyond the last head": (
        IDS,
        put(event_id(9_000), BEYOND),
        [(Kind.ID, SIZE, f"is stored for entry {SIZE}, which is not")],
    ),
    "id of a wrong shape": (
        IDS,
        put(b"short", STRAY),
        [(Kind.ID, None, f"event id {b'short'.hex()}: ")],
    ),
    "id too much that is damaged": (
        IDS,
        put(event_id(9_000), bytes(40)),
        [(Kind.ID, None, f"event id {event_id(9_000).hex()}: it is damaged")],
    ),
    "mark of the vault missing": (
        META,
        drop(VAULT),
        [(Kind.META, None, "there are events, and no vault that they depend on")],
    ),
    "mark of the vault damaged": (
        META,
        change(VAULT, flip(2)),
        [(Kind.META, None, "vault mark: it is damaged")],
    ),
    "leaf changed": (
        ENTRIES,
        change(at(5), flip(30)),
        [(Kind.ENTRY, 5, "entry 5 is not the one")],
    ),
    "leaf that is none any more": (
        ENTRIES,
        put(at(5), b"forged"),
        [(Kind.ENTRY, 5, "entry 5 is not the one")],
    ),
    "leaf missing": (
        ENTRIES,
        drop(at(5)),
        [(Kind.ENTRY, 5, "entry 5 is not stored")],
    ),
    "key of the server's own entry missing": (
        KEYS,
        drop(OWN_KEY),
        [(Kind.KEY, None, "stand for 0 entries of 1")],
    ),
    "row of leaves missing": (
        ROWS,
        drop(pack_row_key(0, 0)),
        [(Kind.ROW, None, "row 0/0 is missing")],
    ),
}


@pytest.mark.parametrize(("table", "damage", "expected"), TABLE.values(), ids=TABLE)
def test_damage_is_named_once(
    event_log: StoredLog, table: bytes, damage: Damage, expected: Expected
) -> None:
    with raw(event_log.place, table) as cursor:
        damage(cursor)

    report = event_log.check()

    found = [(problem.kind, problem.index) for problem in report.problems]
    assert found == [(kind, index) for kind, index, _ in expected]
    for problem, (_, _, text) in zip(report.problems, expected, strict=True):
        assert text in problem.text
    assert not report.is_sound


def test_a_sound_log_of_events_has_no_problem(event_log: StoredLog) -> None:
    report = event_log.check()

    assert report.problems == ()
    assert (report.size, report.events, report.keys) == (SIZE, SIZE - 2, 1)


def test_an_entry_that_became_an_event_is_named_as_an_entry(
    event_log: StoredLog,
) -> None:
    with raw(event_log.place, ENTRIES) as cursor:
        leaf = cursor.get(at(5))
        assert leaf is not None
        cursor.put(at(OWN_INDEX), leaf)

    report = event_log.check()

    assert [(one.kind, one.index) for one in report.problems] == [
        (Kind.ENTRY, OWN_INDEX)
    ]


def test_a_raw_log_with_the_mark_of_a_vault_has_an_unknown_item(log: StoredLog) -> None:
    with raw(log.place, META) as cursor:
        cursor.put(VAULT, bytes(32))

    (problem,) = log.check().problems

    assert problem.text == "table meta: unknown item b'vault'"


class CutShort(LmdbStore):
    """A store in which a table cannot be read from the fifth item on."""

    cut = b""

    def scan(
        self, table: bytes, *, start: bytes = b""
    ) -> Iterator[tuple[bytes, bytes]]:
        rows = super().scan(table, start=start)
        if table != self.cut:
            yield from rows
            return
        yield from islice(rows, 4)
        raise IntegrityError("the rest cannot be read")


@pytest.mark.parametrize(
    ("table", "damage", "expected"),
    [
        (RECORDS, drop(at(2)), ["record 2 is missing", "the rest cannot be read"]),
        (IDS, put(event_id(9_000), STRAY), ["the rest cannot be read"]),
    ],
    ids=["records", "ids"],
)
def test_a_table_that_cannot_be_read_is_one_problem(
    event_log: StoredLog, table: bytes, damage: Damage, expected: list[str]
) -> None:
    with raw(event_log.place, table) as cursor:
        damage(cursor)
    store = CutShort(
        open_environment(event_log.place, read_only=False, map_bytes=MAP_BYTES)
    )
    store.cut = table

    report = check_log(store, event_log.known)
    store.close()

    texts = sorted(problem.text for problem in report.problems)
    assert len(texts) == len(expected)
    assert all(text.endswith(end) for text, end in zip(texts, expected, strict=True))
    assert report.events == SIZE - 2


def test_events_that_are_committed_meanwhile_are_no_problem(
    event_log: StoredLog,
) -> None:
    environment = open_environment(
        event_log.place, read_only=False, map_bytes=MAP_BYTES
    )
    store = Growing(environment)
    store.log = event_log

    report = check_log(store, event_log.known)

    assert report.problems == ()
    assert (report.size, store.load().head.size) == (SIZE, 2 * SIZE - 1)
    store.close()


def test_a_log_of_events_without_any_is_sound(tmp_path: Path) -> None:
    report = empty_log(tmp_path, EVENTS, SetClock()).check()

    assert (report.problems, report.size, report.events) == ((), 1, 0)
