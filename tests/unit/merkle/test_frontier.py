"""Growing a tree by its right edge, in any split, against the reference."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.frontier import (
    EMPTY_EDGE,
    ROW_BYTES,
    Edge,
    Row,
    grow,
    load_edge,
    tail_widths,
)
from tallystick_merkle.hashing import EMPTY_ROOT, MAX_SIZE
from tests.reference.sparse import COMMON, SparseTree
from tests.unit.merkle.trees import LARGE_SIZES, MOST, edge_of, leaves_to, reference
from tests.vectors.known import answers

ROOTS = {
    int(size): bytes.fromhex(root)
    for size, root in answers()["entry_dash_n_roots"]["roots"].items()
}


class Rows:
    """Stored rows; a row may only be replaced by one that begins with it."""

    def __init__(self) -> None:
        self.stored: dict[tuple[int, int], bytes] = {}

    def keep(self, rows: tuple[Row, ...]) -> None:
        for row in rows:
            old = self.stored.get((row.level, row.block), b"")
            assert row.hashes.startswith(old)
            self.stored[row.level, row.block] = row.hashes

    def read(self, level: int, block: int) -> bytes:
        return self.stored[level, block]


def grown(splits: list[int]) -> tuple[Edge, Rows]:
    """Append the entries up to each split in turn, keeping rows and checking roots."""
    edge, rows = EMPTY_EDGE, Rows()
    for start, stop in pairwise([0, *splits]):
        growth = grow(edge, list(leaves_to(max(splits))[start:stop]))
        rows.keep(growth.rows)
        edge = growth.edge
        assert edge.size == stop
        assert growth.root == edge.root()
    return edge, rows


@pytest.mark.parametrize("size", sorted(ROOTS))
def test_roots_of_the_published_entries_are_reached(size: int) -> None:
    assert edge_of(size).root() == ROOTS[size]


@pytest.mark.slow
def test_every_append_in_two_parts_to_size_130_gives_the_reference_s_root() -> None:
    tree = reference()

    for size in range(1, MOST + 1):
        for split in range(size + 1):
            edge, _ = grown([split, size])
            assert edge == edge_of(size)
            assert edge.root() == tree.root(size)


def test_rows_hold_the_reference_s_nodes() -> None:
    tree = reference(700)
    _, rows = grown([700])

    for (level, block), hashes in rows.stored.items():
        count = min(256, (700 >> level) - block * 256)
        first = block * 256
        assert hashes == b"".join(
            tree.hash(at << level, at + 1 << level)
            for at in range(first, first + count)
        )


@given(st.sets(st.integers(0, 1100), min_size=1, max_size=8))
def test_any_split_gives_the_same_edge_and_rows(splits: set[int]) -> None:
    ordered = sorted(splits)

    edge, rows = grown(ordered)

    whole_edge, whole_rows = grown([ordered[-1]])
    assert edge == whole_edge
    assert rows.stored == whole_rows.stored


@given(st.integers(0, 1100))
def test_an_edge_is_loaded_from_its_rows(size: int) -> None:
    edge, _ = grown([size])
    _, later = grown([size, 1100])

    assert load_edge(size, later.read) == edge


@pytest.mark.parametrize("size", [size for size in LARGE_SIZES if size < 2**62])
def test_a_huge_tree_grows_across_its_border(size: int) -> None:
    tree = SparseTree({})

    def read_row(level: int, block: int) -> bytes:
        return tree.hash(0, 1 << level) * 256

    edge = load_edge(size, read_row)
    growth = grow(edge, [COMMON])

    assert edge.root() == tree.root(size)
    assert growth.root == tree.root(size + 1)
    assert growth.edge == load_edge(size + 1, read_row)


def test_the_empty_edge_has_the_empty_root() -> None:
    assert EMPTY_EDGE.root() == EMPTY_ROOT


def test_growing_by_nothing_changes_nothing() -> None:
    growth = grow(edge_of(5), [])

    assert (growth.edge, growth.rows) == (edge_of(5), ())
    assert growth.root == edge_of(5).root()


def test_a_full_row_leaves_no_tail() -> None:
    growth = grow(EMPTY_EDGE, list(leaves_to(256)))

    assert growth.edge.tails[0] == b""
    assert growth.rows[0].hashes == b"".join(leaves_to(256))
    assert growth.rows[0].width == 256
    assert [(row.level, row.width) for row in growth.rows[-2:]] == [(7, 2), (8, 1)]


@pytest.mark.parametrize(
    ("size", "widths"),
    [(0, []), (1, [1]), (3, [3, 1]), (256, [0, 128, 64, 32, 16, 8, 4, 2, 1])],
)
def test_tail_widths_follow_from_the_size(size: int, widths: list[int]) -> None:
    assert tail_widths(size) == widths


def test_a_stored_row_that_is_too_short_is_named() -> None:
    with pytest.raises(TreeMismatchError, match="level 0 at size 3 has 64") as caught:
        load_edge(3, lambda *_: b"a" * 64)

    assert caught.value.index == 2


def test_a_tree_over_the_limit_does_not_grow() -> None:
    full = Edge(MAX_SIZE, (b"",) * 62 + (b"r" * 32,))

    with pytest.raises(TreeMismatchError, match="over the limit"):
        grow(full, [COMMON])


def test_a_row_is_8192_bytes() -> None:
    assert ROW_BYTES == 8192
