"""The suite of stores catches stores that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from tallystick_merkle.shape import Node
from tallystick_server.errors import ServerError
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
from tallystick_server.storage.conformance import CASES, Workbench
from tallystick_server.storage.event_conformance import EVENT_CASES
from tallystick_server.storage.memory import MemoryStore


class IgnoresParent(MemoryStore):
    """Takes a commit on any root."""

    def commit(self, commit: Commit) -> None:
        if self._has_heads():
            parent = self._stored.heads[-1].root
            commit = replace(commit, parent_root=parent)
        super().commit(commit)

    def _has_heads(self) -> bool:
        return bool(self._stored.heads)


class ForgetsItsFailure(MemoryStore):
    """Goes on after a write that failed."""

    def commit(self, commit: Commit) -> None:
        self._failure = None
        super().commit(commit)


class CutsKeys(MemoryStore):
    """Looks at the first bytes of a key only."""

    def find_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, UsedKey]:
        found = dict(self.keys())
        return {
            key: found[other] for key in keys for other in found if other[:1] == key[:1]
        }


class LosesTheLastEntry(MemoryStore):
    """Stores all entries of a commit but one."""

    def commit(self, commit: Commit) -> None:
        super().commit(commit)
        if len(commit.entries) > 1:
            self._stored.entries[-1] = b""


class MixesNodes(MemoryStore):
    """Gives nodes in another order."""

    def read_nodes(self, nodes: Sequence[Node]) -> list[bytes]:
        return super().read_nodes(nodes)[::-1]


class PadsRows(MemoryStore):
    """Gives a row where none is."""

    def read_row(self, level: int, block: int) -> bytes:
        return super().read_row(level, block) or bytes(32)


class PublishesAnything(MemoryStore):
    """Publishes sizes that go back."""

    def publish(self, published: Published) -> None:
        self._stored.published = published


class ForgetsWhatIsPublished(MemoryStore):
    """Keeps the published checkpoint in the object only."""

    def load(self) -> StoredLog:
        return replace(super().load(), published=None)


class LosesAHead(MemoryStore):
    """Does not give the first head."""

    def heads(self, *, over: int = 0) -> Iterator[Head]:
        heads = super().heads(over=over)
        next(heads)
        return heads


class StartsAtAnyHead(MemoryStore):
    """Gives every head, from whatever size on it was asked."""

    def heads(self, *, over: int = 0) -> Iterator[Head]:
        del over
        return super().heads()


class WorksWhenClosed(MemoryStore):
    """Does nothing when it is closed."""

    def close(self) -> None:
        self._is_closed = False


class ForgetsItsVault(MemoryStore):
    """Keeps no mark."""

    def load(self) -> StoredLog:
        return replace(super().load(), vault=None)


class TakesAnyVault(MemoryStore):
    """Takes whatever mark comes."""

    def commit(self, commit: Commit) -> None:
        if self._has_heads():
            self._stored.vault = commit.vault
        super().commit(commit)

    def _has_heads(self) -> bool:
        return bool(self._stored.heads)


class TakesAnIdAgain(MemoryStore):
    """Forgets an id that comes again."""

    def commit(self, commit: Commit) -> None:
        for side in commit.sides:
            self._stored.ids.pop(side.event_id, None)
        super().commit(commit)


class LosesARecord(MemoryStore):
    """Does not give the last record."""

    def read_records(self, start: int, stop: int) -> list[StoredRecord]:
        return super().read_records(start, stop)[:-1]


class FindsEveryId(MemoryStore):
    """Knows ids that were never used."""

    def find_ids(self, ids: Sequence[bytes]) -> Mapping[bytes, UsedId]:
        return {one: UsedId(1, "producer", 1) for one in ids} | dict(
            super().find_ids(ids)
        )


class KeepsRecordsOfAnyLog(MemoryStore):
    """Is a store of events, whatever its genesis says."""

    def __init__(self, first: Commit) -> None:
        super().__init__(first)
        self._kind = "events"


@pytest.mark.parametrize(
    "kind",
    [
        IgnoresParent,
        ForgetsItsFailure,
        CutsKeys,
        LosesTheLastEntry,
        MixesNodes,
        PadsRows,
        PublishesAnything,
        ForgetsWhatIsPublished,
        LosesAHead,
        StartsAtAnyHead,
        WorksWhenClosed,
        ForgetsItsVault,
        TakesAnyVault,
        TakesAnIdAgain,
        LosesARecord,
        FindsEveryId,
        KeepsRecordsOfAnyLog,
    ],
)
def test_a_store_that_is_wrong_fails_the_suite(kind: type[MemoryStore]) -> None:
    failed = [case.__name__ for case in CASES + EVENT_CASES if not passes(case, kind)]

    assert failed != []


def passes(case: Callable[[Workbench], None], kind: type[MemoryStore]) -> bool:
    """Whether a case passes for a kind of store."""
    try:
        case(Bench(kind))
    except (AssertionError, ServerError):
        return False
    return True


class Bench:
    """Makes stores of one kind."""

    def __init__(self, kind: type[MemoryStore]) -> None:
        self.kind = kind

    def create(self, first: Commit) -> LogStore:
        return self.kind(first)

    def reopen(self, store: LogStore) -> LogStore:
        assert isinstance(store, MemoryStore)
        store.close()
        store.reopen()
        return store
