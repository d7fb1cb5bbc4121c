"""Read proofs, tiles and bundles out of a store.

Interior nodes are stored, so a proof is read and not recomputed.  Everything here is
about sizes that are committed; the caller knows which those are.  Roots of committed
sizes never change, so those asked for are kept.  A proof is checked before it leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tallystick_merkle.errors import ProofError
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.proof import (
    check_inclusion,
    plan_consistency,
    plan_inclusion,
    plan_root,
)
from tallystick_merkle.rangeproof import range_shape
from tallystick_merkle.receipt import Receipt, format_receipt
from tallystick_merkle.shape import Node
from tallystick_merkle.tile import Tile, format_bundle
from tallystick_merkle.tilewalk import HEIGHT
from tallystick_server.errors import IntegrityError
from tallystick_server.storage.base import LogStore

Hashes = tuple[bytes, ...]

_KEPT_ROOTS = 1024


@dataclass(frozen=True, slots=True)
class Proven:
    """A leaf hash, its inclusion path, and the root that the path leads to."""

    leaf: bytes
    path: Hashes
    root: bytes


class Reader:
    """Answers questions about one log's tree from its store."""

    def __init__(self, store: LogStore) -> None:
        """Read from `store`; of what is read only some roots are kept."""
        self._store = store
        self._root = lru_cache(maxsize=_KEPT_ROOTS)(self._read_root)

    def leaf(self, index: int) -> bytes:
        """Read the 32-byte hash of a leaf."""
        return self._store.read_nodes([Node(0, index)])[0]

    def root(self, size: int) -> bytes:
        """Give the root at any committed size; of size 0 it is the empty root."""
        return self._root(size)

    def inclusion(self, *, index: int, size: int) -> Hashes:
        """Read the inclusion path of a leaf. Raises ProofError outside the tree."""
        plan = plan_inclusion(index=index, size=size)
        return plan.assemble(self._store.read_nodes(plan.nodes))

    def prove(self, *, index: int, size: int) -> Proven:
        """Read a leaf with its path to the root at `size`, checked.

        Raises ProofError outside the tree, IntegrityError for a proof that is wrong.
        """
        plan = plan_inclusion(index=index, size=size)
        leaf, *nodes = self._store.read_nodes((Node(0, index), *plan.nodes))
        proven = Proven(leaf, plan.assemble(nodes), self.root(size))
        _check(index, size, proven.leaf, proven.path, proven.root)
        return proven

    def consistency(self, *, old: int, new: int) -> Hashes:
        """Read the proof that the tree of `old` is a prefix of that of `new`."""
        plan = plan_consistency(old=old, new=new)
        return plan.assemble(self._store.read_nodes(plan.nodes))

    def range_proof(self, *, start: int, stop: int, size: int) -> tuple[Hashes, Hashes]:
        """Read (left, right) of the proof of leaves [start, stop)."""
        shape = range_shape(start=start, stop=stop, size=size)
        plan = shape.plan()
        hashes = plan.assemble(self._store.read_nodes(plan.nodes))
        return hashes[: len(shape.left)], hashes[len(shape.left) :]

    def tile(self, tile: Tile) -> bytes:
        """Read a hash tile, cut to its width. Requires a width the tree has."""
        row = self._store.read_row(tile.level * HEIGHT, tile.index)
        data = row[: tile.width * HASH_SIZE]
        if len(data) != tile.width * HASH_SIZE:
            raise IntegrityError(
                f"row {tile.level * HEIGHT}/{tile.index} has {len(row)} bytes, "
                f"expected at least {tile.width * HASH_SIZE}"
            )
        return data

    def bundle(self, tile: Tile) -> bytes:
        """Read an entry bundle, cut to its width. Requires a width the tree has."""
        return format_bundle(
            self._store.read_entries(tile.first, tile.first + tile.width)
        )

    def receipt(self, *, index: int, size: int, root: bytes, note: bytes) -> bytes:
        """Make the receipt of a leaf at the head (size, root) signed in `note`."""
        plan = plan_inclusion(index=index, size=size)
        leaf, *nodes = self._store.read_nodes((Node(0, index), *plan.nodes))
        path = plan.assemble(nodes)
        return checked_receipt(
            index=index, size=size, root=root, note=note, leaf=leaf, path=path
        )

    def _read_root(self, size: int) -> bytes:
        plan = plan_root(size)
        return plan.assemble(self._store.read_nodes(plan.nodes))[0]


def checked_receipt(
    *, index: int, size: int, root: bytes, note: bytes, leaf: bytes, path: Hashes
) -> bytes:
    """Write a receipt that was checked; raise IntegrityError for one that is wrong.

    It is wrong only when the store or this program is.
    """
    _check(index, size, leaf, path, root)
    return format_receipt(Receipt(index, path, note))


def _check(index: int, size: int, leaf: bytes, path: Hashes, root: bytes) -> None:
    """Raise IntegrityError unless a proof that is about to leave verifies."""
    try:
        check_inclusion(index=index, size=size, leaf=leaf, path=path, root=root)
    except ProofError as error:
        raise IntegrityError(f"the proof of entry {index} does not verify") from error
