"""Advance the last believed checkpoint, and upgrade promised receipts (D2).

Trust is per origin and advances on witnessed heads only.  A new head must extend the
believed one; a smaller one is an old copy.  A promised receipt becomes a witnessed
one by an inclusion path at a witnessed head of at least its size, and is discharged by
the consistency proof from the head that was promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.exchange.base import Exchange
from tallystick_merkle.exchange.reading import TileReader, check_extends
from tallystick_merkle.policy import Judged, Policy, judge
from tallystick_merkle.receipt import Receipt, check_receipt


@dataclass(frozen=True, slots=True)
class Held:
    """A receipt together with the 32-byte leaf hash it is about."""

    receipt: Receipt
    leaf: bytes


def read_head(
    reader: TileReader, *, policy: Policy, origin: str, trusted: bytes | None
) -> Exchange[Judged]:
    """Read the served checkpoint and hold it against the last believed one.

    Returns the served head judged, or the believed one where that is newer.  Raises
    InconsistentError with both notes on a fork.  Whether the quorum is met is the
    caller's to ask: only a met one may become the next `trusted`.
    """
    judged = judge((yield from reader.checkpoint()), policy, origin=origin)
    if trusted is None:
        return judged
    believed = judge(trusted, policy, origin=origin)
    is_newer = judged.opened.checkpoint.size >= believed.opened.checkpoint.size
    old, new = (believed, judged) if is_newer else (judged, believed)
    if old.opened.checkpoint.size:
        yield from check_extends(reader, old=old, new=new)
    return new


def upgrade_receipts(
    reader: TileReader, held: Sequence[Held], *, head: Judged, policy: Policy
) -> Exchange[list[Receipt | None]]:
    """Upgrade receipts to a witnessed `head`; None where it does not reach yet.

    Each promised head is checked to be a prefix of `head` (InconsistentError with
    both notes otherwise), and each new receipt is checked before it is returned.
    """
    head.require_met()
    size = head.opened.checkpoint.size
    discharged: set[bytes] = set()
    upgraded: list[Receipt | None] = []
    for item in held:
        promised = judge(
            item.receipt.checkpoint, policy, origin=head.opened.checkpoint.origin
        )
        if promised.opened.checkpoint.size > size:
            upgraded.append(None)
            continue
        if item.receipt.checkpoint not in discharged:
            yield from check_extends(reader, old=promised, new=head)
            discharged.add(item.receipt.checkpoint)
        upgraded.append((yield from _prove(reader, item, head, policy)))
    return upgraded


def prove_entry(
    reader: TileReader, *, index: int, leaf: bytes, head: Judged, policy: Policy
) -> Exchange[Receipt]:
    """Make and check a receipt for leaf `index` at `head`, from tiles alone."""
    if index >= head.opened.checkpoint.size:
        raise TreeMismatchError(
            f"leaf {index} is beyond the head of size {head.opened.checkpoint.size}",
            index=index,
        )
    held = Held(Receipt(index, (), b""), leaf)
    return (yield from _prove(reader, held, head, policy))


def _prove(
    reader: TileReader, held: Held, head: Judged, policy: Policy
) -> Exchange[Receipt]:
    """Build the receipt at `head` and check it whole."""
    index, size = held.receipt.index, head.opened.checkpoint.size
    path = yield from reader.inclusion(index=index, size=size)
    receipt = Receipt(index, path, head.opened.raw, held.receipt.extra)
    check_receipt(receipt, leaf=held.leaf, policy=policy)
    return receipt
