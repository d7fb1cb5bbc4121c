"""Leaf, node and root hashes against known answers."""

import pytest

from tallystick_merkle.hashing import (
    EMPTY_ROOT,
    fold_right,
    leaf_hash,
    leaf_hashes,
    node_hash,
    pair_up,
)
from tests.vectors.known import answers

TREE8 = answers()["tree8"]


def test_the_empty_root_is_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == TREE8["roots_by_size"]["0"]


def test_leaves_hash_to_their_known_answers() -> None:
    entries = [bytes.fromhex(entry) for entry in TREE8["leaves_hex"]]

    assert [leaf_hash(entry).hex() for entry in entries] == TREE8["leaf_hashes"]
    assert [leaf.hex() for leaf in leaf_hashes(entries)] == TREE8["leaf_hashes"]


def test_a_leaf_hashes_to_its_published_answer() -> None:
    assert leaf_hash(b"L123456").hex() == (
        "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    )


def test_a_node_hashes_to_its_published_answer() -> None:
    assert node_hash(b"N123", b"N456").hex() == (
        "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    )


def test_a_leaf_is_never_a_node() -> None:
    left, right = b"l" * 32, b"r" * 32

    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize("count", [0, 2, 4, 256])
def test_pairs_are_hashed_left_to_right(count: int) -> None:
    hashes = [leaf_hash(bytes([at % 256])) for at in range(count)]

    assert pair_up(hashes) == [
        node_hash(hashes[at], hashes[at + 1]) for at in range(0, count, 2)
    ]


def test_folding_nothing_gives_the_empty_root() -> None:
    assert fold_right([]) == EMPTY_ROOT


def test_folding_one_hash_gives_that_hash() -> None:
    assert fold_right([b"a" * 32]) == b"a" * 32


def test_folding_joins_the_smallest_subtrees_first() -> None:
    large, middle, small = b"l" * 32, b"m" * 32, b"s" * 32

    assert fold_right([large, middle, small]) == node_hash(
        large, node_hash(middle, small)
    )
