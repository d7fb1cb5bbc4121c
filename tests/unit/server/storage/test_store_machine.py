"""Whatever is committed, the LMDB store and its memory twin agree, also reopened."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.proof import plan_root
from tallystick_server.errors import StaleParentError, StoreError
from tallystick_server.storage.base import Commit, LogStore, Published
from tallystick_server.storage.conformance import Steps
from tallystick_server.storage.event_conformance import VAULT, id_of, with_events
from tallystick_server.storage.memory import MemoryStore
from tests.unit.server.storage.lmdb_bench import LmdbBench

entries = st.lists(st.binary(max_size=40), min_size=1, max_size=9)
many = st.integers(200, 700).map(lambda count: [b"%d" % at for at in range(count)])
keys = st.lists(st.binary(min_size=1, max_size=3), max_size=3, unique=True)


class Stores(RuleBasedStateMachine):
    """Two stores that are told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.steps = Steps()
        first = self.steps.first(kind="events")
        self.bench = LmdbBench(self.place, map_bytes=64 * 1024)
        self.lmdb = self.bench.create(first)
        self.memory = MemoryStore(first)
        self.used: set[bytes] = set()
        self.mark = VAULT

    def both(self) -> tuple[LogStore, LogStore]:
        return self.lmdb, self.memory

    @rule(entries=entries | many, keys=keys)
    def commit(self, entries: list[bytes], keys: list[bytes]) -> None:
        fresh = [key for key in keys if key not in self.used]
        commit = self.steps.next(entries, keys=fresh)
        for store in self.both():
            store.commit(commit)
        self.used.update(fresh)

    @rule(entries=entries | many, more=st.integers(0, 3), data=st.data())
    def commit_events(
        self, entries: list[bytes], more: int, data: st.DataObject
    ) -> None:
        commit = self.steps.next(entries)
        start, stop = commit.parent_size, commit.head.size
        chosen = data.draw(st.sets(st.integers(start, stop - 1), max_size=9))
        self.mark = replace(self.mark, count=self.mark.count + more)
        commit = with_events(commit, indexes=sorted(chosen), mark=self.mark)
        for store in self.both():
            store.commit(commit)

    @rule(entries=entries)
    def commit_an_id_again(self, entries: list[bytes]) -> None:
        ids = [one.index for one in self.memory.read_records(0, 10_000)]
        if not ids:
            return
        commit = with_events(self.steps.plan(entries), mark=self.mark)
        first, *others = commit.sides
        again = replace(first, event_id=id_of(ids[-1]))
        for store in self.both():
            assert_raises(StoreError, store, replace(commit, sides=(again, *others)))
        self.reopen()

    @rule(entries=entries)
    def commit_on_another_history(self, entries: list[bytes]) -> None:
        commit = self.steps.plan(entries)
        wrong = replace(commit, parent_root=leaf_hash(b"another"))
        for store in self.both():
            assert_raises(StaleParentError, store, wrong)

    @rule(entries=entries, data=st.data())
    def commit_a_key_again(self, entries: list[bytes], data: st.DataObject) -> None:
        if not self.used:
            return
        key = data.draw(st.sampled_from(sorted(self.used)))
        commit = self.steps.plan(entries, keys=[key])
        for store in self.both():
            assert_raises(StoreError, store, commit)
        self.reopen()

    @rule(behind=st.integers(0, 3), note=st.binary(min_size=1, max_size=9000))
    def publish(self, behind: int, note: bytes) -> None:
        loaded = self.memory.load()
        size = max(
            loaded.published.size if loaded.published else 1, loaded.head.size - behind
        )
        for store in self.both():
            store.publish(Published(size, note, self.steps.time_ms))

    @rule()
    def reopen(self) -> None:
        self.lmdb = self.bench.reopen(self.lmdb)
        self.memory.reopen()

    @invariant()
    def they_hold_the_same(self) -> None:
        one, other = self.both()
        assert one.load() == other.load()
        size = one.load().head.size
        assert one.read_entries(0, size) == other.read_entries(0, size)
        nodes = plan_root(size).nodes
        assert one.read_nodes(nodes) == other.read_nodes(nodes)
        assert list(one.heads()) == list(other.heads())
        assert list(one.keys()) == list(other.keys())
        assert one.read_records(0, size) == other.read_records(0, size)
        ids = [id_of(index) for index in range(size)]
        assert one.find_ids(ids) == other.find_ids(ids)
        for level in range(size.bit_length() + 1):
            block = size >> level >> 8
            assert one.read_row(level, block) == other.read_row(level, block)

    def teardown(self) -> None:
        self.lmdb.close()
        shutil.rmtree(self.place)


def assert_raises(kind: type[Exception], store: LogStore, commit: Commit) -> None:
    """Commit what must be refused."""
    try:
        store.commit(commit)
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__}")


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=25, stateful_step_count=20)
