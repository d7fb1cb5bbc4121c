"""A program that commits to a store whose map grows, for tests that watch it.

    python -m tests.system.power.program PLACE COMMITS [sync|no-metasync|no-sync]

It makes the store, commits, and prints the size after each commit, which by then is
durable, unless the store was opened in a way that the product never does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lmdb

from tallystick_server.storage.base import Published
from tallystick_server.storage.conformance import Steps
from tallystick_server.storage.lmdb import LmdbStore, create_store, open_store

SMALL_MAP = 256 * 1024

_LENGTHS = (1, 40, 700, 3000, 9000)


def entry_of(index: int) -> bytes:
    """The entry that is always at an index."""
    return b"entry %d " % index * (_LENGTHS[index % 5] // 8 + 1)


def open_sabotaged(place: Path, way: str) -> LmdbStore:
    """Open a store without what makes a commit durable."""
    env = lmdb.open(
        str(place),
        map_size=SMALL_MAP,
        sync=way != "no-sync",
        metasync=False,
        max_dbs=16,
        lib_version=0,
    )
    return LmdbStore(env)


def main(place: Path, commits: int, way: str) -> None:
    """Commit, and publish now and then."""
    steps = Steps()
    create_store(place, steps.first(), map_bytes=SMALL_MAP)
    if way == "sync":
        store = open_store(place, map_bytes=SMALL_MAP)
    else:
        store = open_sabotaged(place, way)
    for turn in range(commits):
        size = steps.edge.size
        entries = [entry_of(size + at) for at in range((1, 1, 7, 30)[turn % 4])]
        store.commit(steps.next(entries, keys=[b"key of entry %d" % size]))
        print(steps.edge.size, flush=True)  # noqa: T201 -- how it tells
        if turn % 5 == 0:
            store.publish(Published(steps.edge.size, b"note", steps.time_ms))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if sys.argv[3:] else "sync")
