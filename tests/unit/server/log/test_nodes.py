"""Nodes that are kept: always those of the store, and given up when in doubt."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.hashing import EMPTY_ROOT
from tallystick_merkle.proof import plan_consistency, plan_inclusion, plan_root
from tallystick_merkle.shape import Node
from tallystick_server.errors import IntegrityError
from tallystick_server.log import nodes
from tallystick_server.log.nodes import NodeReader
from tallystick_server.log.reader import Reader
from tallystick_server.log.writer import Writer
from tests.fakes.faults import FaultyStore
from tests.fakes.logs import MemoryLog, check_log, memory_log, submission
from tests.reference.rfc6962 import Tree, leaf

SIZE = 1500


def grown(log: MemoryLog, count: int, key: str) -> None:
    """Append entries to a log in memory."""
    writer = Writer(
        store=log.store,
        signer=log.signer,
        state=log.state,
        clock=log.clock,
        anchor=None,
    )
    writer.commit(
        [submission(key, *[b"%s %d" % (key.encode(), n) for n in range(count)])]
    )
    log.state = writer.state


def tree_of(log: MemoryLog) -> Tree:
    return Tree([leaf(entry) for entry in check_log(log.store)])


LOG = memory_log()
grown(LOG, SIZE - 1, "a")
TREE = tree_of(LOG)
KEPT = NodeReader(LOG.store)


@given(st.data())
def test_plans_are_fulfilled_as_the_reference_would(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))

    path = KEPT.fulfil(plan_inclusion(index=index, size=size))
    proof = KEPT.fulfil(plan_consistency(old=old, new=size))

    assert list(path) == TREE.path(index, size)
    assert list(proof) == TREE.proof(old, size)
    assert KEPT.fulfil(plan_root(size)) == (TREE.root(size),)


def test_the_empty_plans_need_no_store() -> None:
    assert KEPT.fulfil(plan_root(0)) == (EMPTY_ROOT,)
    assert KEPT.fulfil(plan_inclusion(index=0, size=1)) == ()


def test_a_kept_row_that_has_grown_is_read_again() -> None:
    log = memory_log()
    grown(log, 600, "a")
    reader = NodeReader(log.store)
    early = reader.fulfil(plan_inclusion(index=3, size=601))
    grown(log, 900, "b")

    later = reader.fulfil(plan_inclusion(index=3, size=1501))

    tree = tree_of(log)
    assert list(early) == tree.path(3, 601)
    assert list(later) == tree.path(3, 1501)


class CountingStore(FaultyStore):
    """Counts how many nodes and rows are read."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log.store)
        self.nodes: list[Node] = []
        self.rows = 0

    def read_nodes(self, nodes: Sequence[Node]) -> list[bytes]:
        self.nodes += nodes
        return super().read_nodes(nodes)

    def read_row(self, level: int, block: int) -> bytes:
        self.rows += 1
        return super().read_row(level, block)


def test_upper_rows_and_ragged_sides_are_read_once() -> None:
    store = CountingStore(LOG)
    reader = NodeReader(store)
    reader.fulfil(plan_inclusion(index=3, size=SIZE))
    rows, store.nodes = store.rows, []

    reader.fulfil(plan_inclusion(index=4, size=SIZE))

    assert store.rows == rows > 0
    assert {node.level for node in store.nodes} == set(range(nodes.UPPER_LEVEL))
    assert len(store.nodes) == nodes.UPPER_LEVEL


def test_what_is_kept_is_bounded() -> None:
    log = memory_log()
    grown(log, 700, "a")
    reader = NodeReader(log.store, most_rows=1, most_ragged=1)
    tree = tree_of(log)

    for size in (600, 650, 701):
        for index in (3, 300, 599):
            path = reader.fulfil(plan_inclusion(index=index, size=size))
            assert list(path) == tree.path(index, size)

    assert reader.kept <= 2


def test_a_missing_upper_node_is_named() -> None:
    with pytest.raises(IntegrityError, match="9/70"):
        KEPT.read([Node(9, 70)])


class RottenStore(FaultyStore):
    """Gives one wrong row, once."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log.store)
        self.is_rotten = True

    def read_row(self, level: int, block: int) -> bytes:
        row = super().read_row(level, block)
        if self.is_rotten:
            return bytes(byte ^ 1 for byte in row)
        return row


def test_a_proof_that_is_wrong_does_not_leave_and_nothing_of_it_is_kept() -> None:
    store = RottenStore(LOG)
    head = LOG.state.head
    reader = Reader(store, head)

    with pytest.raises(IntegrityError, match="does not verify"):
        reader.receipt(index=3, size=SIZE, root=head.root, note=head.note)
    store.is_rotten = False

    assert list(reader.prove(index=3, size=SIZE).path) == TREE.path(3, SIZE)
