"""Re-derive a log from its entries, bundle by bundle, against its tiles and heads.

The state of an audit is an Edge: the tree as far as the auditor has hashed it itself.
It is fed entry bundles and the hash tiles that the log serves for them, and names the
first leaf that differs.  At the end of a round its own root must be the signed one,
which proves at once that the new head extends the old.

Nothing is believed: what is compared with what, and in which order, is written here;
fetching is `exchange.auditing`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.frontier import ROW_BYTES, Edge, Row, grow
from tallystick_merkle.hashing import HASH_SIZE, leaf_hashes
from tallystick_merkle.tile import Tile, format_tile_path
from tallystick_merkle.tilewalk import HEIGHT


@dataclass(frozen=True, slots=True)
class Step:
    """One bundle taken in: the new edge and the finished tiles to compare."""

    edge: Edge
    tiles: tuple[tuple[Tile, bytes], ...]


def take_entries(edge: Edge, entries: list[bytes], served: bytes) -> Step:
    """Hash the next entries and compare them with the served level-0 hashes.

    `served` are the tile's hashes for exactly these leaves, 32 bytes each.  Raises
    TreeMismatchError naming the first leaf whose entry and tile disagree.
    """
    leaves = leaf_hashes(entries)
    if b"".join(leaves) != served:
        raise _name_mismatch(edge.size, leaves, served)
    growth = grow(edge, leaves)
    finished = tuple(
        _tile_of(row)
        for row in growth.rows
        if row.level and row.level % HEIGHT == 0 and len(row.hashes) == ROW_BYTES
    )
    return Step(growth.edge, finished)


def edge_tiles(edge: Edge) -> tuple[tuple[Tile, bytes], ...]:
    """Give the unfinished hash tiles above level 0 that the edge implies."""
    return tuple(
        _tile_of(Row(level, edge.size >> level >> 8, tail))
        for level, tail in enumerate(edge.tails)
        if level and level % HEIGHT == 0 and tail
    )


def check_tile(tile: Tile, expected: bytes, served: bytes) -> None:
    """Raise TreeMismatchError unless a served tile is the one we hashed.

    It names the first leaf below the first hash that differs.
    """
    if served == expected:
        return
    starts = range(0, len(expected), HASH_SIZE)
    differs = [
        served[at : at + HASH_SIZE] != expected[at : at + HASH_SIZE] for at in starts
    ]
    place = tile.first + (differs.index(True) if any(differs) else 0)
    raise TreeMismatchError(
        f"{format_tile_path(tile)} is not made of the leaves below it",
        index=place << (HEIGHT * tile.level),
    )


def check_root(edge: Edge, checkpoint: Checkpoint) -> None:
    """Raise TreeMismatchError unless the hashed tree has the signed size and root.

    That the head extends the one the audit began at follows: one edge led to both.
    """
    root = edge.root()
    if (edge.size, root) != (checkpoint.size, checkpoint.root):
        raise TreeMismatchError(
            f"the entries of {checkpoint.origin!r} lead to root {root.hex()} at size "
            f"{edge.size}, the signed root is {checkpoint.root.hex()} at size "
            f"{checkpoint.size}"
        )


def _tile_of(row: Row) -> tuple[Tile, bytes]:
    return Tile(row.level // HEIGHT, row.block, row.width), row.hashes


def _name_mismatch(first: int, leaves: list[bytes], served: bytes) -> TreeMismatchError:
    """Find the first leaf whose hash is not the served one."""
    for place, leaf in enumerate(leaves):
        if served[place * HASH_SIZE : (place + 1) * HASH_SIZE] != leaf:
            index = first + place
            return TreeMismatchError(
                f"entry {index} does not hash to leaf {index} of the tree: "
                "the entry or its tile was rewritten",
                index=index,
            )
    return TreeMismatchError(
        f"the tile at leaf {first} has {len(served) // HASH_SIZE} hashes, "
        f"expected {len(leaves)}",
        index=first,
    )
