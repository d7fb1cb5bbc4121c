"""Makes LMDB stores for tests, and lets a test reach below them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from tallystick_server.storage.base import Commit, Published
from tallystick_server.storage.conformance import Steps, entries_of
from tallystick_server.storage.lmdb import (
    MAP_BYTES,
    LmdbStore,
    create_store,
    open_store,
)


class LmdbBench:
    """Makes one store in a directory."""

    def __init__(self, place: Path, *, map_bytes: int = MAP_BYTES) -> None:
        self.place = place
        self.map_bytes = map_bytes

    def create(self, first: Commit) -> LmdbStore:
        create_store(self.place, first, map_bytes=self.map_bytes)
        return self.open()

    def reopen(self, store: object) -> LmdbStore:
        assert isinstance(store, LmdbStore)
        store.close()
        return self.open()

    def open(self) -> LmdbStore:
        return open_store(self.place, map_bytes=self.map_bytes)


def make_store(place: Path) -> Steps:
    """Make a store with its first commit, closed; give what makes the next ones."""
    steps = Steps()
    place.mkdir(exist_ok=True)
    create_store(place, steps.first())
    return steps


@contextmanager
def raw(place: Path, table: bytes) -> Iterator[lmdb.Cursor[bytes]]:
    """Change a table of a closed store behind its back."""
    with lmdb.open(str(place), max_dbs=16, map_size=MAP_BYTES, lib_version=0) as env:
        handle = env.open_db(table, create=True)
        with env.begin(write=True) as write:
            yield write.cursor(handle)


def grown(place: Path) -> Commit:
    """Make a store of four entries, closed; give its last commit."""
    steps = make_store(place)
    store = open_store(place)
    commit = steps.next(entries_of(3), keys=[b"key"])
    store.commit(commit)
    store.publish(Published(4, b"published", 5))
    store.close()
    return commit
