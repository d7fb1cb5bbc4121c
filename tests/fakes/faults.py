"""A store that fails in both ways: not stored; stored, but the answer was lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tallystick_merkle.shape import Node
from tallystick_server.errors import StoreError
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


class FaultyStore:
    """Wraps a store; `fail_commit` says how the next commit goes wrong."""

    def __init__(self, inner: LogStore) -> None:
        self.inner = inner
        self.fail_commit: str | None = None
        self.commits = 0

    def load(self) -> StoredLog:
        return self.inner.load()

    def commit(self, commit: Commit) -> None:
        self.commits += 1
        if self.fail_commit == "not stored":
            raise StoreError("the disk said no")
        self.inner.commit(commit)
        if self.fail_commit == "stored":
            raise StoreError("the answer was lost")
        if self.fail_commit == "foreign":
            raise OSError("an error that is not ours")

    def publish(self, published: Published) -> None:
        self.inner.publish(published)

    def find_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, UsedKey]:
        return self.inner.find_keys(keys)

    def find_ids(self, ids: Sequence[bytes]) -> Mapping[bytes, UsedId]:
        return self.inner.find_ids(ids)

    def read_nodes(self, nodes: Sequence[Node]) -> list[bytes]:
        return self.inner.read_nodes(nodes)

    def read_row(self, level: int, block: int) -> bytes:
        return self.inner.read_row(level, block)

    def read_entries(self, start: int, stop: int) -> list[bytes]:
        return self.inner.read_entries(start, stop)

    def read_records(self, start: int, stop: int) -> list[StoredRecord]:
        return self.inner.read_records(start, stop)

    def heads(self, *, over: int = 0) -> Iterator[Head]:
        return self.inner.heads(over=over)

    def keys(self) -> Iterator[tuple[bytes, UsedKey]]:
        return self.inner.keys()

    def maintain(self) -> int:
        return self.inner.maintain()

    def close(self) -> None:
        self.inner.close()
