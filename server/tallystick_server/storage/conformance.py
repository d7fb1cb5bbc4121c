"""The suite that every store passes, and `event_conformance` beside it.

A backend's test runs each case of CASES with a Workbench that makes stores of its
kind.  A case raises AssertionError, or lets a wrong error through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

from tallystick_merkle.frontier import EMPTY_EDGE, Edge, grow
from tallystick_merkle.genesis import (
    EVENTS,
    RAW,
    Genesis,
    event_settings,
    format_genesis,
)
from tallystick_merkle.hashing import leaf_hash, leaf_hashes
from tallystick_merkle.proof import plan_root
from tallystick_merkle.shape import Node
from tallystick_merkle.tile import MAX_ENTRY
from tallystick_server.errors import IntegrityError, StaleParentError, StoreError
from tallystick_server.storage.base import (
    Commit,
    Head,
    LogStore,
    Published,
    StoredLog,
    UsedKey,
)
from tallystick_server.storage.rules import MAX_KEY

ORIGIN = "conformance.example/log"
"""The origin of every log of this suite."""


class Workbench(Protocol):
    """Makes stores of one kind."""

    def create(self, first: Commit) -> LogStore:
        """Make a store with its first commit, and open it."""
        ...

    def reopen(self, store: LogStore) -> LogStore:
        """Close a store and open it again."""
        ...


class Steps:
    """Makes commits, each standing on the one before. Notes are not signed here."""

    def __init__(self) -> None:
        """Start before the first commit."""
        self.edge: Edge = EMPTY_EDGE
        self.time_ms = 1_700_000_000_000

    def first(self, *, kind: str = RAW) -> Commit:
        """Make the commit of a genesis entry, of a kind of log."""
        settings = event_settings(bytes(16)) if kind == EVENTS else ()
        genesis = Genesis(kind, ORIGIN, self.time_ms, bytes(32), bytes(32), settings)
        return self.next([format_genesis(genesis)])

    def next(self, entries: Sequence[bytes], *, keys: Iterable[bytes] = ()) -> Commit:
        """Make the next commit; each key stands for all of its entries."""
        commit = self.plan(entries, keys=keys)
        self.edge = grow(self.edge, leaf_hashes(list(entries))).edge
        self.time_ms = commit.head.time_ms
        return commit

    def plan(self, entries: Sequence[bytes], *, keys: Iterable[bytes] = ()) -> Commit:
        """Make a commit as `next` does, without moving on."""
        growth = grow(self.edge, leaf_hashes(list(entries)))
        time_ms = self.time_ms + 1
        used = UsedKey(
            sha256(b"".join(entries)).digest(), self.edge.size, len(entries), time_ms
        )
        return Commit(
            self.edge.size,
            self.edge.root(),
            tuple(entries),
            growth.rows,
            tuple((key, used) for key in keys),
            Head(
                growth.edge.size,
                growth.root,
                b"note of size %d" % growth.edge.size,
                time_ms,
            ),
        )


def entries_of(count: int, *, start: int = 0) -> list[bytes]:
    """Make entries, each different."""
    return [b"entry %d" % index for index in range(start, start + count)]


def a_new_store_holds_its_first_commit(bench: Workbench) -> None:
    """Creating stores the genesis commit, and nothing else."""
    first = Steps().first()

    store = bench.create(first)

    assert store.load() == StoredLog(first.head, None)
    assert store.read_entries(0, 1) == list(first.entries)
    assert list(store.heads()) == [first.head]
    assert list(store.keys()) == []
    store.close()


def what_was_committed_is_there_after_opening_again(bench: Workbench) -> None:
    """Entries, heads and keys outlive the object that stored them."""
    steps = Steps()
    store = bench.create(steps.first())
    commits = [
        steps.next(entries_of(count, start=count), keys=[b"key %d" % count])
        for count in (1, 2, 253, 4, 300, 7)
    ]
    for commit in commits:
        store.commit(commit)

    store = bench.reopen(store)

    entries = [entry for commit in commits for entry in commit.entries]
    assert store.load() == StoredLog(commits[-1].head, None)
    assert store.read_entries(1, 1 + len(entries)) == entries
    assert list(store.heads())[1:] == [commit.head for commit in commits]
    for at, commit in enumerate(commits, 1):
        later = [other.head for other in commits[at:]]
        assert list(store.heads(over=commit.head.size)) == later
    assert dict(store.keys()) == dict(
        pair for commit in commits for pair in commit.keys
    )
    store.close()


def nodes_are_those_of_the_tree_at_every_head(bench: Workbench) -> None:
    """Stored nodes lead to the root of every head, across rows."""
    steps = Steps()
    store = bench.create(steps.first())
    for count in (1, 1, 254, 255, 2, 1000, 1):
        store.commit(steps.next(entries_of(count)))

    for head in store.heads():
        plan = plan_root(head.size)
        assert plan.assemble(store.read_nodes(plan.nodes)) == (head.root,)
    size = store.load().head.size
    leaves = store.read_nodes([Node(0, index) for index in range(size)])
    assert leaves == leaf_hashes(store.read_entries(0, size))
    assert store.read_row(0, 1) == b"".join(leaves[256:512])
    assert store.read_row(0, size >> 8) == b"".join(leaves[size & ~255 :])
    store.close()


def what_is_not_stored_is_named_or_empty(bench: Workbench) -> None:
    """A missing node or entry is an error naming it; a missing row is empty."""
    steps = Steps()
    store = bench.create(steps.first())
    store.commit(steps.next(entries_of(2)))

    for node in (Node(0, 3), Node(0, 256), Node(1, 1), Node(2, 0)):
        text = error_of(IntegrityError, store.read_nodes, [node])
        assert f"{node.level}/{node.position}" in text
    text = error_of(IntegrityError, store.read_entries, 1, 4)
    assert "entry 3" in text
    text = error_of(IntegrityError, store.read_entries, 7, 9)
    assert "entry 7" in text
    assert store.read_row(0, 1) == store.read_row(9, 0) == b""
    assert store.read_entries(2, 2) == store.read_nodes([]) == []
    store.close()


def a_commit_on_another_head_stores_nothing(bench: Workbench) -> None:
    """A stale parent, in size or in root, leaves the store as it was."""
    steps = Steps()
    first = steps.first()
    store = bench.create(first)
    good = steps.plan([b"good"], keys=[b"key"])
    behind = replace(good, parent_size=0)
    forked = replace(good, parent_root=leaf_hash(b"another history"))

    for wrong in (behind, forked):
        error_of(StaleParentError, store.commit, wrong)

    assert store.load() == StoredLog(first.head, None)
    assert store.find_keys([b"key"]) == {}
    store.commit(good)
    assert store.load().head == good.head
    store.close()


def a_step_that_no_log_makes_is_refused(bench: Workbench) -> None:
    """A step that contradicts itself is refused whole."""
    steps = Steps()
    store = bench.create(steps.first())
    good = steps.plan([b"good"])
    head = good.head
    wrong_steps = [
        replace(good, entries=(b"one", b"two")),
        replace(good, entries=(), head=replace(head, size=1)),
        replace(good, head=replace(head, root=b"short")),
        replace(good, head=replace(head, note=b"")),
        replace(good, head=replace(head, time_ms=head.time_ms - 2)),
        replace(good, keys=((b"", UsedKey(bytes(32), 1, 1, 0)),)),
        replace(good, keys=((bytes(MAX_KEY + 1), UsedKey(bytes(32), 1, 1, 0)),)),
    ]

    for wrong in wrong_steps:
        error_of(StoreError, store.commit, wrong)
        store = bench.reopen(store)

    assert store.load().head.size == 1
    store.commit(good)
    store.close()


def after_a_failed_write_nothing_more_is_written(bench: Workbench) -> None:
    """An object whose write failed refuses further ones; a fresh one goes on."""
    steps = Steps()
    first = steps.first()
    store = bench.create(first)
    good = steps.plan([b"good"])
    error_of(StoreError, store.commit, replace(good, entries=()))

    error_of(StoreError, store.commit, good)
    error_of(StoreError, store.publish, Published(1, b"note", 0))

    assert store.load() == StoredLog(first.head, None)
    store = bench.reopen(store)
    store.commit(good)
    assert store.load().head == good.head
    store.close()


def an_idempotency_key_is_stored_once(bench: Workbench) -> None:
    """A key that is there already refuses the whole commit."""
    steps = Steps()
    store = bench.create(steps.first())
    store.commit(steps.next([b"one"], keys=[b"key"]))
    first_use = store.find_keys([b"key"])
    again = steps.plan([b"two"], keys=[b"another", b"key"])

    error_of(StoreError, store.commit, again)

    store = bench.reopen(store)
    assert store.find_keys([b"key", b"another"]) == first_use
    assert store.load().head.size == 2
    error_of(IntegrityError, store.read_entries, 2, 3)
    store.close()


def keys_are_found_by_their_whole_bytes(bench: Workbench) -> None:
    """Keys are told apart by every byte, up to the longest."""
    steps = Steps()
    store = bench.create(steps.first())
    keys = [b"k", b"k\0", b"kk", b"\xff" * MAX_KEY, bytes(MAX_KEY)]
    commit = steps.next(entries_of(3), keys=keys)
    store.commit(commit)

    found = store.find_keys([*keys, b"K", b"kkk"])

    assert dict(found) == dict(commit.keys)
    assert list(store.keys()) == sorted(commit.keys)
    assert store.find_keys([]) == {}
    for wrong in (b"", bytes(MAX_KEY + 1)):
        error_of(StoreError, store.find_keys, [wrong])
    store.close()


def what_was_published_is_there_after_opening_again(bench: Workbench) -> None:
    """The published checkpoint outlives the object; a later one replaces it."""
    steps = Steps()
    store = bench.create(steps.first())
    head = steps.next(entries_of(5))
    store.commit(head)
    store.publish(Published(1, b"first", 10))
    store.publish(Published(6, b"second", 11))
    last = Published(6, b"second, cosigned", 11)
    store.publish(last)

    store = bench.reopen(store)

    assert store.load() == StoredLog(head.head, last)
    store.close()


def publishing_never_goes_back_or_ahead(bench: Workbench) -> None:
    """Published size and time never decrease or pass the last head."""
    steps = Steps()
    store = bench.create(steps.first())
    store.commit(steps.next(entries_of(5)))
    last = Published(3, b"note", 10)
    store.publish(last)

    for size, time_ms in ((2, 11), (3, 9), (7, 11)):
        wrong = Published(size, b"wrong", time_ms)
        error_of(StoreError, store.publish, wrong)
        store = bench.reopen(store)

    assert store.load().published == last
    store.close()


def a_commit_may_be_large(bench: Workbench) -> None:
    """The longest entry, empty ones, and ten thousand at once."""
    steps = Steps()
    store = bench.create(steps.first())
    largest = bytes(MAX_ENTRY)
    many = entries_of(10_000)

    store.commit(steps.next([b"", largest, b"x", largest[:2000], largest[:2030]]))
    store.commit(steps.next(many, keys=[b"key %d" % at for at in range(2_000)]))

    assert store.read_entries(2, 4) == [largest, b"x"]
    assert store.read_entries(6, 10_006) == many
    assert store.load().head.root == steps.edge.root()
    store.close()


def iterators_go_on_while_the_log_grows(bench: Workbench) -> None:
    """An iterator that was begun survives a commit."""
    steps = Steps()
    store = bench.create(steps.first())
    heads = store.heads()

    first = next(heads, None)
    store.commit(steps.next(entries_of(3)))

    assert first is not None
    assert first.size == 1
    assert [head.size for head in heads] in ([], [4])
    store.close()


def a_closed_store_refuses_everything(bench: Workbench) -> None:
    """Nothing works after closing, but closing again."""
    steps = Steps()
    store = bench.create(steps.first())
    commit = steps.plan([b"one"])

    store.close()

    calls: list[Callable[[], object]] = [
        store.load,
        lambda: store.commit(commit),
        lambda: store.publish(Published(1, b"note", 0)),
        lambda: store.find_keys([b"key"]),
        lambda: store.read_nodes([Node(0, 0)]),
        lambda: store.read_row(0, 0),
        lambda: store.read_entries(0, 1),
        lambda: list(store.heads()),
        lambda: list(store.keys()),
    ]
    for call in calls:
        error_of(StoreError, call)
    store.close()


CASES: tuple[Callable[[Workbench], None], ...] = (
    a_new_store_holds_its_first_commit,
    what_was_committed_is_there_after_opening_again,
    nodes_are_those_of_the_tree_at_every_head,
    what_is_not_stored_is_named_or_empty,
    a_commit_on_another_head_stores_nothing,
    a_step_that_no_log_makes_is_refused,
    after_a_failed_write_nothing_more_is_written,
    an_idempotency_key_is_stored_once,
    keys_are_found_by_their_whole_bytes,
    what_was_published_is_there_after_opening_again,
    publishing_never_goes_back_or_ahead,
    a_commit_may_be_large,
    iterators_go_on_while_the_log_grows,
    a_closed_store_refuses_everything,
)
"""Every case of the suite."""


def error_of(
    kind: type[Exception], call: Callable[..., object], *arguments: object
) -> str:
    """Give the text of the error of `kind` that a call has to raise."""
    try:
        call(*arguments)
    except kind as error:
        return str(error)
    raise AssertionError(f"expected {kind.__name__}")
