"""The map grows under readers, and a commit never needs more than was foreseen."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import lmdb
import pytest

from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.shape import Node
from tallystick_server.storage.conformance import Steps, entries_of
from tallystick_server.storage.event_conformance import with_events
from tallystick_server.storage.lmdb import LmdbStore, create_store, open_store
from tallystick_server.storage.mapping import MARGIN, GrowingMap, room_for
from tests.unit.server.storage.lmdb_bench import make_store

SMALL_MAP = 64 * 1024

FIXED = 256 * 1024

SIZES = (0, 1, 60, 300, 900, 1900, 2030, 2100, 4080, 9000, 65_535)


@contextmanager
def opened(place: Path, map_bytes: int) -> Iterator[tuple[LmdbStore, Steps]]:
    """A new store with a map of its own size."""
    steps = Steps()
    create_store(place, steps.first(), map_bytes=map_bytes)
    store = open_store(place, map_bytes=map_bytes)
    yield store, steps
    store.close()


def test_the_map_grows_as_the_log_needs_it(tmp_path: Path) -> None:
    with opened(tmp_path, SMALL_MAP) as (store, steps):
        for _ in range(5):
            store.commit(steps.next([bytes(65_535)] * 80))

        assert store.load().head.size == 401
        assert store._env.info()["map_size"] > 400 * 65_535


def test_a_map_that_is_large_enough_stays(tmp_path: Path) -> None:
    with opened(tmp_path, 4 * MARGIN) as (store, steps):
        store.commit(steps.next(entries_of(10)))

        assert store._env.info()["map_size"] == 4 * MARGIN


def test_readers_see_whole_answers_while_the_map_grows(tmp_path: Path) -> None:
    entries = [bytes([at]) * 30_000 for at in range(200)]
    done = threading.Event()

    def read(store: LmdbStore) -> int:
        rounds = 0
        while not done.is_set() or not rounds:
            size = store.load().head.size
            found = store.read_entries(0, size)
            nodes = store.read_nodes([Node(0, index) for index in range(size)])
            assert nodes == leaf_hashes(found)
            assert sum(1 for _ in store.heads()) >= 1
            rounds += 1
        return rounds

    with (
        opened(tmp_path, SMALL_MAP) as (store, steps),
        ThreadPoolExecutor(max_workers=4) as pool,
    ):
        readers = [pool.submit(read, store) for _ in range(3)]
        for start in range(0, len(entries), 20):
            store.commit(steps.next(entries[start : start + 20]))
        for grown in range(28, 34):  # a map is address space only
            store._map.make_room(1 << grown)
        done.set()
        assert all(reader.result() for reader in readers)
        assert store.read_entries(1, 201) == entries


@pytest.mark.parametrize("seed", range(4))
def test_a_commit_takes_no_more_room_than_foreseen(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with opened(tmp_path, 1 << 30) as (store, steps):
        pinned = store._env.begin()  # so that no freed page is used again
        for _ in range(25):
            sizes = chance.choices(SIZES, k=chance.choice([1, 3, 40, 400]))
            keys = [chance.randbytes(40) for _ in range(chance.choice([0, 1, 60]))]
            commit = steps.next([chance.randbytes(size) for size in sizes], keys=keys)
            before = store._env.info()["last_pgno"]
            store.commit(commit)
            taken = (store._env.info()["last_pgno"] - before) * store._map.page

            assert taken <= room_for(commit, page=store._map.page) - MARGIN + FIXED
        pinned.abort()


@pytest.mark.parametrize("seed", range(3))
def test_a_commit_of_events_takes_no_more_room_than_foreseen(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    steps = Steps()
    create_store(tmp_path, steps.first(kind="events"), map_bytes=1 << 30)
    store = open_store(tmp_path, map_bytes=1 << 30)
    pinned = store._env.begin()
    for _ in range(20):
        count = chance.choice([1, 3, 40, 400])
        record = chance.randbytes(chance.choice([300, 700, 2030, 9000]))
        entries = [chance.randbytes(80) for _ in range(count)]
        commit = with_events(steps.next(entries), record=record)
        before = store._env.info()["last_pgno"]
        store.commit(commit)
        taken = (store._env.info()["last_pgno"] - before) * store._map.page

        assert taken <= room_for(commit, page=store._map.page) - MARGIN + FIXED
    pinned.abort()
    store.close()


def test_growth_waits_for_a_reader_and_a_reader_for_growth(tmp_path: Path) -> None:
    make_store(tmp_path)
    env = lmdb.open(str(tmp_path), max_dbs=16, lib_version=0)
    guard = GrowingMap(env)
    order: list[str] = []

    def grow() -> None:
        guard.make_room(1 << 28)
        order.append("grown")

    def read_later() -> None:
        with guard.reading():
            order.append("read with the map that grew")

    with ThreadPoolExecutor(max_workers=2) as pool:
        with guard.reading() as read:
            growth = pool.submit(grow)
            wait_until_taken(guard)
            late = pool.submit(read_later)
            assert read.get(b"nothing") is None
            order.append("first reader done")
        growth.result()
        late.result()

    assert order[0] == "first reader done"
    assert env.info()["map_size"] >= 1 << 28
    env.close()


def test_two_changes_of_the_map_take_turns(tmp_path: Path) -> None:
    make_store(tmp_path)
    env = lmdb.open(str(tmp_path), max_dbs=16, lib_version=0)
    guard = GrowingMap(env)
    order: list[str] = []

    def grow() -> None:
        guard.make_room(1 << 28)
        order.append("second")

    with ThreadPoolExecutor(max_workers=1) as pool:
        with guard.alone():
            second = pool.submit(grow)
            order.append("first")
        second.result()

    assert order == ["first", "second"]
    env.close()


def test_an_error_of_a_reader_lets_the_map_grow(tmp_path: Path) -> None:
    make_store(tmp_path)
    env = lmdb.open(str(tmp_path), max_dbs=16, lib_version=0)
    guard = GrowingMap(env)

    with pytest.raises(KeyError), guard.reading():
        raise KeyError

    guard.make_room(1 << 28)
    env.close()
    with pytest.raises(lmdb.Error), guard.reading():
        raise AssertionError
    with guard.alone():
        assert guard._readers == 0


def wait_until_taken(guard: GrowingMap) -> None:
    """Wait until somebody waits to change the map."""
    with guard._turn:
        assert guard._turn.wait_for(lambda: guard._is_taken, timeout=10)
