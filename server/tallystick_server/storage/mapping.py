"""The memory map of an LMDB environment: read under it, grow it when nobody reads.

Replacing the map kills every open transaction of the process.  So reads and growth
take turns: any number of readers at once, or one change of the map alone.  A reader
never waits for a commit, only for the moment in which the map is exchanged.

Before a commit, `room_for` says how much it may need at worst, and `make_room` grows
the map until that much is free; a map is address space, not memory or disk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import lmdb

from tallystick_server.storage.base import Commit

MARGIN = 16 * 1024 * 1024
"""Free bytes that any write finds at least: tables, free list, a long note."""

_PER_VALUE = 64


def room_for(commit: Commit, *, page: int) -> int:
    """Give the most bytes of new pages that a commit can need, freed ones not counted.

    `page` is the size of a page.  A value stored in a leaf may leave as much again
    unused; a longer one has pages of its own; each row, each random key and each event
    id copies its path: a leaf and a branch, both of which may split.
    """
    path = 4 * page
    need = sum(2 * (len(entry) + _PER_VALUE) + page // 16 for entry in commit.entries)
    need += sum(len(entry) + page for entry in commit.entries if 4 * len(entry) > page)
    for side in commit.sides:
        size = len(side.index_entry) + len(side.record)
        need += 2 * (size + _PER_VALUE) + page // 16 + path
        need += size + page if 4 * size > page else 0
    need += sum(len(row.hashes) + page + path for row in commit.rows)
    need += sum(len(key) + path for key, _ in commit.keys)
    return need + len(commit.head.note) + MARGIN


class GrowingMap:
    """Guards the map of one environment; threads of one process share it."""

    def __init__(self, env: lmdb.Environment) -> None:
        """Guard `env`, which must not be read or resized but through this."""
        self._env = env
        self.page = env.stat()["psize"]
        """Bytes in a page."""
        self._lock = threading.Lock()
        self._turn = threading.Condition(self._lock)
        self._readers = 0
        self._is_taken = False

    @property
    def pages(self) -> int:
        """Pages that the file has by its own account, free ones at its end included."""
        return self._env.info()["last_pgno"] + 1

    @contextmanager
    def reading(self) -> Iterator[lmdb.Transaction[memoryview]]:
        """Open a read transaction; keep it short, and copy what outlives it."""
        transaction = self.begin()
        try:
            yield transaction
        finally:
            self.end(transaction)

    def begin(self) -> lmdb.Transaction[memoryview]:
        """Begin a read transaction, to be given to `end`: `reading` without its cost.

        Adopts the map of another process that grew it.
        """
        self._enter()
        try:
            return self._env.begin(buffers=True)
        except lmdb.MapResizedError:
            self._leave()
        except BaseException:
            self._leave()
            raise
        with self.alone():
            self._env.set_mapsize(0)
        return self.begin()

    def end(self, transaction: lmdb.Transaction[memoryview]) -> None:
        """End what `begin` gave; nothing that was read may be used any more."""
        transaction.abort()
        self._leave()

    def make_room(self, need: int) -> None:
        """Grow the map until `need` bytes are free. No write transaction may be open.

        Waits for the readers that are under way; new ones wait for it.
        """
        info = self._env.info()
        used = (info["last_pgno"] + 1) * self.page
        size = info["map_size"]
        if size - used >= need:
            return
        while size - used < need:
            size *= 2
        with self.alone():
            self._env.set_mapsize(size)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody reads, and keep everybody out meanwhile."""
        with self._turn:
            self._turn.wait_for(lambda: not self._is_taken)
            self._is_taken = True
            self._turn.wait_for(lambda: not self._readers)
        try:
            yield
        finally:
            with self._turn:
                self._is_taken = False
                self._turn.notify_all()

    def _enter(self) -> None:
        with self._lock:
            while self._is_taken:
                self._turn.wait()
            self._readers += 1

    def _leave(self) -> None:
        with self._lock:
            self._readers -= 1
            if self._is_taken and not self._readers:
                self._turn.notify_all()
