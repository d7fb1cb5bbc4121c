"""The derived tree is the reference's, and one damage is one problem."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick_merkle.hashing import leaf_hashes
from tallystick_server.errors import IntegrityError
from tallystick_server.log.findings import Findings, Kind, Problem
from tallystick_server.log.treecheck import TreeCheck
from tallystick_server.storage.base import LogStore
from tallystick_server.storage.conformance import Steps, entries_of
from tallystick_server.storage.memory import MemoryStore
from tests.reference.rfc6962 import Tree

SIZES = (1, 2, 3, 255, 256, 257, 511, 512, 513, 600, 1025)


def store_of(size: int) -> MemoryStore:
    """A store of `size` entries, committed one and then the rest."""
    steps = Steps()
    store = MemoryStore(steps.first())
    if size > 1:
        store.commit(steps.next(entries_of(size - 1)))
    return store


def problems_of(
    store: LogStore, size: int, *, latest: int | None = None, window: int = 256
) -> tuple[list[Problem], TreeCheck]:
    """Check a store; give what was found."""
    findings = Findings()
    check = TreeCheck(store, size, findings, latest=lambda: latest or size)
    for _ in check.run(window=window):
        pass
    return findings.problems, check


@pytest.mark.parametrize("window", [256, 512, 65_536])
@pytest.mark.parametrize("size", SIZES)
def test_a_sound_tree_has_no_problem_and_the_roots_of_the_reference(
    size: int, window: int
) -> None:
    store = store_of(size)
    findings = Findings()
    reference = Tree(leaf_hashes(store.read_entries(0, size)))
    ends = []

    for prefix in TreeCheck(store, size, findings, latest=lambda: size).run(
        window=window
    ):
        ends.append(prefix.size)
        for inside in range(prefix.start + 1, prefix.size + 1, 7):
            assert prefix.root(inside) == reference.root(inside)
        assert prefix.root(prefix.size) == reference.root(prefix.size)

    assert findings.problems == []
    assert ends[-1] == size


def test_no_tree_at_all_has_no_window() -> None:
    assert problems_of(store_of(3), 0)[0] == []


@pytest.mark.parametrize("size", SIZES)
def test_a_log_that_grew_meanwhile_has_no_problem(size: int) -> None:
    store = store_of(1300)

    problems, _ = problems_of(store, size, latest=1300)

    assert problems == []


def test_a_row_wider_than_the_log_has_grown_is_named() -> None:
    store = store_of(600)

    problems, _ = problems_of(store, 513, latest=599)

    places = {(problem.level, problem.block) for problem in problems}
    assert places == {(0, 2), (2, 0), (3, 0)}


@settings(max_examples=150)
@given(st.integers(2, 1100), st.data())
def test_one_changed_entry_is_one_problem(size: int, data: st.DataObject) -> None:
    store = store_of(size)
    index = data.draw(st.integers(0, size - 1))
    store._stored.entries[index] = b"forged"

    (problem,), _ = problems_of(store, size)

    assert (problem.kind, problem.index) == (Kind.ENTRY, index)


@settings(max_examples=150)
@given(st.integers(2, 1100), st.data())
def test_one_changed_node_is_one_problem(size: int, data: st.DataObject) -> None:
    store = store_of(size)
    level = data.draw(st.integers(0, size.bit_length() - 1))
    position = data.draw(st.integers(0, (size >> level) - 1))
    rows = store._stored.rows
    row = bytearray(rows[level, position >> 8])
    row[(position & 255) * 32 + data.draw(st.integers(0, 31))] ^= 1
    rows[level, position >> 8] = bytes(row)

    (problem,), _ = problems_of(store, size)

    if level == 0 and size & 1 and position == size - 1:  # no parent tells which
        assert (problem.kind, problem.index) == (Kind.ENTRY, position)
    else:
        where = (problem.kind, problem.level, problem.block)
        assert where == (Kind.ROW, level, position >> 8)


def test_where_entry_and_leaf_are_both_wrong_both_sides_are_named() -> None:
    store = store_of(600)
    rows = store._stored.rows
    rows[0, 0] = bytes(32) + rows[0, 0][32:]
    store._stored.entries[0] = b"forged"

    problems, _ = problems_of(store, 600)

    assert problems[0].index == 0
    assert {problem.kind for problem in problems} == {Kind.ENTRY, Kind.ROW}


def test_where_entry_and_leaf_are_both_missing_what_is_above_is_named() -> None:
    store = store_of(600)
    missing = Unreadable(store, entries=frozenset({599}), rows=frozenset({(0, 2)}))

    problems, check = problems_of(missing, 600)

    assert (check.missing_entries, check.missing_rows) == (1, 1)
    assert [problem.kind for problem in problems[:3]] == [
        Kind.ENTRY,
        Kind.STORE,
        Kind.ROW,
    ]


def test_a_missing_entry_whose_leaf_is_stored_is_one_problem() -> None:
    missing = Unreadable(store_of(600), entries=frozenset({7, 599}))

    problems, check = problems_of(missing, 600)

    assert [(problem.kind, problem.index) for problem in problems] == [
        (Kind.ENTRY, 7),
        (Kind.ENTRY, 599),
    ]
    assert check.missing_entries == 2


def test_an_interior_row_that_cannot_be_read_is_named() -> None:
    store = Unreadable(store_of(600), rows=frozenset({(1, 0), (3, 0)}))

    problems, check = problems_of(store, 600)

    assert [(problem.kind, problem.level) for problem in problems] == [
        (Kind.STORE, 1),
        (Kind.ROW, 1),
        (Kind.STORE, 3),
        (Kind.ROW, 3),
    ]
    assert check.missing_rows == 2


class Unreadable(MemoryStore):
    """A store of which some entries and rows cannot be read."""

    def __init__(
        self,
        store: MemoryStore,
        *,
        entries: frozenset[int] = frozenset(),
        rows: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self.inner = store
        self.lost_entries = entries
        self.lost_rows = rows

    def read_entries(self, start: int, stop: int) -> list[bytes]:
        for index in range(start, stop):
            if index in self.lost_entries:
                raise IntegrityError(f"entry {index} cannot be read")
        return self.inner.read_entries(start, stop)

    def read_row(self, level: int, block: int) -> bytes:
        if (level, block) in self.lost_rows:
            raise IntegrityError(f"row {level}/{block} cannot be read")
        return self.inner.read_row(level, block)
