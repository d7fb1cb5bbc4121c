"""One proof for a run of neighbours, against the reference and against liars."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import ProofError
from tallystick_merkle.hashing import MAX_SIZE
from tallystick_merkle.proof import check_inclusion
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tests.reference.rfc6962 import Tree, leaf
from tests.reference.sparse import SparseTree
from tests.unit.merkle.trees import LARGE_SIZES, assembled, reference

AFFORDABLE = 40


def range_tree(tree: Tree, start: int, stop: int, size: int) -> RangeTree:
    """Rebuild a range from the hashes that the shape asks for."""
    shape = range_shape(start=start, stop=stop, size=size)
    return RangeTree(
        shape,
        leaves=[tree.hash(at, at + 1) for at in range(start, stop)],
        left=[tree.hash(*span) for span in shape.left],
        right=[tree.hash(*span) for span in shape.right],
        root=tree.root(size),
    )


@pytest.mark.slow
def test_every_range_to_size_40_gives_the_reference_s_paths() -> None:
    tree = reference()

    for size in range(1, AFFORDABLE + 1):
        for start in range(size):
            for stop in range(start + 1, size + 1):
                found = range_tree(tree, start, stop, size)
                for index in {start, (start + stop) // 2, stop - 1} - {stop}:
                    assert list(found.inclusion_path(index)) == tree.path(index, size)


@pytest.mark.parametrize("size", [127, 128, 129, 130])
def test_the_plan_of_a_range_is_what_rebuilds_it(size: int) -> None:
    tree = reference()

    for start in range(0, size, 7):
        for stop in range(start + 1, size + 1, 5):
            shape = range_shape(start=start, stop=stop, size=size)
            hashes = assembled(shape.plan(), tree)
            found = RangeTree(
                shape,
                leaves=[tree.hash(at, at + 1) for at in range(start, stop)],
                left=hashes[: len(shape.left)],
                right=hashes[len(shape.left) :],
                root=tree.root(size),
            )
            for index in range(start, stop):
                assert list(found.inclusion_path(index)) == tree.path(index, size)


@pytest.mark.parametrize("size", LARGE_SIZES)
def test_ranges_of_huge_trees_verify(size: int) -> None:
    for start in {0, 1, size // 3, size // 2 - 3, size - 9}:
        stop = start + 9
        tree = SparseTree({start + 4: leaf(b"marked")})

        found = range_tree(tree, start, stop, size)

        for index in range(start, stop):
            check_inclusion(
                index=index,
                size=size,
                leaf=tree.leaf(index),
                path=found.inclusion_path(index),
                root=tree.root(size),
            )


@given(st.integers(1, MAX_SIZE), st.data())
def test_a_range_has_at_most_two_hashes_a_level(size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))

    shape = range_shape(start=start, stop=stop, size=size)

    assert len(shape.left) <= size.bit_length()
    assert len(shape.right) <= size.bit_length()
    ends = [0, *(span.stop for span in shape.left)]
    assert [span.start for span in shape.left] == ends[:-1]
    assert ends[-1] == start
    starts = [*(span.start for span in shape.right), size]
    assert [span.stop for span in shape.right] == starts[1:]
    assert starts[0] == stop


def test_the_whole_tree_needs_no_hash() -> None:
    shape = range_shape(start=0, stop=7, size=7)

    assert (shape.left, shape.right) == ((), ())


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("part", ["leaves", "left", "right"])
def test_one_flipped_bit_anywhere_is_refused(part: str, place: int) -> None:
    tree = reference()
    shape = range_shape(start=11, stop=15, size=29)
    hashes = {
        "leaves": [tree.hash(at, at + 1) for at in range(11, 15)],
        "left": [tree.hash(*span) for span in shape.left],
        "right": [tree.hash(*span) for span in shape.right],
    }
    place %= len(hashes[part])
    hashes[part][place] = bytes([hashes[part][place][0] ^ 1]) + hashes[part][place][1:]

    with pytest.raises(ProofError, match=r"leaves \[11, 15\) are not in the tree"):
        RangeTree(shape, **hashes, root=tree.root(29))


def test_swapped_leaves_are_refused() -> None:
    tree = reference()
    shape = range_shape(start=2, stop=4, size=4)

    with pytest.raises(ProofError, match="are not in the tree"):
        RangeTree(
            shape,
            leaves=[tree.hash(3, 4), tree.hash(2, 3)],
            left=[tree.hash(0, 2)],
            right=[],
            root=tree.root(4),
        )


@pytest.mark.parametrize(
    ("leaves", "left", "right"), [(1, 1, 1), (2, 0, 1), (2, 1, 2), (3, 1, 1)]
)
def test_other_counts_than_the_shape_s_are_refused(
    leaves: int, left: int, right: int
) -> None:
    shape = range_shape(start=2, stop=4, size=8)

    with pytest.raises(ProofError, match="expected"):
        RangeTree(
            shape,
            leaves=[b"a" * 32] * leaves,
            left=[b"a" * 32] * left,
            right=[b"a" * 32] * right,
            root=b"r" * 32,
        )


@pytest.mark.parametrize("part", ["leaves", "left", "right"])
def test_a_hash_that_is_not_32_bytes_is_refused(part: str) -> None:
    shape = range_shape(start=2, stop=3, size=8)
    hashes = {
        "leaves": [b"a" * 32],
        "left": [b"b" * 32] * len(shape.left),
        "right": [b"c" * 32] * len(shape.right),
    }
    hashes[part][0] = b""

    with pytest.raises(ProofError, match="not 32 bytes"):
        RangeTree(shape, **hashes, root=b"r" * 32)


@pytest.mark.parametrize("size", [9, 64, 100])
def test_a_part_of_a_range_has_a_proof_of_its_own(size: int) -> None:
    tree = reference()
    whole = range_tree(tree, 3, size - 2, size)

    for start in range(3, size - 2):
        for stop in (start + 1, (start + size) // 2, size - 2):
            if not start < stop <= size - 2:
                continue
            shape = range_shape(start=start, stop=stop, size=size)
            left, right = whole.range_proof(shape)
            assert left == tuple(tree.hash(*span) for span in shape.left)
            assert right == tuple(tree.hash(*span) for span in shape.right)


@pytest.mark.parametrize(
    ("start", "stop", "size"), [(1, 3, 8), (2, 5, 8), (2, 4, 9), (2, 4, 7)]
)
def test_no_proof_is_given_for_leaves_outside_the_range(
    start: int, stop: int, size: int
) -> None:
    found = range_tree(reference(), 2, 4, 8)

    with pytest.raises(ProofError, match="not in the proven range"):
        found.range_proof(range_shape(start=start, stop=stop, size=size))


@pytest.mark.parametrize("index", [1, 4, -1])
def test_no_path_is_given_for_a_leaf_outside_the_range(index: int) -> None:
    found = range_tree(reference(), 2, 4, 8)

    with pytest.raises(ProofError, match="not in the proven range"):
        found.inclusion_path(index)


@pytest.mark.parametrize(
    ("start", "stop", "size"),
    [(0, 0, 1), (1, 1, 2), (-1, 1, 1), (0, 2, 1), (0, 1, MAX_SIZE + 1), (2, 1, 3)],
)
def test_a_range_outside_the_tree_is_refused(start: int, stop: int, size: int) -> None:
    with pytest.raises(ProofError, match="outside a tree"):
        range_shape(start=start, stop=stop, size=size)
