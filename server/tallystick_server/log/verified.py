"""Lead what is stored back to the signed root, before anybody sees it.

The store has no checksums: a bit that rots comes back as data.  The tree is the check.

    tile     its hashes fold to the hash that stands for it in the tile above
    edge     the unfinished tiles of all levels fold to the root of the head
    bundle   its entries hash to its tile of level 0
    record   its digests are those of its leaf, and the leaf is one of such a tile
    root     that of an older size leads to the head by a consistency proof

What is given out was checked against a head that this process signed, or verified when
it started.  Whatever does not lead there raises IntegrityError naming the place.

To fold a tile costs more than all else that is done for it.  So of a full tile, or a
full bundle, that was led to the root once, a fingerprint is kept: every read is
compared with it, and only what differs or was forgotten is led to the root again.  It
is 64 bits of a keyed hash: it stands against chance, as all of this does, not malice.
May be used from several threads; `follow` from one.
"""

from __future__ import annotations

import threading

from tallystick_merkle.errors import ProofError
from tallystick_merkle.frontier import ROW_BYTES
from tallystick_merkle.hashing import (
    EMPTY_ROOT,
    HASH_SIZE,
    fold_right,
    leaf_hashes,
    pair_up,
)
from tallystick_merkle.proof import check_consistency, plan_consistency, plan_root
from tallystick_merkle.tile import (
    ENTRIES,
    TILE_WIDTH,
    Tile,
    format_bundle,
    tile_width,
)
from tallystick_merkle.tilewalk import HEIGHT
from tallystick_server.errors import IntegrityError
from tallystick_server.log.eventcheck import check_records
from tallystick_server.log.nodes import NodeReader
from tallystick_server.storage.base import Head, LogStore, StoredRecord

MOST_FINGERPRINTS = 65_536
"""Most fingerprints kept, of tiles and bundles each: some 12 MB, 16 million leaves."""

_Place = tuple[int, int]


