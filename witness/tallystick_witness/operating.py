"""What an operator does to a witness beside serving it: make it, and edit its logs.

Only `initialise` makes anything.  The others work while the witness serves: it reads
its log table anew for every request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tallystick_merkle.keys import KeyType
from tallystick_merkle.witnessing import origin_hash
from tallystick_witness.clock import Clock
from tallystick_witness.datadir import DataDir, Lock
from tallystick_witness.errors import (
    StaleHeadError,
    StoreError,
    UsageError,
    is_of_disk,
)
from tallystick_witness.filesystem import check_local, make_folder
from tallystick_witness.following import plan_add, plan_remove, read_log_key
from tallystick_witness.keyring import identify, make_keys, write_keys
from tallystick_witness.state import FollowedLog, Identity, LogState
from tallystick_witness.store.base import WitnessStore
from tallystick_witness.store.files import create_store, open_store


def initialise(data: Path, *, name: str, types: Sequence[KeyType]) -> Identity:
    """Make the keys and the store of a new witness; durable when this returns.

    Raises UsageError where there are keys or a store already, StoreError or OSError
    where the disk fails.
    """
    keys = make_keys(name, types)
    place = DataDir(data)
    try:
        make_folder(data, mode=0o700)
    except OSError as error:
        kind = StoreError if is_of_disk(error) else UsageError
        raise kind(f"cannot make {data}: {error.strerror}") from error
    check_local(data)
    with Lock(place.lock):
        if place.store.exists():
            raise UsageError(f"{data} holds a witness already; nothing was changed")
        if place.keys.exists():
            raise UsageError(
                f"{place.keys} exists without a store: restore the store. Only if this "
                "witness never served, remove the keys and run init again"
            )
        # Keys first: with keys and no store, nothing serves and init refuses.
        write_keys(place.keys, keys)
        identity = identify(keys)
        create_store(place.store, identity)
    return identity


@contextmanager
def open_table(data: Path) -> Iterator[WitnessStore]:
    """Give the store beside a witness that may be serving; closed after the block."""
    place = DataDir(data)
    check_local(place.store)
    store = open_store(place.store)
    try:
        store.identity()
        yield store
    finally:
        store.close()


def add_log(
    store: WitnessStore,
    *,
    vkey: str,
    origin: str | None,
    reopen: bool,
    clock: Clock,
) -> FollowedLog:
    """Follow a log from now on; nothing happens where it is followed already.

    Raises UsageError for a key that cannot be a log's, another key for a known
    origin, and a removed log without `reopen`.
    """
    key = read_log_key(vkey, origin=origin, own=store.identity().vkeys)
    known = store.find(origin_hash(key.name))
    state = plan_add(known, key, reopen=reopen)
    since_s = clock.now_ms() // 1000
    try:
        if known is None:
            store.follow(FollowedLog(key, LogState.ACTIVE, since_s))
        elif state is not None:
            store.mark(key.name, state, since_s=since_s)
    except StaleHeadError as error:
        raise UsageError(f"{error}: somebody else was faster; try again") from error
    return _read_back(store, key.name)


def remove_log(store: WitnessStore, *, origin: str, clock: Clock) -> FollowedLog:
    """Stop following a log; its key and its last head stay as a tombstone."""
    state = plan_remove(store.find(origin_hash(origin)), origin)
    if state is not None:
        store.mark(origin, state, since_s=clock.now_ms() // 1000)
    return _read_back(store, origin)


def _read_back(store: WitnessStore, origin: str) -> FollowedLog:
    """Read what is stored now."""
    log = store.find(origin_hash(origin))
    assert log is not None
    return log
