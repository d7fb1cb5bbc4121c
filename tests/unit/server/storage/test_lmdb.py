"""The LMDB store passes the suite of stores, and keeps rules of its own."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest

from tallystick_server.errors import (
    IntegrityError,
    NotInitialisedError,
    ServerError,
    StoreError,
    UsageError,
)
from tallystick_server.storage.base import FORMAT
from tallystick_server.storage.conformance import (
    CASES,
    ORIGIN,
    Steps,
    Workbench,
    entries_of,
)
from tallystick_server.storage.event_conformance import EVENT_CASES
from tallystick_server.storage.lmdb import create_store, open_store
from tallystick_server.storage.records import ENTRIES, META, TABLES, About
from tests.unit.server.storage.lmdb_bench import LmdbBench, grown, make_store, raw


@pytest.mark.parametrize("case", CASES + EVENT_CASES, ids=lambda case: case.__name__)
def test_the_lmdb_store_conforms(
    case: Callable[[Workbench], None], tmp_path: Path
) -> None:
    case(LmdbBench(tmp_path))


def test_every_commit_is_synced_and_no_page_is_written_through_the_map(
    tmp_path: Path,
) -> None:
    make_store(tmp_path)

    store = open_store(tmp_path)

    flags = store._env.flags()
    assert (flags["sync"], flags["metasync"]) == (True, True)
    assert (flags["writemap"], flags["map_async"]) == (False, False)
    store.close()


def test_the_format_is_the_one_of_lmdb_0_9(tmp_path: Path) -> None:
    make_store(tmp_path)

    store = open_store(tmp_path)

    assert store._env.lib_version()[:2] == (0, 9)
    store.close()


def test_another_default_format_in_the_environment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path)
    monkeypatch.setenv("LMDB_DEFAULT_LIB_VERSION", "1")

    with pytest.raises(UsageError, match="LMDB_DEFAULT_LIB_VERSION is set"):
        open_store(tmp_path)


def test_a_store_says_what_it_is(tmp_path: Path) -> None:
    steps = make_store(tmp_path)

    store = open_store(tmp_path)

    assert store.about == About("raw", ORIGIN, steps.time_ms - 1)
    store.close()


def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    make_store(tmp_path)

    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}

    assert modes == {"data.mdb": 0o600, "lock.mdb": 0o600}


def test_a_directory_that_is_missing_is_not_initialised(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="tallystick server init"):
        open_store(tmp_path / "nothing")

    assert list(tmp_path.iterdir()) == []


def test_a_directory_without_its_file_is_a_loss_and_no_empty_log(
    tmp_path: Path,
) -> None:
    with pytest.raises(IntegrityError, match="data are gone"):
        open_store(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 4096, 8191])
def test_an_empty_or_short_file_is_no_empty_log(tmp_path: Path, size: int) -> None:
    make_store(tmp_path)
    os.truncate(tmp_path / "data.mdb", size)

    with pytest.raises(IntegrityError, match=f"has {size} bytes"):
        open_store(tmp_path)

    assert (tmp_path / "data.mdb").stat().st_size == size


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    make_store(tmp_path)
    (tmp_path / "data.mdb").write_bytes(b"no lmdb" * 4096)

    with pytest.raises(IntegrityError, match="is not a log's file"):
        open_store(tmp_path)


def test_a_file_of_a_newer_lmdb_is_refused(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path), lib_version=1).close()

    with pytest.raises(IntegrityError, match="is not a log's file"):
        open_store(tmp_path)


def test_a_file_that_cannot_be_read_is_an_error_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").symlink_to("data.mdb")

    with pytest.raises(StoreError, match="cannot read"):
        open_store(tmp_path)


def test_an_environment_that_is_open_already_is_an_error(tmp_path: Path) -> None:
    make_store(tmp_path)
    store = open_store(tmp_path)

    with pytest.raises(StoreError, match="cannot open"):
        open_store(tmp_path)

    store.close()


def test_a_file_cut_short_is_refused_before_it_is_read(tmp_path: Path) -> None:
    steps = make_store(tmp_path)
    store = open_store(tmp_path)
    store.commit(steps.next([bytes(60_000)] * 20))
    store.close()
    os.truncate(tmp_path / "data.mdb", 200_000)

    with pytest.raises(IntegrityError, match="beyond EOF"):
        open_store(tmp_path)
    with pytest.raises(IntegrityError, match="cut short"):
        open_store(tmp_path, read_only=True)


@pytest.mark.parametrize("table", TABLES, ids=bytes.decode)
def test_a_missing_table_is_refused(tmp_path: Path, table: bytes) -> None:
    make_store(tmp_path)
    with lmdb.open(str(tmp_path), max_dbs=16, lib_version=0) as env:
        handle = env.open_db(table)
        with env.begin(write=True) as write:
            write.drop(handle)

    with pytest.raises(IntegrityError, match="does not hold the tables"):
        open_store(tmp_path)


def test_an_lmdb_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path), lib_version=0).close()

    with pytest.raises(IntegrityError, match="does not hold the tables"):
        open_store(tmp_path)


@pytest.mark.parametrize("item", ["format", "kind", "origin", "created_ms"])
def test_a_missing_item_of_meta_is_named(tmp_path: Path, item: str) -> None:
    make_store(tmp_path)
    with raw(tmp_path, META) as cursor:
        cursor.pop(item.encode())

    with pytest.raises(IntegrityError, match=f"{item} is missing"):
        open_store(tmp_path)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("format", b"0"),
        ("format", b"one"),
        ("kind", b"\xff"),
        ("origin", b""),
        ("origin", b"with space"),
        ("created_ms", b"-1"),
    ],
)
def test_a_wrong_item_of_meta_is_refused(
    tmp_path: Path, item: str, value: bytes
) -> None:
    make_store(tmp_path)
    with raw(tmp_path, META) as cursor:
        cursor.put(item.encode(), value)

    with pytest.raises(IntegrityError, match="table meta"):
        open_store(tmp_path)


def test_a_store_of_a_newer_format_is_refused_without_a_touch(tmp_path: Path) -> None:
    make_store(tmp_path)
    with raw(tmp_path, META) as cursor:
        cursor.put(b"format", b"%d" % (FORMAT + 1))
    before = (tmp_path / "data.mdb").read_bytes()

    with pytest.raises(UsageError, match="run the newer version"):
        open_store(tmp_path)

    assert (tmp_path / "data.mdb").read_bytes() == before


def test_a_store_is_never_made_where_one_is(tmp_path: Path) -> None:
    make_store(tmp_path)
    before = (tmp_path / "data.mdb").read_bytes()

    with pytest.raises(UsageError, match="never overwritten"):
        create_store(tmp_path, Steps().first())

    assert (tmp_path / "data.mdb").read_bytes() == before


def test_a_store_cannot_be_made_without_its_directory(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a directory"):
        create_store(tmp_path / "missing", Steps().first())

    assert list(tmp_path.iterdir()) == []


def test_a_first_commit_without_genesis_entry_makes_no_store(tmp_path: Path) -> None:
    first = Steps().next([b"no genesis"])

    with pytest.raises(StoreError, match="no genesis entry"):
        create_store(tmp_path, first)

    assert list(tmp_path.iterdir()) == []


def test_a_map_too_small_for_the_first_commit_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot make a store"):
        create_store(tmp_path, Steps().first(), map_bytes=8192)


def test_a_store_opened_for_reading_takes_no_write(tmp_path: Path) -> None:
    commit = grown(tmp_path)
    store = open_store(tmp_path, read_only=True)

    with pytest.raises(StoreError, match="the write failed"):
        store.commit(replace(commit, parent_size=4))

    assert store.load().head == commit.head
    store.close()


def test_an_error_of_the_engine_is_never_bare(tmp_path: Path) -> None:
    grown(tmp_path)
    store = open_store(tmp_path)
    store._env.close()

    with pytest.raises(ServerError, match="the last head cannot be read"):
        store.load()


def test_a_damaged_page_is_named_when_it_is_read(tmp_path: Path) -> None:
    commit = grown(tmp_path)
    file = tmp_path / "data.mdb"
    data = bytearray(file.read_bytes())
    for page in range(2, len(data) // 4096):
        here = slice(page * 4096, (page + 1) * 4096)
        if commit.head.note in data[here]:
            data[here] = bytes(4096)
    file.write_bytes(data)
    store = open_store(tmp_path, read_only=True)

    with pytest.raises(IntegrityError, match="the last head cannot be read"):
        store.load()

    store.close()


def test_a_process_that_was_forked_off_is_refused(tmp_path: Path) -> None:
    make_store(tmp_path)
    store = open_store(tmp_path)
    store._pid += 1

    with pytest.raises(StoreError, match="forked from"):
        store.load()

    store._pid -= 1
    store.close()


def test_maintenance_frees_nothing_while_nobody_died(tmp_path: Path) -> None:
    make_store(tmp_path)
    store = open_store(tmp_path)

    assert store.maintain() == 0
    store.close()


def test_raw_items_and_keys_are_read_in_order_over_many_chunks(tmp_path: Path) -> None:
    steps = make_store(tmp_path)
    store = open_store(tmp_path)
    store.commit(steps.next(entries_of(9_000)))
    store.commit(steps.next([bytes(65_535)] * 300))

    items = list(store.scan(ENTRIES))

    assert [int.from_bytes(key, "big") for key, _ in items] == list(range(9_301))
    assert [value for _, value in items] == store.read_entries(0, 9_301)
    assert list(store.scan_keys(ENTRIES)) == [key for key, _ in items]
    assert store.count(ENTRIES) == 9_301
    store.close()
