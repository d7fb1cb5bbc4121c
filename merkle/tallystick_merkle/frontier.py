"""Append leaves to a tree of which only the right edge is known.

Each level of the tree is stored as *rows* of up to 256 hashes: row (level, block)
holds nodes (level, 256·block …).  A row at a level that is a multiple of 8 is a hash
tile of tlog-tiles; the others are the interior nodes, kept so that a proof is read
and not recomputed.

The *edge* is the last, unfinished row of every level.  It is all that an append
needs: from it and the new leaves follow the new edge, the rows to store and the
root.  The root is folded from the same bytes that are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.hashing import HASH_SIZE, MAX_SIZE, fold_right, pair_up

ROW_WIDTH = 256
"""Hashes in a full row."""

ROW_BYTES = ROW_WIDTH * HASH_SIZE
"""Bytes in a full row."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stored row: nodes (level, 256·block) to (level, 256·block + width - 1)."""

    level: int
    block: int
    hashes: bytes

    @property
    def width(self) -> int:
        """Number of hashes, 1 to 256."""
        return len(self.hashes) // HASH_SIZE


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree: its size and the unfinished row of each level.

    `tails[level]` holds the last (size >> level) mod 256 hashes of that level; it is
    empty where the last row is full.  There is a tail for each level from 0 to the
    bit length of the size, exclusive.
    """

    size: int
    tails: tuple[bytes, ...]

    def peaks(self) -> list[bytes]:
        """Give the roots of the perfect subtrees, largest (leftmost) first."""
        return [
            self.tails[level][-HASH_SIZE:]
            for level in range(len(self.tails) - 1, -1, -1)
            if self.size >> level & 1
        ]

    def root(self) -> bytes:
        """Fold the root of the tree from its peaks."""
        return fold_right(self.peaks())


@dataclass(frozen=True, slots=True)
class Growth:
    """What an append yields: the new edge, the rows to store and the new root."""

    edge: Edge
    rows: tuple[Row, ...]
    root: bytes


EMPTY_EDGE = Edge(0, ())
"""The edge of the empty tree."""


def tail_widths(size: int) -> list[int]:
    """Give the hashes in each level's unfinished row for a tree of `size` leaves."""
    return [size >> level & (ROW_WIDTH - 1) for level in range(size.bit_length())]


def load_edge(size: int, read_row: Callable[[int, int], bytes]) -> Edge:
    """Build the edge of a stored tree; `read_row(level, block)` gives stored rows.

    Raises TreeMismatchError when a row is shorter than the size demands.
    """
    tails = []
    for level, width in enumerate(tail_widths(size)):
        stored = read_row(level, size >> level >> 8) if width else b""
        if len(stored) < width * HASH_SIZE:
            raise TreeMismatchError(
                f"row of level {level} at size {size} has {len(stored)} bytes, "
                f"expected at least {width * HASH_SIZE}",
                index=size - 1,
            )
        tails.append(stored[: width * HASH_SIZE])
    return Edge(size, tuple(tails))


def grow(edge: Edge, leaves: list[bytes]) -> Growth:
    """Append 32-byte leaf hashes. Requires edge.size + len(leaves) <= 2^62.

    The rows come level by level from the leaves up, blocks ascending; the last row of
    a level may be unfinished and replaces the stored one of the same (level, block).
    """
    size = edge.size + len(leaves)
    if size > MAX_SIZE:
        raise TreeMismatchError(f"a tree of {size} leaves is over the limit")
    rows: list[Row] = []
    tails = list(edge.tails) + [b""] * (size.bit_length() - len(edge.tails))
    fresh = leaves
    level = 0
    while fresh:
        before = edge.size >> level
        tail = tails[level]
        unpaired = [tail[-HASH_SIZE:]] if before & 1 else []
        rows += _cut_rows(level, before >> 8, tail + b"".join(fresh))
        keep = (before + len(fresh)) & (ROW_WIDTH - 1)
        last = rows[-1].hashes
        tails[level] = last if keep else b""
        fresh = pair_up(unpaired + fresh)
        level += 1
    grown = Edge(size, tuple(tails))
    return Growth(grown, tuple(rows), grown.root())


def _cut_rows(level: int, block: int, hashes: bytes) -> list[Row]:
    """Cut a run of hashes, starting at a row boundary, into rows."""
    return [
        Row(level, block + at // ROW_BYTES, hashes[at : at + ROW_BYTES])
        for at in range(0, len(hashes), ROW_BYTES)
    ]
