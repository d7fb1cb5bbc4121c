"""Makes a log on disk as a server does, for tests that damage it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

from tallystick_merkle.genesis import EVENTS, RAW
from tallystick_merkle.keys import SigningKey
from tallystick_merkle.tile import format_bundle
from tallystick_server.clock import SetClock
from tallystick_server.log.commit import Submission
from tallystick_server.log.create import create_log
from tallystick_server.log.digests import batch_digest, entry_digest
from tallystick_server.log.fsck import FsckReport, Known, check_log
from tallystick_server.log.keyring import KeySigner, read_key
from tallystick_server.log.paths import key_path, store_directory
from tallystick_server.log.startup import load_state
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import Published
from tallystick_server.storage.lmdb import LmdbStore, open_store
from tests.fakes.sealed import events

NAME = "events"
ORIGIN = "log.example/events"
COUNTS = (1, 1, 300, 1, 298, 1, 1, 3)
"""Entries of each commit; with the genesis entry they make SIZE."""

SIZE = 1 + sum(COUNTS)

OWN = 3
"""The commit that is of the server's own, in a log of events: one entry, at 303."""


@dataclass(frozen=True)
class StoredLog:
    """A log on disk that nobody has open."""

    data: Path
    key: SigningKey
    known: Known

    @property
    def place(self) -> Path:
        return store_directory(self.data, NAME)

    def check(self, known: Known | None = None) -> FsckReport:
        with opened(self.place) as store:
            return check_log(store, known or self.known)


@contextmanager
def opened(place: Path) -> Iterator[LmdbStore]:
    """Open a store for a while."""
    store = open_store(place)
    try:
        yield store
    finally:
        store.close()


def make_log(data: Path, kind: str = RAW) -> StoredLog:
    """Make a log of SIZE entries, a head for each commit; publish its last but one.

    In a log of events all are events, but for the genesis entry and those of OWN.
    """
    clock = SetClock()
    log = empty_log(data, kind, clock)
    with opened(log.place) as store:
        grow_log(store, log, clock)
    return log


def empty_log(data: Path, kind: str, clock: SetClock) -> StoredLog:
    """Make a log of nothing but its genesis entry."""
    numbers = count()
    made = create_log(
        data,
        name=NAME,
        origin=ORIGIN,
        recovery=None,
        clock=clock,
        draw_seed=lambda: sha256(b"%d" % next(numbers)).digest(),
        kind=kind,
    )
    return known_log(data, Known(made.key, made.next_key, made.recovery_key))


def known_log(data: Path, known: Known) -> StoredLog:
    """Take a log that is on disk."""
    return StoredLog(data, read_key(key_path(data, NAME)), known)


def grow_log(
    store: LmdbStore, log: StoredLog, clock: SetClock, *, keys_from: int = 0
) -> None:
    """Commit what COUNTS says."""
    signer = KeySigner(log.key)
    state, _ = load_state(store, signer.key)
    writer = Writer(store=store, signer=signer, state=state, clock=clock, anchor=None)
    for at, entries in enumerate(COUNTS):
        if at == len(COUNTS) - 1:
            head = writer.state.head
            writer.publish(Published(head.size, head.note, head.time_ms + 1))
        clock.advance(5)
        if store.about.kind == EVENTS and at != OWN:
            first = writer.state.head.size
            writer.commit([events(range(first, first + entries))])
        else:
            writer.commit([submission(keys_from + at, entries)])


def submission(at: int, size: int) -> Submission:
    """A request of one entry, or a batch, under a key of its own."""
    entries = tuple(b"entry %d of request %d" % (place, at) for place in range(size))
    digest = (
        entry_digest(entries[0])
        if size == 1
        else batch_digest(format_bundle(list(entries)))
    )
    return Submission(b"principal\0key %d" % at, digest, entries)
