"""Commit to a store until the address space is used up, with readers beside.

    python -m tests.system.full.bounded_program PLACE

Prints the size after each commit, and at the end why there are no more.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from itertools import count
from pathlib import Path

from tallystick_server.errors import StoreError
from tallystick_server.storage.conformance import Steps
from tallystick_server.storage.lmdb import LmdbStore, create_store, open_store

MAP_BYTES = 64 * 1024
MORE = 96 * 1024 * 1024
"""Address space that may still be taken: the map grows a few times."""

READERS = 3


def read(store: LmdbStore, stop: threading.Event) -> None:
    """Read until told to stop; a store that stopped is an error, never a crash."""
    while not stop.is_set():
        try:
            store.read_entries(0, store.load().head.size)
        except StoreError:
            return


def main(place: Path) -> None:
    """Commit without end, and tell the end."""
    steps = Steps()
    create_store(place, steps.first(), map_bytes=MAP_BYTES)
    store = open_store(place, map_bytes=MAP_BYTES)
    stop = threading.Event()
    readers = [
        threading.Thread(target=read, args=(store, stop)) for _ in range(READERS)
    ]
    for reader in readers:
        reader.start()
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf(
        "SC_PAGE_SIZE"
    )
    resource.setrlimit(resource.RLIMIT_AS, (taken + MORE, taken + MORE))
    try:
        for _ in count():
            store.commit(steps.next([os.urandom(60_000)] * 20))
            print(steps.edge.size, flush=True)  # noqa: T201 -- how it tells
    except StoreError as error:
        print(f"stopped: {error}", flush=True)  # noqa: T201 -- how it tells
    stop.set()
    for reader in readers:
        reader.join()
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
