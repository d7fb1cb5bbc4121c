"""The disks of the simulated world, and the handles through which processes use them.

A disk outlives every process.  A handle belongs to one process: each use of it is a
pair of steps at which the process may die, and an armed fault makes the next use fail
in one of two ways: not stored, or stored but the answer was lost.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tallystick_merkle.shape import Node
from tallystick_server.errors import StoreError
from tallystick_server.log.anchor import Mark, MemoryAnchor
from tallystick_server.log.evidence import MemoryEvidence
from tallystick_server.storage.base import (
    Commit,
    Head,
    LogStore,
    Published,
    StoredLog,
    StoredRecord,
    UsedId,
    UsedKey,
)
from tallystick_server.storage.memory import MemoryStore
from tests.sim.monitor import Monitor
from tests.sim.process import Process

NOT_STORED, STORED = "not stored", "stored, the answer was lost"


@dataclass(slots=True)
class Faults:
    """What goes wrong next: how, by the name of the operation."""

    armed: dict[str, list[str]] = field(default_factory=dict)
    hits: int = 0

    def arm(self, operation: str, *kinds: str) -> None:
        """Make the next uses of an operation fail, one after the other."""
        self.armed.setdefault(operation, []).extend(kinds)

    def take(self, operation: str) -> str | None:
        """Take the next fault of an operation, if one is armed."""
        kinds = self.armed.get(operation)
        if not kinds:
            return None
        self.hits += 1
        return kinds.pop(0)

    def clear(self) -> None:
        """Let nothing more go wrong."""
        self.armed.clear()


@dataclass(slots=True)
class LogDisk:
    """What a log has on its disks: the store, the anchor elsewhere, evidence."""

    store: MemoryStore
    has_anchor: bool
    anchored: Mark | None = None
    evidence: MemoryEvidence = field(default_factory=MemoryEvidence)
    faults: Faults = field(default_factory=Faults)

    def snapshot(self) -> MemoryStore:
        """Copy what is stored, as a backup does. The anchor is never in it."""
        twin = copy.copy(self.store)
        twin._stored = copy.deepcopy(self.store._stored)
        return twin


class StoreHandle:
    """A LogStore of one process over a log's disk."""

    def __init__(self, disk: LogDisk, process: Process, monitor: Monitor) -> None:
        """Open the disk as a fresh process does."""
        self.disk = disk
        self.process = process
        self.monitor = monitor
        self.inner: LogStore = disk.store
        disk.store.reopen()

    def load(self) -> StoredLog:
        """Read where the log stands."""
        self._fail_reading("load")
        return self.inner.load()

    def commit(self, commit: Commit) -> None:
        """Store a step."""
        self.process.step()
        fault = self.disk.faults.take("commit")
        if fault == NOT_STORED:
            raise StoreError("the disk said no")
        self.inner.commit(commit)
        self.monitor.committed(commit)
        if fault == STORED:
            raise StoreError("the answer was lost")
        self.process.step()

    def publish(self, published: Published) -> None:
        """Store the published checkpoint."""
        self.process.step()
        fault = self.disk.faults.take("publish")
        if fault == NOT_STORED:
            raise StoreError("the disk said no")
        self.inner.publish(published)
        if fault == STORED:
            raise StoreError("the answer was lost")
        self.process.step()

    def find_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, UsedKey]:
        """Look up idempotency keys."""
        self._fail_reading("find_keys")
        return self.inner.find_keys(keys)

    def find_ids(self, ids: Sequence[bytes]) -> Mapping[bytes, UsedId]:
        """Look up event ids."""
        self._fail_reading("find_ids")
        return self.inner.find_ids(ids)

    def read_nodes(self, nodes: Sequence[Node]) -> list[bytes]:
        """Read node hashes."""
        self._fail_reading("read_nodes")
        return self.inner.read_nodes(nodes)

    def read_row(self, level: int, block: int) -> bytes:
        """Read a row."""
        self._fail_reading("read_row")
        return self.inner.read_row(level, block)

    def read_entries(self, start: int, stop: int) -> list[bytes]:
        """Read entries."""
        self._fail_reading("read_entries")
        return self.inner.read_entries(start, stop)

    def read_records(self, start: int, stop: int) -> list[StoredRecord]:
        """Read the records of events."""
        self._fail_reading("read_records")
        return self.inner.read_records(start, stop)

    def heads(self, *, over: int = 0) -> Iterator[Head]:
        """Read the signed heads."""
        self._fail_reading("heads")
        return self.inner.heads(over=over)

    def keys(self) -> Iterator[tuple[bytes, UsedKey]]:
        """Read every idempotency key."""
        return self.inner.keys()

    def maintain(self) -> int:
        """Free what dead readers hold."""
        return self.inner.maintain()

    def close(self) -> None:
        """Leave the disk as it is: another process opens it."""

    def _fail_reading(self, operation: str) -> None:
        self.process.step()
        if self.disk.faults.take(operation) is not None:
            raise StoreError(f"{operation}: the disk said no")


class AnchorHandle:
    """The anchor of one process over a log's other disk."""

    def __init__(self, disk: LogDisk, process: Process, monitor: Monitor) -> None:
        """Read what is recorded."""
        self._disk = disk
        self._process = process
        self._monitor = monitor
        self._inner = MemoryAnchor(disk.anchored)

    def record(self, size: int, root: bytes) -> None:
        """Remember a head."""
        self._process.step()
        fault = self._disk.faults.take("anchor")
        if fault == NOT_STORED:
            raise StoreError("the anchor's disk said no")
        self._inner.record(size, root)
        self._disk.anchored = self._inner.last()
        if fault == STORED:
            raise StoreError("the anchor's answer was lost")
        self._process.step()

    def last(self) -> Mark | None:
        """Give the last head recorded."""
        self._process.step()
        return self._inner.last()

    def close(self) -> None:
        """Release nothing."""
