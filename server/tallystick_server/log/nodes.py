"""Read the hashes of planned proofs, keeping what is asked for again and again.

Nodes never change, so whatever is kept stays right; a row that was still growing may
turn out too short, and is then read again.  Kept are:

- rows of the upper levels: one of level 8 stands over 65,536 leaves, so a few hundred
  of them serve every proof of a log of ten million entries;
- the hash of the ragged right side of a tree, the same for most leaves of one size.

The lower levels are read from the store each time.  Used on one thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from tallystick_merkle.hashing import HASH_SIZE, fold_right
from tallystick_merkle.proof import Plan
from tallystick_merkle.shape import Node
from tallystick_server.storage.base import LogStore

UPPER_LEVEL = 8
"""Lowest level whose rows are kept."""

MOST_ROWS = 1024
"""Most rows kept: 8 MiB."""

MOST_RAGGED = 4096
"""Most ragged hashes kept."""


class NodeReader:
    """Reads nodes and fulfils plans from one store."""

    def __init__(
        self,
        store: LogStore,
        *,
        most_rows: int = MOST_ROWS,
        most_ragged: int = MOST_RAGGED,
    ) -> None:
        """Read from `store`; at first nothing is kept."""
        self._store = store
        self._most_rows = most_rows
        self._most_ragged = most_ragged
        self._rows: dict[tuple[int, int], bytes] = {}
        self._ragged: dict[tuple[Node, ...], bytes] = {}

    @property
    def kept(self) -> int:
        """How many rows and ragged hashes are kept."""
        return len(self._rows) + len(self._ragged)

    def fulfil(self, plan: Plan) -> tuple[bytes, ...]:
        """Give the hashes a plan asks for, in order.

        Raises IntegrityError for a node that is not stored.
        """
        nodes, counts = plan.nodes, plan.counts
        if len(counts) == len(nodes):
            return tuple(self.read(nodes))
        single: list[Node] = []
        ragged: list[tuple[int, bytes]] = []
        at = 0
        for place, count in enumerate(counts):
            if count == 1:
                single.append(nodes[at])
            else:
                ragged.append((place, self._fold(nodes[at : at + count])))
            at += count
        hashes = self.read(single)
        for place, value in ragged:
            hashes.insert(place, value)
        return tuple(hashes)

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Read nodes, in order. Raises IntegrityError for one that is not stored."""
        lower = [node for node in nodes if node[0] < UPPER_LEVEL]
        found = self._store.read_nodes(lower) if lower else []
        if len(lower) == len(nodes):
            return found
        stored = iter(found)
        return [
            next(stored) if node[0] < UPPER_LEVEL else self._upper(node)
            for node in nodes
        ]

    def forget(self) -> None:
        """Drop what is kept: something that was read turned out to be wrong."""
        self._rows.clear()
        self._ragged.clear()

    def _upper(self, node: Node) -> bytes:
        """Read a node of the upper levels from its kept row."""
        level, position = node
        start = (position & 255) * HASH_SIZE
        row = self._rows.get((level, position >> 8), b"")
        if len(row) < start + HASH_SIZE:
            row = self._store.read_row(level, position >> 8)
            if len(row) < start + HASH_SIZE:
                return self._store.read_nodes([node])[0]  # it names what is missing
            if len(self._rows) >= self._most_rows:
                self._rows.clear()
            self._rows[level, position >> 8] = row
        return row[start : start + HASH_SIZE]

    def _fold(self, nodes: tuple[Node, ...]) -> bytes:
        """Fold the nodes of a ragged span into its hash."""
        value = self._ragged.get(nodes)
        if value is None:
            value = fold_right(self.read(nodes))
            if len(self._ragged) >= self._most_ragged:
                self._ragged.clear()
            self._ragged[nodes] = value
        return value
