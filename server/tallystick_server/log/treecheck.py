"""Derive a whole tree from its entries again, and compare every stored row with it.

One pass in windows of leaves, so that memory stays bounded: entries are hashed, the
tree grows by `frontier.grow`, and each row is compared when it is complete; the
unfinished ones at the end.  Nothing of the tree is believed but the entries, with one
exception: where an entry and its stored leaf differ and the stored parent confirms the
leaf, the entry is damaged, is named, and the leaf is used instead.  So one damage is
one problem, and not one in every row and head above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tallystick_merkle.frontier import EMPTY_EDGE, ROW_BYTES, ROW_WIDTH, Edge, Row, grow
from tallystick_merkle.hashing import HASH_SIZE, fold_right, leaf_hashes, node_hash
from tallystick_merkle.proof import plan_root
from tallystick_server.errors import IntegrityError
from tallystick_server.log.findings import Findings, Kind, Problem
from tallystick_server.storage.base import LogStore

WINDOW = 65_536
"""Leaves in a window; a multiple of the width of a row."""

_UNKNOWN = bytes(HASH_SIZE)


class Prefix:
    """The tree at the end of a window: gives the root of each size inside it."""

    def __init__(self, before: Edge, rows: tuple[Row, ...], size: int) -> None:
        """Take the edge before the window, the rows of the window and its end."""
        self.start, self.size = before.size, size
        self._rows = {(row.level, row.block): row.hashes for row in rows}
        for level, tail in enumerate(before.tails):
            self._rows.setdefault((level, before.size >> level >> 8), tail)

    def root(self, size: int) -> bytes:
        """Give the root of a size after the start of the window, up to its end."""
        peaks = []
        for level, position in plan_root(size).nodes:
            start = (position & (ROW_WIDTH - 1)) * HASH_SIZE
            row = self._rows[level, position >> 8]
            peaks.append(row[start : start + HASH_SIZE])
        return fold_right(peaks)


class TreeCheck:
    """Derives the tree of `size` leaves and compares what is stored.

    `missing_entries` and `missing_rows` count those that are not stored at all.
    """

    def __init__(
        self,
        store: LogStore,
        size: int,
        findings: Findings,
        *,
        latest: Callable[[], int],
    ) -> None:
        """Check the entries and rows of `store` up to `size`.

        `latest` gives the size now: another process may be writing, and then a row
        may be wider than it is at `size`.
        """
        self._store = store
        self._size = size
        self._findings = findings
        self._latest = latest
        self.missing_entries = 0
        self.missing_rows = 0

    def run(self, *, window: int = WINDOW) -> Iterator[Prefix]:
        """Check window by window, and give each one when it is done."""
        edge = EMPTY_EDGE
        for start in range(0, self._size, window):
            stop = min(start + window, self._size)
            growth = grow(edge, self._leaves(start, stop))
            for row in growth.rows:
                if row.level and row.width == ROW_WIDTH:
                    self._compare(row)
            yield Prefix(edge, growth.rows, stop)
            edge = growth.edge
        for level, tail in enumerate(edge.tails):
            if level and tail:
                self._compare(Row(level, edge.size >> level >> 8, tail))

    def _leaves(self, start: int, stop: int) -> list[bytes]:
        """Hash entries [start, stop), and settle where the stored leaves differ."""
        leaves: list[bytes] = []
        for first in range(start, stop, ROW_WIDTH):
            last = min(first + ROW_WIDTH, stop)
            derived = self._hash_entries(first, last)
            stored = self._read_row(0, first >> 8)
            if stored == b"".join(derived):
                leaves += derived
            else:
                leaves += self._settle(first, derived, stored)
        return leaves

    def _hash_entries(self, first: int, last: int) -> list[bytes]:
        """Hash entries; an empty hash stands for one that cannot be read."""
        try:
            return leaf_hashes(self._store.read_entries(first, last))
        except IntegrityError:
            return [self._hash_entry(index) for index in range(first, last)]

    def _hash_entry(self, index: int) -> bytes:
        try:
            return leaf_hashes(self._store.read_entries(index, index + 1))[0]
        except IntegrityError as error:
            self.missing_entries += 1
            self._findings.add(Problem(Kind.ENTRY, str(error), index=index))
            return b""

    def _settle(self, first: int, derived: list[bytes], stored: bytes) -> list[bytes]:
        """Say what differs between entries and a stored row of leaves; pick leaves."""
        block = first >> 8
        parents = self._read_row(1, block >> 1)
        kept = [
            stored[at : at + HASH_SIZE] for at in range(0, len(derived) * HASH_SIZE, 32)
        ]
        leaves, wrong = [], []
        for at, (leaf, other) in enumerate(zip(derived, kept, strict=True)):
            if leaf == other or len(other) < HASH_SIZE:
                leaves.append(leaf or _UNKNOWN)
                continue
            parent_at = ((first + at) >> 1 & (ROW_WIDTH - 1)) * HASH_SIZE
            parent = parents[parent_at : parent_at + HASH_SIZE]
            is_confirmed = _parent_of(kept, at, other) == parent
            if leaf and not is_confirmed and _parent_of(kept, at, leaf) == parent:
                wrong.append(first + at)
                leaves.append(leaf)
                continue
            if leaf:
                self._findings.add(
                    Problem(
                        Kind.ENTRY,
                        f"entry {first + at} is not the one whose hash is stored",
                        index=first + at,
                    )
                )
            leaves.append(other if is_confirmed or not parent else leaf or other)
        self._report_row(0, block, stored, len(derived), wrong)
        return leaves

    def _compare(self, row: Row) -> None:
        """Compare a derived row with the stored one."""
        stored = self._read_row(row.level, row.block)
        if stored == row.hashes:
            return
        first = row.block * ROW_WIDTH
        wrong = [
            first + at // HASH_SIZE
            for at in range(0, min(len(stored), len(row.hashes)), HASH_SIZE)
            if stored[at : at + HASH_SIZE] != row.hashes[at : at + HASH_SIZE]
        ]
        self._report_row(row.level, row.block, stored, row.width, wrong)

    def _report_row(
        self, level: int, block: int, stored: bytes, width: int, wrong: list[int]
    ) -> None:
        """Report a row that is missing, of a wrong width, or holds wrong nodes."""
        if not stored:
            self.missing_rows += 1
            text = f"row {level}/{block} is missing"
        elif wrong:
            text = (
                f"row {level}/{block}: {len(wrong)} of {width} hashes are wrong, "
                f"the first is node {level}/{wrong[0]}"
            )
        elif not self._has_width(level, block, len(stored), width):
            text = (
                f"row {level}/{block} has {len(stored)} bytes, "
                f"expected {width * HASH_SIZE}"
            )
        else:
            return
        self._findings.add(Problem(Kind.ROW, text, level=level, block=block))

    def _has_width(self, level: int, block: int, found: int, width: int) -> bool:
        """Whether a row is as wide as expected, or as the log has grown meanwhile."""
        if found == width * HASH_SIZE:
            return True
        latest = (self._latest() >> level) - block * ROW_WIDTH
        is_whole = found % HASH_SIZE == 0
        return is_whole and width * HASH_SIZE < found <= min(
            latest * HASH_SIZE, ROW_BYTES
        )

    def _read_row(self, level: int, block: int) -> bytes:
        """Read a row; one that cannot be read is reported and counts as missing."""
        try:
            return self._store.read_row(level, block)
        except IntegrityError as error:
            self._findings.add(
                Problem(Kind.STORE, str(error), level=level, block=block)
            )
            return b""


def _parent_of(kept: list[bytes], at: int, leaf: bytes) -> bytes:
    """Hash a leaf with its stored neighbour; empty where it has none."""
    if at ^ 1 >= len(kept):
        return b"-"
    neighbour = kept[at ^ 1]
    return node_hash(neighbour, leaf) if at & 1 else node_hash(leaf, neighbour)
