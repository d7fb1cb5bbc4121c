"""The seam between a log and its store.

A store keeps, for one log: entries by index; rows of node hashes (see
`tallystick_merkle.frontier`); every signed head by size; idempotency keys; and the
latest published checkpoint.  `commit` is one atomic, durable step that refuses to
stand on anything but the head it was planned on.  After an error of `commit` the
store's state is unknown: the caller must stop and re-open.

A log of events keeps a *side* to each event as well: what its leaf commits to, and the
event id, which is used once.  It is stored in the commit of the leaf, or not at all.

Methods are called from one writer thread (`commit`, `publish`, `find_keys`, `find_ids`)
and from one event-loop thread (the reads, `find_ids` among them); none of them keeps a
transaction open afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tallystick_merkle.frontier import Row
from tallystick_merkle.shape import Node

FORMAT = 2
"""Version of what is stored; a store of a newer one is refused."""

EVENT_ID_SIZE = 16
"""Bytes of an event id, a UUID."""

VAULT_ID_SIZE = 16
"""Bytes of the id of a vault."""

CHAIN_SIZE = 16
"""Bytes of the running hash over the keys that a vault has made."""


@dataclass(frozen=True, slots=True)
class Head:
    """A signed head: size, 32-byte root, the whole signed note, commit time."""

    size: int
    root: bytes
    note: bytes
    time_ms: int


@dataclass(frozen=True, slots=True)
class Published:
    """The checkpoint that is served: its size, the note with cosignatures, when."""

    size: int
    note: bytes
    time_ms: int


@dataclass(frozen=True, slots=True)
class UsedKey:
    """What an idempotency key stands for: the body's SHA-256 and where it went.

    Entries [first, first + count) of the log; `time_ms` is when they were committed.
    """

    digest: bytes
    first: int
    count: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Side:
    """What is stored beside the event at `index`: see `Commit`.

    `owner` is the principal whom the 16-byte `event_id` belongs to.  `index_entry` and
    `record` are what the leaf commits to; none of the three is empty.
    """

    index: int
    event_id: bytes
    owner: str
    index_entry: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """The index entry and the record of the event at an index."""

    index: int
    index_entry: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class UsedId:
    """What an event id was used for: the event at `index`, by whom, committed when."""

    index: int
    owner: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class VaultMark:
    """A state of a vault: its 16-byte id, and how many keys it has ever made.

    `chain` is the 16-byte running hash over those keys' ids: two copies of a vault that
    both went on have other chains, though their counts may be the same.
    """

    vault_id: bytes
    count: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic step of a log, planned on the head (parent_size, parent_root).

    `entries` take the indexes from parent_size on; `rows` replace or add stored rows;
    `keys` are new idempotency keys; `head` is the signed head after the step.
    `sides`, indexes ascending, are those of the entries that are events; `vault` is the
    newest state of the vault that any event of the log depends on.
    """

    parent_size: int
    parent_root: bytes
    entries: tuple[bytes, ...]
    rows: tuple[Row, ...]
    keys: tuple[tuple[bytes, UsedKey], ...]
    head: Head
    sides: tuple[Side, ...] = ()
    vault: VaultMark | None = None


@dataclass(frozen=True, slots=True)
class StoredLog:
    """What a store holds at opening: the last head, and what was last published.

    `vault` is the newest state of the vault that a stored event depends on.
    """

    head: Head
    published: Published | None
    vault: VaultMark | None = None


class LogStore(Protocol):
    """One log's store. See the module for the rules."""

    def load(self) -> StoredLog:
        """Read the last head, the published checkpoint and the vault's mark.

        Raises IntegrityError when the store is not what it says it is.
        """
        ...

    def commit(self, commit: Commit) -> None:
        """Store a step whole; durable when this returns.

        Raises StaleParentError (nothing was stored) or StoreError (unknown).
        """
        ...

    def publish(self, published: Published) -> None:
        """Store the published checkpoint; durable when this returns.

        Requires a size and a time that do not go back. Raises StoreError.
        """
        ...

    def find_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, UsedKey]:
        """Look up idempotency keys; those never used are not in the answer."""
        ...

    def find_ids(self, ids: Sequence[bytes]) -> Mapping[bytes, UsedId]:
        """Look up event ids; those never used are not in the answer."""
        ...

    def read_nodes(self, nodes: Sequence[Node]) -> list[bytes]:
        """Read node hashes, in order. Raises IntegrityError for one not stored."""
        ...

    def read_row(self, level: int, block: int) -> bytes:
        """Read a row, whole or unfinished; empty when there is none."""
        ...

    def read_entries(self, start: int, stop: int) -> list[bytes]:
        """Read entries [start, stop). Raises IntegrityError for one not stored."""
        ...

    def read_records(self, start: int, stop: int) -> list[StoredRecord]:
        """Read the records of entries [start, stop), indexes ascending.

        An entry that has none, or is not stored, is left out.
        """
        ...

    def heads(self, *, over: int = 0) -> Iterator[Head]:
        """Read the signed heads of sizes over `over`, ascending.

        For checks, in a thread of its own where they are many.
        """
        ...

    def keys(self) -> Iterator[tuple[bytes, UsedKey]]:
        """Read every idempotency key. For checks, in a thread of its own."""
        ...

    def maintain(self) -> int:
        """Free what readers that died hold; give their number. To be called often."""
        ...

    def close(self) -> None:
        """Release everything; nothing else may be called afterwards."""
        ...
