"""Damage inside a store is found at loading or reading, and named."""

from pathlib import Path

import lmdb
import pytest

from tallystick_merkle.shape import Node
from tallystick_server.errors import (
    IntegrityError,
    StoreError,
)
from tallystick_server.storage.base import Published
from tallystick_server.storage.conformance import Steps, entries_of
from tallystick_server.storage.event_conformance import id_of, with_events
from tallystick_server.storage.lmdb import create_store, open_store
from tallystick_server.storage.records import (
    ENTRIES,
    HEADS,
    META,
    PUBLISHED,
    pack_index,
    pack_published,
)
from tallystick_server.storage.sides import IDS, RECORDS, SIDE_TABLES, VAULT
from tests.unit.server.storage.lmdb_bench import grown, make_store, raw


def drop_last(place: Path, table: bytes) -> None:
    """Remove the last item of a table."""
    with raw(place, table) as cursor:
        cursor.last()
        cursor.delete()


def error_of_load(place: Path) -> str:
    """Load a store; give the text of the IntegrityError that it must raise."""
    store = open_store(place)
    try:
        with pytest.raises(IntegrityError) as caught:
            store.load()
    finally:
        store.close()
    return str(caught.value)


def test_a_lost_entry_at_the_end_is_found_at_loading(tmp_path: Path) -> None:
    grown(tmp_path)
    drop_last(tmp_path, ENTRIES)

    assert "3 entries up to index 2" in error_of_load(tmp_path)


def test_an_entry_beyond_the_head_is_found_at_loading(tmp_path: Path) -> None:
    grown(tmp_path)
    with raw(tmp_path, ENTRIES) as cursor:
        cursor.put((9).to_bytes(8, "big"), b"stray")

    assert "5 entries up to index 9" in error_of_load(tmp_path)


def test_a_lost_head_is_found_at_loading(tmp_path: Path) -> None:
    grown(tmp_path)
    drop_last(tmp_path, HEADS)

    assert "the last head has size 1" in error_of_load(tmp_path)


def test_a_store_without_entries_is_found_at_loading(tmp_path: Path) -> None:
    make_store(tmp_path)
    drop_last(tmp_path, ENTRIES)

    assert "0 entries up to index -1" in error_of_load(tmp_path)


def test_a_store_without_heads_is_found_and_refuses_to_publish(tmp_path: Path) -> None:
    make_store(tmp_path)
    drop_last(tmp_path, HEADS)

    assert "no head at all" in error_of_load(tmp_path)
    store = open_store(tmp_path)
    with pytest.raises(IntegrityError, match="no head at all"):
        store.publish(Published(1, b"note", 0))
    store.close()


def test_a_published_size_beyond_the_head_is_found_at_loading(tmp_path: Path) -> None:
    make_store(tmp_path)
    with raw(tmp_path, META) as cursor:
        cursor.put(PUBLISHED, pack_published(Published(2, b"note", 0)))

    assert "size 2 was published" in error_of_load(tmp_path)


def test_a_published_checkpoint_under_a_rotten_key_is_found_at_loading(
    tmp_path: Path,
) -> None:
    """Else the log would take itself for one that was never published."""
    grown(tmp_path)
    with raw(tmp_path, META) as cursor:
        cursor.put(b"publishdd", cursor.pop(PUBLISHED) or b"")

    assert "unknown item b'publishdd'" in error_of_load(tmp_path)


def test_a_head_of_a_wrong_length_is_found_at_loading(tmp_path: Path) -> None:
    make_store(tmp_path)
    with raw(tmp_path, HEADS) as cursor:
        cursor.put((1).to_bytes(8, "big"), bytes(40))

    assert "head of size 1: 40 bytes" in error_of_load(tmp_path)


def test_a_row_that_is_too_short_is_named(tmp_path: Path) -> None:
    grown(tmp_path)
    with raw(tmp_path, b"rows") as cursor:
        cursor.put(bytes(9), bytes(3 * 32 + 31))
    store = open_store(tmp_path)

    with pytest.raises(IntegrityError, match=r"node 0/3 \(row 0/0\) is not stored"):
        store.read_nodes([Node(0, 2), Node(0, 3)])

    store.close()


def test_a_gap_among_entries_is_named(tmp_path: Path) -> None:
    grown(tmp_path)
    with raw(tmp_path, ENTRIES) as cursor:
        cursor.pop((2).to_bytes(8, "big"))
    store = open_store(tmp_path)

    with pytest.raises(IntegrityError, match="entry 2 is not stored"):
        store.read_entries(0, 4)

    store.close()


def test_a_stray_key_among_entries_hides_none(tmp_path: Path) -> None:
    commit = grown(tmp_path)
    with raw(tmp_path, ENTRIES) as cursor:
        cursor.put((2).to_bytes(8, "big") + b"x", b"stray")
    store = open_store(tmp_path)

    assert store.read_entries(1, 4) == list(commit.entries)
    store.close()


def test_a_head_table_that_is_ahead_of_the_commit_refuses_it(tmp_path: Path) -> None:
    steps = make_store(tmp_path)
    with raw(tmp_path, ENTRIES) as cursor:
        cursor.put((1).to_bytes(8, "big"), b"stray")
    store = open_store(tmp_path)

    with pytest.raises(StoreError, match="collides with what is stored"):
        store.commit(steps.next([b"one"]))

    assert store.count(HEADS) == 1
    store.close()


def of_events(place: Path) -> None:
    """Make a store with three events, closed."""
    steps = Steps()
    create_store(place, steps.first(kind="events"))
    store = open_store(place)
    store.commit(with_events(steps.next(entries_of(3))))
    store.close()


def test_a_damaged_vault_mark_is_found_at_loading(tmp_path: Path) -> None:
    of_events(tmp_path)
    with raw(tmp_path, META) as cursor:
        cursor.put(VAULT, bytes(48))

    assert "vault mark: it is damaged" in error_of_load(tmp_path)


def test_a_raw_log_with_the_mark_of_a_vault_is_not_loaded(tmp_path: Path) -> None:
    grown(tmp_path)
    with raw(tmp_path, META) as cursor:
        cursor.put(VAULT, bytes(48))

    assert "unknown item b'vault'" in error_of_load(tmp_path)


@pytest.mark.parametrize("table", SIDE_TABLES)
def test_a_log_of_events_without_a_table_of_its_own_does_not_open(
    tmp_path: Path, table: bytes
) -> None:
    of_events(tmp_path)
    with lmdb.open(str(tmp_path), max_dbs=16, lib_version=0) as env:
        handle = env.open_db(table)
        with env.begin(write=True) as write:
            write.drop(handle)

    with pytest.raises(IntegrityError, match="does not hold the tables of a log"):
        open_store(tmp_path)


@pytest.mark.parametrize(
    ("table", "key", "expected"),
    [
        (RECORDS, pack_index(2), "record 2: it is damaged"),
        (RECORDS, b"stray", "table records: a key of 5 bytes"),
        (IDS, id_of(2), f"event id {id_of(2).hex()}: it is damaged"),
    ],
)
def test_a_damaged_side_of_an_event_is_named(
    tmp_path: Path, table: bytes, key: bytes, expected: str
) -> None:
    of_events(tmp_path)
    with raw(tmp_path, table) as cursor:
        cursor.put(key, bytes(60))

    store = open_store(tmp_path)
    with pytest.raises(IntegrityError, match=expected):
        _ = store.find_ids([key]) if table == IDS else store.read_records(0, 2**64 - 1)
    store.close()
