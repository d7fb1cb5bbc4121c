"""Read proofs, tiles and bundles out of a store, and let nothing wrong leave.

Interior nodes are stored, so a proof is read and not recomputed.  Everything here is
about sizes up to that of a head, which is signed, and to whose root everything is led
back (see `verified`).  A leaf, a path to one and a range proof alone are not: whoever
asks for them checks them with what he has, inside `doubting`.  Roots never change, so
those asked for are kept.

What turns out to be wrong is told to whoever watches: the log stops signing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from tallystick_merkle.errors import ProofError
from tallystick_merkle.proof import (
    Plan,
    check_consistency,
    check_inclusion,
    plan_consistency,
    plan_inclusion,
)
from tallystick_merkle.rangeproof import range_shape
from tallystick_merkle.receipt import Receipt, format_receipt
from tallystick_merkle.shape import Node
from tallystick_merkle.tile import Tile
from tallystick_server.errors import IntegrityError
from tallystick_server.log.nodes import NodeReader
from tallystick_server.log.verified import Verified
from tallystick_server.storage.base import Head, LogStore, UsedId

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

    def __init__(self, store: LogStore, head: Head) -> None:
        """Read from `store` what leads to `head`, whose signature was verified."""
        self._store = store
        self._size = head.size
        self._nodes = NodeReader(store)
        self._verified = Verified(store, head)
        self._root = lru_cache(maxsize=_KEPT_ROOTS)(self._read_root)
        self._tell: Callable[[str], None] = lambda _: None

    def follow(self, head: Head) -> None:
        """Take note of a newer head, which was released."""
        self._size = head.size
        self._verified.follow(head)

    def watch(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with what is wrong, whenever something is.

        It may be called from any thread that reads.
        """
        self._tell = tell

    def leaf(self, index: int) -> bytes:
        """Read the 32-byte hash of a leaf, to be checked with its path."""
        with self.doubting():
            return self._nodes.read([Node(0, index)])[0]

    def root(self, size: int) -> bytes:
        """Give the root at any size up to the head's; of size 0 it is the empty root.

        Raises ProofError for a larger size.
        """
        with self.doubting():
            return self._root(size)

    def inclusion(self, *, index: int, size: int) -> Hashes:
        """Read the inclusion path of a leaf, to be checked by whoever has the leaf.

        Raises ProofError outside the tree.
        """
        return self._nodes.fulfil(plan_inclusion(index=index, size=size))

    def prove(self, *, index: int, size: int) -> Proven:
        """Read a leaf with its path to the root at `size`, checked.

        Raises ProofError outside the tree, IntegrityError for a proof that is wrong.
        """
        with self.doubting():
            leaf, path = self._leaf_and_path(index, size)
            root = self._root(size)
            _check(index, size, leaf, path, root)
        return Proven(leaf, path, root)

    def consistency(self, *, old: int, new: int) -> Hashes:
        """Read the proof that the tree of `old` is a prefix of that of `new`, checked.

        From size 0 there is nothing to prove.  Raises ProofError outside the tree,
        IntegrityError for a proof that is wrong.
        """
        with self.doubting():
            proof = self._nodes.fulfil(plan_consistency(old=old, new=new))
            if old:
                _check_consistency(old, new, self._root(old), self._root(new), proof)
        return proof

    def range_proof(self, *, start: int, stop: int, size: int) -> tuple[Hashes, Hashes]:
        """Read (left, right) of the proof of leaves [start, stop).

        To be checked by whoever has the leaves.
        """
        shape = range_shape(start=start, stop=stop, size=size)
        hashes = self._nodes.fulfil(shape.plan())
        return hashes[: len(shape.left)], hashes[len(shape.left) :]

    def tile(self, tile: Tile) -> bytes:
        """Read a hash tile, cut to its width. Raises ProofError outside the tree."""
        try:  # not `doubting`: this is asked for most
            return self._verified.tile(tile.level, tile.index, tile.width)
        except IntegrityError as error:
            self._doubt(error)
            raise

    def bundle(self, tile: Tile) -> bytes:
        """Read an entry bundle, cut to its width. Raises ProofError outside the tree.

        May be called from a thread of its own.
        """
        with self.doubting():
            return self._verified.bundle(tile)

    def find_event(self, event_id: bytes) -> UsedId | None:
        """Find an event by its 16-byte id; None for one that was not released yet."""
        with self.doubting():
            used = self._store.find_ids([event_id]).get(event_id)
        return None if used is None or used.index >= self._size else used

    def records(self, start: int, stop: int) -> list[tuple[int, bytes, bytes]]:
        """Read (index, index entry, record) of each event among entries [start, stop).

        Both were led to the leaf, and the leaf to the signed head.  Raises ProofError
        outside the tree.  May be called from a thread of its own.
        """
        with self.doubting():
            found = self._verified.records(start, stop)
        return [(one.index, one.index_entry, one.record) for one in found]

    def receipt(self, *, index: int, size: int, root: bytes, note: bytes) -> bytes:
        """Make the receipt of a leaf at the head (size, root) signed in `note`."""
        with self.doubting():
            leaf, path = self._leaf_and_path(index, size)
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
    def doubting(self) -> Iterator[None]:
        """Tell of what turns out to be wrong inside the block, and keep none of it."""
        try:
            yield
        except IntegrityError as error:
            self._doubt(error)
            raise

    def _doubt(self, error: IntegrityError) -> None:
        self._nodes.forget()
        self._tell(str(error))

    def _read_root(self, size: int) -> bytes:
        return self._verified.root(self._nodes, size)


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


def _check_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Hashes
) -> None:
    """Raise IntegrityError unless a proof that is about to leave verifies."""
    try:
        check_consistency(
            old=old, new=new, old_root=old_root, new_root=new_root, proof=proof
        )
    except ProofError as error:
        raise IntegrityError(
            f"the proof from size {old} to size {new} does not verify"
        ) from error
