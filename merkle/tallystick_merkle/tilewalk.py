"""Find tree nodes in hash tiles (c2sp.org/tlog-tiles), in two passes.

Node (level, position) is made of 2^(level mod 8) neighbouring hashes of one tile.
First `tiles_for` names the tiles that hold a plan's nodes; after they were fetched,
`nodes_from` hashes the nodes together.  A tile that is missing or too narrow is a
TreeMismatchError: the log does not serve what its size implies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.hashing import HASH_SIZE, pair_up
from tallystick_merkle.shape import Node
from tallystick_merkle.tile import Tile, tile_width

HEIGHT = 8
"""Tree levels in a tile."""

TileHashes = Mapping[tuple[int, int], bytes]
"""Fetched tiles: (level, index) to their bytes, at least as wide as asked for."""


def place(node: Node) -> tuple[int, int, int, int]:
    """Give tile level, tile index, first hash in it and count of hashes of a node."""
    level, depth = divmod(node.level, HEIGHT)
    index = node.position >> (HEIGHT - depth)
    return level, index, (node.position << depth) & 255, 1 << depth


def tiles_for(nodes: Iterable[Node], size: int) -> tuple[Tile, ...]:
    """Name the tiles of the tree of `size` that hold `nodes`, each once, sorted."""
    places = {place(node)[:2] for node in nodes}
    return tuple(
        Tile(level, index, tile_width(level, index, size))
        for level, index in sorted(places)
    )


def nodes_from(nodes: Iterable[Node], tiles: TileHashes) -> list[bytes]:
    """Hash nodes from fetched tiles, in order.

    Raises TreeMismatchError when a tile is missing or too narrow.
    """
    return [_node_from(node, tiles) for node in nodes]


def _node_from(node: Node, tiles: TileHashes) -> bytes:
    """Hash one node from its tile."""
    level, index, first, count = place(node)
    data = tiles.get((level, index), b"")
    part = data[first * HASH_SIZE : (first + count) * HASH_SIZE]
    if len(part) != count * HASH_SIZE:
        raise TreeMismatchError(
            f"tile {level}/{index} has {len(data) // HASH_SIZE} hashes, "
            f"node {node.level}/{node.position} needs {first + count}",
            index=node.position << node.level,
        )
    hashes = [part[at : at + HASH_SIZE] for at in range(0, len(part), HASH_SIZE)]
    while len(hashes) > 1:
        hashes = pair_up(hashes)
    return hashes[0]
