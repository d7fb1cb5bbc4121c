"""Advance the last believed checkpoint, and upgrade promised receipts (D2).

Trust is per origin and advances on witnessed heads only.  A new head must extend the
believed one; a smaller one is an old copy.  A promised receipt becomes a witnessed
one by an inclusion path at a witnessed head of at least its size, and is discharged by
the consistency proof from the head that was promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tallystick_merkle.errors import ProofError, TreeMismatchError
from tallystick_merkle.exchange.base import Exchange
from tallystick_merkle.exchange.reading import TileReader, check_extends
from tallystick_merkle.policy import Judged, Policy, judge
from tallystick_merkle.proof import check_inclusion, plan_spans
from tallystick_merkle.receipt import Receipt, check_empty_root, check_receipt
from tallystick_merkle.shape import Span, inclusion_spans


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
    served = judged.opened.checkpoint
    check_empty_root(served.size, served.root)
    if trusted is None:
        return judged
    believed = judge(trusted, policy, origin=origin)
    is_newer = served.size >= believed.opened.checkpoint.size
    old, new = (believed, judged) if is_newer else (judged, believed)
    if old.opened.checkpoint.size:
        yield from check_extends(reader, old=old, new=new)
    return new


def upgrade_receipts(
    reader: TileReader, held: Sequence[Held], *, head: Judged, policy: Policy
) -> Exchange[list[Receipt | None]]:
    """Upgrade receipts to a witnessed `head`; None where it does not reach yet.

    Each promised head is checked to be a prefix of `head` (InconsistentError with
    both notes otherwise), each held receipt against the head it came with (ProofError)
    and each new one against `head` (TreeMismatchError).
    """
    head.require_met()
    size = head.opened.checkpoint.size
    promised: dict[bytes, Judged] = {}
    upgraded: list[Receipt | None] = []
    for item in held:
        note = item.receipt.checkpoint
        if note not in promised:
            promised[note] = yield from _discharge(reader, note, head, policy)
        _check_path(item, promised[note])
        reaches = promised[note].opened.checkpoint.size <= size
        upgraded.append((yield from _prove(reader, item, head)) if reaches else None)
    return upgraded


def prove_entry(
    reader: TileReader, *, index: int, leaf: bytes, head: Judged, policy: Policy
) -> Exchange[Receipt]:
    """Make and check a receipt for leaf `index` at `head`, from tiles alone.

    Raises ProofError when the log holds another leaf there, TreeMismatchError when
    its tiles do not lead to the signed root.
    """
    if index >= head.opened.checkpoint.size:
        raise TreeMismatchError(
            f"leaf {index} is beyond the head of size {head.opened.checkpoint.size}",
            index=index,
        )
    held = Held(Receipt(index, (), b""), leaf)
    receipt = yield from _prove(reader, held, head)
    check_receipt(receipt, leaf=leaf, policy=policy)
    return receipt


def _discharge(
    reader: TileReader, note: bytes, head: Judged, policy: Policy
) -> Exchange[Judged]:
    """Judge a promised head and, where `head` reaches it, check that it is kept."""
    promised = judge(note, policy, origin=head.opened.checkpoint.origin)
    if 0 < promised.opened.checkpoint.size <= head.opened.checkpoint.size:
        yield from check_extends(reader, old=promised, new=head)
    return promised


def _prove(reader: TileReader, held: Held, head: Judged) -> Exchange[Receipt]:
    """Build the receipt at `head` from the served tiles and check its path.

    The served leaf is read along: whether it leads to the root tells tiles that are
    broken from a log that holds another leaf.
    """
    index, size = held.receipt.index, head.opened.checkpoint.size
    spans = [Span(index, index + 1), *inclusion_spans(index, size)]
    served, *path = yield from reader.proof(plan_spans(spans), size)
    receipt = Receipt(index, tuple(path), head.opened.raw, held.receipt.extra)
    try:
        _check_path(Held(receipt, served), head)
    except ProofError as error:
        reader.forget()
        raise TreeMismatchError(
            f"the tiles served for leaf {index} do not lead to the signed root of "
            f"size {size}",
            index=index,
        ) from error
    _check_path(Held(receipt, held.leaf), head)
    return receipt


def _check_path(held: Held, head: Judged) -> None:
    """Raise ProofError unless a held receipt's path leads to the root of `head`."""
    checkpoint = head.opened.checkpoint
    check_inclusion(
        index=held.receipt.index,
        size=checkpoint.size,
        leaf=held.leaf,
        path=held.receipt.path,
        root=checkpoint.root,
    )
