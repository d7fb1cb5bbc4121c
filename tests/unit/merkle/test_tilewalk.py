"""Nodes found in tiles, against the reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.proof import (
    plan_consistency,
    plan_inclusion,
    plan_root,
    plan_spans,
)
from tallystick_merkle.shape import Node
from tallystick_merkle.tile import Tile
from tallystick_merkle.tilewalk import nodes_from, place, tiles_for
from tests.reference.sparse import SparseTree
from tests.unit.merkle.trees import LARGE_SIZES, leaves_to, node_of, reference

SIZES = st.integers(1, 700)


def tiles_of_tree(size: int) -> dict[tuple[int, int], bytes]:
    """Serve exactly the tiles that the size implies."""
    rows = grow(EMPTY_EDGE, list(leaves_to(size))).rows
    return {
        (row.level // 8, row.block): row.hashes for row in rows if row.level % 8 == 0
    }


@pytest.mark.parametrize(
    ("node", "where"),
    [
        (Node(0, 0), (0, 0, 0, 1)),
        (Node(0, 257), (0, 1, 1, 1)),
        (Node(3, 33), (0, 1, 8, 8)),
        (Node(7, 1), (0, 0, 128, 128)),
        (Node(8, 1), (1, 0, 1, 1)),
        (Node(15, 3), (1, 1, 128, 128)),
        (Node(61, 1), (7, 0, 32, 32)),
    ],
)
def test_a_node_s_place_is_known(node: Node, where: tuple[int, ...]) -> None:
    assert place(node) == where


@given(SIZES, st.data())
def test_proofs_from_tiles_are_the_reference_s(size: int, data: st.DataObject) -> None:
    tree, tiles = reference(700), tiles_of_tree(size)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))

    for plan, expected in (
        (plan_inclusion(index=index, size=size), tree.path(index, size)),
        (plan_consistency(old=old, new=size), tree.proof(old, size)),
        (plan_root(old), [tree.root(old)]),
    ):
        assert list(plan.assemble(nodes_from(plan.nodes, tiles))) == expected
        for tile in tiles_for(plan.nodes, size):
            assert len(tiles[tile.level, tile.index]) == tile.width * 32


def test_tiles_of_a_proof_are_named_once_in_order_and_as_wide_as_they_are() -> None:
    nodes = plan_inclusion(index=69_999, size=70_000).nodes

    assert tiles_for([*nodes, *nodes], 70_000) == (
        Tile(0, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    )


@pytest.mark.parametrize("size", LARGE_SIZES)
def test_paths_of_huge_trees_come_from_a_few_tiles(size: int) -> None:
    index = size // 3
    tree = SparseTree({index: b"m" * 32})
    plan = plan_inclusion(index=index, size=size)
    wanted = tiles_for(plan.nodes, size)
    tiles = {
        (tile.level, tile.index): b"".join(
            node_of(tree, Node(8 * tile.level, tile.first + at))
            for at in range(tile.width)
        )
        for tile in wanted
    }

    path = plan.assemble(nodes_from(plan.nodes, tiles))

    assert list(path) == tree.path(index, size)
    assert len(wanted) <= 16


def test_a_missing_tile_is_named() -> None:
    with pytest.raises(TreeMismatchError, match="tile 0/1 has 0 hashes") as caught:
        nodes_from([Node(0, 256)], {})

    assert caught.value.index == 256


def test_a_tile_that_is_too_narrow_is_named() -> None:
    with pytest.raises(TreeMismatchError, match=r"has 3 hashes, .* needs 4") as caught:
        nodes_from([Node(1, 1)], {(0, 0): b"a" * 96})

    assert caught.value.index == 2


def test_no_nodes_need_no_tiles() -> None:
    plan = plan_spans([])

    assert tiles_for(plan.nodes, 0) == ()
    assert nodes_from(plan.nodes, {}) == []