class Verified:
    """Reads tiles, bundles and roots of one log, and gives only what was checked."""

    def __init__(
        self, store: LogStore, head: Head, *, most: int = MOST_FINGERPRINTS
    ) -> None:
        """Lead everything to `head`, whose signature was verified."""
        self._store = store
        self._head = head
        self._tiles = Fingerprints(most)
        self._bundles = Fingerprints(most)
        self._edge: dict[_Place, bytes] = {}  # replaced whole, never changed

    def follow(self, head: Head) -> None:
        """Lead what is asked for from now on to a newer head of this log."""
        self._head = head

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Give the first `width` hashes of a tile.

        Raises ProofError for a tile that the tree of the head does not have.
        """
        head = self._head
        there = tile_width(level, index, head.size)
        if not 0 < width <= there:
            raise ProofError(
                f"tile {level}/{index} has {there} hashes at size {head.size}, "
                f"not {width}"
            )
        if there == TILE_WIDTH:
            row = self._full(head, level, index)
        else:
            row = self._unfinished(head, (level, index), width)
        return row if len(row) == width * HASH_SIZE else row[: width * HASH_SIZE]

    def bundle(self, tile: Tile) -> bytes:
        """Give an entry bundle. Raises ProofError for one the tree does not have."""
        if tile.first + tile.width > self._head.size:
            raise ProofError(f"there is no bundle {tile.index} of {tile.width} entries")
        entries = self._store.read_entries(tile.first, tile.first + tile.width)
        data = format_bundle(entries)
        place = (ENTRIES, tile.index)
        if tile.is_full and self._bundles.knows(place, data):
            return data
        leaves = leaf_hashes(entries)
        row = self.tile(0, tile.index, tile.width)
        _check_leaves(leaves, row, tile.first)
        if tile.is_full:
            self._bundles.keep(place, data)
        return data

    def records(self, start: int, stop: int) -> list[StoredRecord]:
        """Give the records of the events among entries [start, stop).

        Raises ProofError for entries that the tree does not have.
        """
        if not 0 <= start <= stop <= self._head.size:
            raise ProofError(
                f"there are no entries [{start}, {stop}) at size {self._head.size}"
            )
        entries = self._store.read_entries(start, stop)
        leaves = leaf_hashes(entries)
        for index in range(start // TILE_WIDTH, -(-stop // TILE_WIDTH)):
            first = index * TILE_WIDTH
            begin, end = max(first, start), min(first + TILE_WIDTH, stop)
            row = self.tile(0, index, end - first)[(begin - first) * HASH_SIZE :]
            _check_leaves(leaves[begin - start : end - start], row, begin)
        found = self._store.read_records(start, stop)
        check_records(start, entries, found)
        return found

    def root(self, nodes: NodeReader, size: int) -> bytes:
        """Give the root at a size; `nodes` reads what it is made of.

        Raises ProofError for a size over that of the head.
        """
        head = self._head
        if size == head.size:
            return head.root
        if size == 0:
            return EMPTY_ROOT
        if size > head.size:
            raise ProofError(f"size {size} is over that of the head, {head.size}")
        (root,) = nodes.fulfil(plan_root(size))
        proof = nodes.fulfil(plan_consistency(old=size, new=head.size))
        try:
            check_consistency(
                old=size,
                new=head.size,
                old_root=root,
                new_root=head.root,
                proof=proof,
            )
        except ProofError as error:
            raise IntegrityError(
                f"the nodes of size {size} do not lead to the signed root of size "
                f"{head.size}"
            ) from error
        return root

    def _full(self, head: Head, level: int, index: int) -> bytes:
        """Give a full tile that leads to its hash in the tile above."""
        row = self._store.read_row(level * HEIGHT, index)
        place = (level, index)
        if self._tiles.knows(place, row):
            return row
        if len(row) != ROW_BYTES:
            raise _too_short(level, index, len(row), ROW_BYTES)
        at = index % TILE_WIDTH
        above = self.tile(level + 1, index // TILE_WIDTH, at + 1)
        if fold_right(_peaks(row)) != above[at * HASH_SIZE :]:
            raise IntegrityError(
                f"row {level * HEIGHT}/{index} does not lead to the signed root of "
                f"size {head.size}"
            )
        self._tiles.keep(place, row)
        return row

    def _unfinished(self, head: Head, place: _Place, width: int) -> bytes:
        """Give an unfinished tile; what an older head had of it may be enough."""
        row = self._edge.get(place, b"")
        if len(row) < width * HASH_SIZE:
            edge = _read_edge(self._store, head)
            row = edge[place]
            self._edge = edge  # another thread may put an older one here right away
        return row


class Fingerprints:
    """Remembers what bytes at a place were right, bounded; the oldest go first."""

    def __init__(self, most: int) -> None:
        """Keep at most `most` fingerprints."""
        self._most = most
        self._kept: dict[_Place, int] = {}
        self._changing = threading.Lock()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def knows(self, place: _Place, data: bytes) -> bool:
        """Whether these bytes were right at this place before."""
        return self._kept.get(place) == hash(data)

    def keep(self, place: _Place, data: bytes) -> None:
        """Remember that these bytes are right at this place."""
        with self._changing:
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[place] = hash(data)


def _check_leaves(leaves: list[bytes], row: bytes, first: int) -> None:
    """Raise IntegrityError unless leaves are those of a row; `first` is an index."""
    if b"".join(leaves) == row:
        return
    wrong = next(
        at
        for at, leaf in enumerate(leaves)
        if leaf != row[at * HASH_SIZE : (at + 1) * HASH_SIZE]
    )
    raise IntegrityError(f"entry {first + wrong} does not lead to the signed root")


def _read_edge(store: LogStore, head: Head) -> dict[_Place, bytes]:
    """Read the unfinished tile of each level, and lead them to the root together.

    Their peaks are the peaks of the tree, so each of their hashes is pinned.
    """
    edge: dict[_Place, bytes] = {}
    peaks: list[bytes] = []
    for level in reversed(range((head.size.bit_length() + HEIGHT - 1) // HEIGHT)):
        index, width = divmod(head.size >> level * HEIGHT, TILE_WIDTH)
        if not width:
            continue
        row = store.read_row(level * HEIGHT, index)[: width * HASH_SIZE]
        if len(row) != width * HASH_SIZE:
            raise _too_short(level, index, len(row), width * HASH_SIZE)
        edge[level, index] = row
        peaks += _peaks(row)
    if fold_right(peaks) != head.root:
        rows = ", ".join(f"{level * HEIGHT}/{index}" for level, index in edge)
        raise IntegrityError(
            f"the unfinished rows {rows} do not lead to the signed root of size "
            f"{head.size}"
        )
    return edge


def _peaks(row: bytes) -> list[bytes]:
    """Give the roots of the perfect subtrees over a row, largest (leftmost) first."""
    hashes = [row[at : at + HASH_SIZE] for at in range(0, len(row), HASH_SIZE)]
    peaks: list[bytes] = []
    while hashes:
        if len(hashes) % 2:
            peaks.append(hashes.pop())
        hashes = pair_up(hashes)
    peaks.reverse()
    return peaks


def _too_short(level: int, index: int, found: int, expected: int) -> IntegrityError:
    return IntegrityError(
        f"row {level * HEIGHT}/{index} has {found} bytes, expected {expected}"
    )
