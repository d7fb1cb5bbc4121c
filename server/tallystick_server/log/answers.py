"""What an append is answered with: receipts and range proofs, checked first.

New leaves are proven by the tree that was rebuilt before the head was signed; a
repeat, and a witnessed answer, are read from the store.  Whatever leaves was checked
against the root it names, starting from the entry bytes that came in.  What does not
lead there is told to the log, which then signs no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tallystick_merkle.checkpoint import parse_checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.note import parse_note
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_server.errors import IntegrityError
from tallystick_server.log.events import EventPlace
from tallystick_server.log.log import Log
from tallystick_server.log.reader import Hashes, checked_receipt
from tallystick_server.log.sequencer import Ack, EventAck
from tallystick_server.storage.base import Head, Published


@dataclass(frozen=True, slots=True)
class BatchProof:
    """The proof of neighbouring entries at one head: its size, its note, the hashes."""

    size: int
    note: bytes
    left: Hashes
    right: Hashes


def single(log: Log, ack: Ack, leaf: bytes) -> bytes:
    """Give the promised receipt of a single entry whose leaf hash is `leaf`."""
    return _promised(log, ack.head, ack.tree, ack.placed.first, leaf)


def single_event(log: Log, ack: EventAck, place: EventPlace, leaf: bytes) -> bytes:
    """Give the promised receipt of one event of an ack.

    `place` is one of its places, `leaf` the leaf hash: of bytes that were sealed here,
    or of those in the place of a repeat.
    """
    tree = None if place.is_repeat else ack.tree
    return _promised(log, ack.head, tree, place.index, leaf)


def _promised(
    log: Log, head: Head, tree: RangeTree | None, index: int, leaf: bytes
) -> bytes:
    with log.reader.doubting():
        if tree is not None:
            path = tree.inclusion_path(index)
        else:
            path = log.reader.inclusion(index=index, size=head.size)
        return checked_receipt(
            index=index,
            size=head.size,
            root=head.root,
            note=head.note,
            leaf=leaf,
            path=path,
        )


def witnessed(log: Log, published: Published, index: int, leaf: bytes) -> bytes:
    """Give the receipt of an entry at the published checkpoint."""
    with log.reader.doubting():
        return checked_receipt(
            index=index,
            size=published.size,
            root=root_of(published.note),
            note=published.note,
            leaf=leaf,
            path=log.reader.inclusion(index=index, size=published.size),
        )


def batch(log: Log, ack: Ack, leaves: Sequence[bytes]) -> BatchProof:
    """Give the promised range proof of a batch whose leaf hashes are `leaves`."""
    return _promised_batch(log, ack.head, ack.tree, ack.placed.first, leaves)


def event_batch(log: Log, ack: EventAck, leaves: Sequence[bytes]) -> BatchProof:
    """Give the promised range proof of the new events of an ack.

    `leaves` are their leaf hashes.  Requires that there is one at least.
    """
    return _promised_batch(log, ack.head, ack.tree, ack.outcome.first, leaves)


def _promised_batch(
    log: Log, head: Head, tree: RangeTree | None, first: int, leaves: Sequence[bytes]
) -> BatchProof:
    shape = range_shape(start=first, stop=first + len(leaves), size=head.size)
    with log.reader.doubting():
        if tree is not None:
            left, right = tree.range_proof(shape)
        else:
            left, right = log.reader.range_proof(
                start=shape.start, stop=shape.stop, size=shape.size
            )
        proof = BatchProof(head.size, head.note, left, right)
        _check_batch(proof, first, leaves, head.root)
    return proof


def witnessed_batch(
    log: Log, published: Published, first: int, leaves: Sequence[bytes]
) -> BatchProof:
    """Give the range proof of a batch at the published checkpoint."""
    with log.reader.doubting():
        left, right = log.reader.range_proof(
            start=first, stop=first + len(leaves), size=published.size
        )
        proof = BatchProof(published.size, published.note, left, right)
        _check_batch(proof, first, leaves, root_of(published.note))
    return proof


def root_of(note: bytes) -> bytes:
    """Read the root from a signed note of our own."""
    try:
        return parse_checkpoint(parse_note(note).text).root
    except KernelError as error:
        raise IntegrityError("a stored note of this log does not parse") from error


def _check_batch(
    proof: BatchProof, first: int, leaves: Sequence[bytes], root: bytes
) -> None:
    """Rebuild the root from the leaves, as the client will."""
    shape = range_shape(start=first, stop=first + len(leaves), size=proof.size)
    try:
        RangeTree(shape, leaves=leaves, left=proof.left, right=proof.right, root=root)
    except KernelError as error:
        raise IntegrityError(
            f"the proof of entries [{first}, {first + len(leaves)}) does not verify"
        ) from error
