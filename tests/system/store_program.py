"""A program that works on one store, for tests that watch or kill it.

    python -m tests.system.store_program write PLACE    commit without end
    python -m tests.system.store_program read PLACE     hold a read transaction
    python -m tests.system.store_program fork PLACE     use the store after a fork

`write` prints the size after each commit, once it is durable.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

from tallystick_merkle.frontier import load_edge
from tallystick_merkle.shape import Node
from tallystick_server.errors import StoreError
from tallystick_server.storage.base import Published
from tallystick_server.storage.conformance import Steps
from tallystick_server.storage.lmdb import LmdbStore, open_store

SMALL_MAP = 256 * 1024


def entry_of(index: int) -> bytes:
    """The entry that is always at an index."""
    return b"entry %d " % index * (index % 80 + 1)


def steps_after(store: LmdbStore) -> Steps:
    """What makes the next commits of a store."""
    head = store.load().head
    steps = Steps()
    steps.edge = load_edge(head.size, store.read_row)
    steps.time_ms = head.time_ms
    return steps


def write(place: Path) -> None:
    """Commit batches of many sizes, and publish now and then."""
    store = open_store(place, map_bytes=SMALL_MAP)
    steps = steps_after(store)
    for turn in count():
        size = steps.edge.size
        entries = [entry_of(size + at) for at in range((1, 1, 7, 90)[turn % 4])]
        store.commit(steps.next(entries, keys=[b"key of entry %d" % size]))
        if turn % 5 == 0:
            store.publish(Published(steps.edge.size, b"note", steps.time_ms))
        print(steps.edge.size, flush=True)  # noqa: T201 -- how it tells


def read(place: Path) -> None:
    """Begin a read transaction and keep it until killed."""
    store = open_store(place, read_only=True)
    with store._map.reading():
        print("reading", flush=True)  # noqa: T201 -- how it tells
        sys.stdin.read()


def fork(place: Path) -> None:
    """Try to use the store in a forked process; end with 0 if that is refused."""
    store = open_store(place)
    child = os.fork()
    if not child:
        os._exit(0 if is_refused(store) else 1)
    _, status = os.waitpid(child, 0)
    store.close()
    sys.exit(os.waitstatus_to_exitcode(status))


def is_refused(store: LmdbStore) -> bool:
    """Whether a store neither reads nor writes."""
    steps = Steps()
    for call in (
        lambda: store.read_nodes([Node(0, 0)]),
        lambda: store.commit(steps.first()),
        lambda: store.publish(Published(1, b"note", 0)),
        store.maintain,
    ):
        try:
            call()
        except StoreError as error:
            if "forked" in str(error):
                continue
        return False
    return True


if __name__ == "__main__":
    {"write": write, "read": read, "fork": fork}[sys.argv[1]](Path(sys.argv[2]))
