"""Read proofs, tiles and bundles out of a store.

Interior nodes are stored, so a proof is read and not recomputed.  Everything here is
about sizes that are committed; the caller knows which those are.  Roots of committed
sizes never change, so those asked for are kept.  A proof is checked before it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from tallystick_merkle.errors import ProofError
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.proof import (
    Plan,
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
from tallystick_server.log.nodes import NodeReader
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
        self._nodes = NodeReader(store)
        self._root = lru_cache(maxsize=_KEPT_ROOTS)(self._read_root)

    def leaf(self, index: int) -> bytes:
        """Read the 32-byte hash of a leaf."""
        return self._nodes.read([Node(0, index)])[0]

    def root(self, size: int) -> bytes:
        """Give the root at any committed size; of size 0 it is the empty root."""
        return self._root(size)

    def inclusion(self, *, index: int, size: int) -> Hashes:
        """Read the inclusion path of a leaf. Raises ProofError outside the tree."""
        return self._nodes.fulfil(plan_inclusion(index=index, size=size))

    def prove(self, *, index: int, size: int) -> Proven:
        """Read a leaf with its path to the root at `size`, checked.

        Raises ProofError outside the tree, IntegrityError for a proof that is wrong.
        """
        leaf, path = self._leaf_and_path(index, size)
        root = self.root(size)
        with self._doubting():
            _check(index, size, leaf, path, root)
        return Proven(leaf, path, root)

    def consistency(self, *, old: int, new: int) -> Hashes:
        """Read the proof that the tree of `old` is a prefix of that of `new`."""
        return self._nodes.fulfil(plan_consistency(old=old, new=new))

    def range_proof(self, *, start: int, stop: int, size: int) -> tuple[Hashes, Hashes]:
        """Read (left, right) of the proof of leaves [start, stop)."""
        shape = range_shape(start=start, stop=stop, size=size)
        hashes = self._nodes.fulfil(shape.plan())
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
        leaf, path = self._leaf_and_path(index, size)
        with self._doubting():
            return checked_receipt(
                index=index, size=size, root=root, note=note, leaf=leaf, path=path
            )

    def _leaf_and_path(self, index: int, size: int) -> tuple[bytes, Hashes]:
        """Read a leaf with its path; the leaf comes along as a plan of its own."""
        plan = plan_inclusion(index=index, size=size)
        both = Plan((Node(0, index), *plan.nodes), (1, *plan.counts))
        leaf, *path = self._nodes.fulfil(both)
        return leaf, tuple(path)

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        """Keep nothing of what was read if it turns out to be wrong."""
        try:
            yield
        except IntegrityError:
            self._nodes.forget()
            self._root.cache_clear()
            raise

    def _read_root(self, size: int) -> bytes:
        return self._nodes.fulfil(plan_root(size))[0]


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
