"""The memory twin of a store: the same rules, nothing on disk.

`reopen` is a restart: what was stored is there, and a failure is forgotten.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.genesis import RAW, parse_genesis
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.shape import Node
from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.base import (
    Commit,
    Head,
    Published,
    StoredLog,
    StoredRecord,
    UsedId,
    UsedKey,
    VaultMark,
)
from tallystick_server.storage.rules import (
    check_ids,
    check_keys,
    check_parent,
    check_published,
    check_sides,
    check_step,
)


@dataclass(slots=True)
class _Stored:
    """What would be on the disk."""

    entries: list[bytes] = field(default_factory=list)
    rows: dict[tuple[int, int], bytes] = field(default_factory=dict)
    heads: list[Head] = field(default_factory=list)
    keys: dict[bytes, UsedKey] = field(default_factory=dict)
    published: Published | None = None
    records: dict[int, StoredRecord] = field(default_factory=dict)
    ids: dict[bytes, UsedId] = field(default_factory=dict)
    vault: VaultMark | None = None


class MemoryStore:
    """A LogStore in memory; it begins with the first commit of a log."""

    def __init__(self, first: Commit) -> None:
        """Store the first commit, which stands on the empty tree.

        What kind of log it is, its genesis entry says; without one it is raw.
        """
        self._stored = _Stored()
        self._kind = _kind_of(first)
        self._lock = threading.Lock()
        self._failure: str | None = None
        self._is_closed = False
        self.commit(first)

    def reopen(self) -> None:
        """Be as a fresh object over what is stored: a restart."""
        self._failure = None
        self._is_closed = False

    def load(self) -> StoredLog:
        """Read the last head and what goes with it."""
        with self._reading() as stored:
            return StoredLog(stored.heads[-1], stored.published, stored.vault)

    def commit(self, commit: Commit) -> None:
        """Store a step whole."""
        with self._writing() as stored:
            last = stored.heads[-1] if stored.heads else None
            check_parent(commit, last)
            check_step(commit, last)
            check_sides(commit, stored.vault, kind=self._kind)
            if any(key in stored.keys for key, _ in commit.keys):
                raise StoreError("an idempotency key of the commit is stored already")
            ids = _ids_of(commit)
            if len(ids) < len(commit.sides) or not ids.keys().isdisjoint(stored.ids):
                raise StoreError("an event id of the commit is used already")
            stored.entries += commit.entries
            stored.rows.update(
                ((row.level, row.block), row.hashes) for row in commit.rows
            )
            stored.keys.update(commit.keys)
            stored.ids |= ids
            stored.records |= {
                side.index: StoredRecord(side.index, side.index_entry, side.record)
                for side in commit.sides
            }
            stored.vault = commit.vault or stored.vault
            stored.heads.append(commit.head)

    def publish(self, published: Published) -> None:
        """Store the published checkpoint."""
        with self._writing() as stored:
            check_published(published, stored.published, stored.heads[-1])
            stored.published = published

    def find_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, UsedKey]:
        """Look up idempotency keys."""
        check_keys(keys)
        with self._reading() as stored:
            return {key: stored.keys[key] for key in keys if key in stored.keys}

    def find_ids(self, ids: Sequence[bytes]) -> Mapping[bytes, UsedId]:
        """Look up event ids."""
        check_ids(ids)
        with self._reading() as stored:
            return {one: stored.ids[one] for one in ids if one in stored.ids}

    def read_nodes(self, nodes: Sequence[Node]) -> list[bytes]:
        """Read node hashes, in order."""
        hashes = []
        with self._reading() as stored:
            for level, position in nodes:
                start = (position & 255) * HASH_SIZE
                row = stored.rows.get((level, position >> 8), b"")
                if len(row) < start + HASH_SIZE:
                    raise IntegrityError(f"node {level}/{position} is not stored")
                hashes.append(row[start : start + HASH_SIZE])
        return hashes

    def read_row(self, level: int, block: int) -> bytes:
        """Read a row; empty when there is none."""
        with self._reading() as stored:
            return stored.rows.get((level, block), b"")

    def read_entries(self, start: int, stop: int) -> list[bytes]:
        """Read entries [start, stop)."""
        with self._reading() as stored:
            if stop > len(stored.entries):
                missing = max(start, len(stored.entries))
                raise IntegrityError(f"entry {missing} is not stored")
            return stored.entries[start:stop]

    def read_records(self, start: int, stop: int) -> list[StoredRecord]:
        """Read the records of entries [start, stop) that have one."""
        with self._reading() as stored:
            stop = min(stop, len(stored.entries))
            there = stored.records
            return [there[index] for index in range(start, stop) if index in there]

    def heads(self, *, over: int = 0) -> Iterator[Head]:
        """Read the signed heads of sizes over `over`, ascending."""
        with self._reading() as stored:
            found = [head for head in stored.heads if head.size > over]
        yield from found

    def keys(self) -> Iterator[tuple[bytes, UsedKey]]:
        """Read every idempotency key, in the order of their bytes."""
        with self._reading() as stored:
            found = sorted(stored.keys.items())
        yield from found

    def maintain(self) -> int:
        """There are no readers that could die."""
        return 0

    def close(self) -> None:
        """Take nothing more."""
        self._is_closed = True

    @contextmanager
    def _reading(self) -> Iterator[_Stored]:
        with self._lock:
            if self._is_closed:
                raise StoreError("the store is closed")
            yield self._stored

    @contextmanager
    def _writing(self) -> Iterator[_Stored]:
        """Refuse every write after one that failed."""
        if self._failure is not None:
            raise StoreError(f"the store takes no more writes: {self._failure}")
        try:
            with self._reading() as stored:
                yield stored
        except StoreError as error:
            self._failure = str(error)
            raise


def _kind_of(first: Commit) -> str:
    try:
        return parse_genesis(first.entries[0]).kind
    except MalformedError:
        return RAW


def _ids_of(commit: Commit) -> dict[bytes, UsedId]:
    time_ms = commit.head.time_ms
    return {
        side.event_id: UsedId(side.index, side.owner, time_ms) for side in commit.sides
    }
