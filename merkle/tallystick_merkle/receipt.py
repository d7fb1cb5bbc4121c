"""Receipts: an offline proof that an entry is in a log (C2SP tlog-proof).

    c2sp.org/tlog-proof@v1 LF
    [ "extra " base64 LF ]
    "index " decimal LF
    *( base64(hash) LF )         the inclusion path, leaf sibling first
    LF
    the checkpoint, with all its signature lines

A receipt has one of two verdicts (decision D1).  *Promised*: the log signed a head
that holds the entry; only the operator's word stands behind it.  *Witnessed*: the
policy's quorum cosigned that head; it is evidence against the operator too.

    verdict = check_receipt(parse_receipt(data), leaf=leaf_hash(entry), policy=policy)
    verdict.require_witnessed()
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from enum import Enum

from tallystick_merkle.errors import (
    MalformedError,
    PolicyNotMetError,
    ProofError,
)
from tallystick_merkle.hashing import EMPTY_ROOT
from tallystick_merkle.note import MAX_NOTE
from tallystick_merkle.policy import Judged, Policy, judge
from tallystick_merkle.proof import check_inclusion
from tallystick_merkle.spelling import (
    format_hash,
    parse_base64,
    parse_decimal,
    parse_hash,
)

HEADER = b"c2sp.org/tlog-proof@v1"
"""First line of every receipt."""

SUFFIX = ".tlog-proof"
"""Customary suffix of a receipt's file name."""

MAX_PATH = 63
"""Most hashes in an inclusion path."""

MAX_EXTRA = 64 * 1024
"""Longest extra data, decoded. It is not authenticated by anything."""

MAX_RECEIPT = MAX_NOTE + 2 * MAX_EXTRA
"""Longest receipt accepted, in bytes."""


class Status(Enum):
    """What a receipt proves."""

    PROMISED = "promised"
    WITNESSED = "witnessed"


@dataclass(frozen=True, slots=True)
class Receipt:
    """An entry's index, its inclusion path, and the signed checkpoint, verbatim."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A receipt that verified: at least the log's signature and the inclusion."""

    status: Status
    index: int
    judged: Judged

    def require_witnessed(self) -> None:
        """Raise PolicyNotMetError unless the receipt is witnessed."""
        if self.status is not Status.WITNESSED:
            self.judged.require_met()
            raise PolicyNotMetError(
                "the receipt is only promised: the policy asks no witness"
            )


def format_receipt(receipt: Receipt) -> bytes:
    """Write a receipt."""
    lines = [HEADER]
    if receipt.extra:
        lines.append(b"extra " + b64encode(receipt.extra))
    lines.append(b"index %d" % receipt.index)
    lines += map(format_hash, receipt.path)
    return b"\n".join(lines) + b"\n\n" + receipt.checkpoint


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt; raise MalformedError unless formatting it gives `data` again.

    The checkpoint is only cut off here; `check_receipt` parses and verifies it.
    """
    if len(data) > MAX_RECEIPT:
        raise MalformedError("receipt", f"longer than {MAX_RECEIPT} bytes")
    head, blank, checkpoint = data.partition(b"\n\n")
    lines = head.split(b"\n")
    if not blank or lines[0] != HEADER:
        raise MalformedError("receipt", f"expected the first line {HEADER.decode()}")
    del lines[0]
    extra = b""
    if lines and lines[0].startswith(b"extra "):
        extra = parse_base64(
            lines.pop(0)[6:], what="receipt", where="extra", longest=MAX_EXTRA
        )
        if not extra:
            raise MalformedError("receipt", "empty extra line")
    if not lines or not lines[0].startswith(b"index "):
        raise MalformedError("receipt", "expected an index line")
    index = parse_decimal(lines[0][6:], what="receipt", where="index")
    if len(lines) - 1 > MAX_PATH:
        raise MalformedError("receipt", f"path of more than {MAX_PATH} hashes")
    path = tuple(
        parse_hash(line, what="receipt", where=f"path line {place}")
        for place, line in enumerate(lines[1:])
    )
    return Receipt(index, path, checkpoint, extra)


def check_receipt(
    receipt: Receipt, *, leaf: bytes, policy: Policy, origin: str | None = None
) -> Verdict:
    """Check a receipt whole: signatures, then quorum, then inclusion of `leaf`.

    `leaf` is the 32-byte leaf hash of the entry one holds.  Raises MalformedError,
    SignatureError, OriginError or ProofError; a quorum that is not met is not an
    error but the verdict PROMISED.  No clock is read: cosignature times are checked
    for their signatures only.
    """
    judged = judge(receipt.checkpoint, policy, origin=origin)
    checkpoint = judged.opened.checkpoint
    check_inclusion(
        index=receipt.index,
        size=checkpoint.size,
        leaf=leaf,
        path=receipt.path,
        root=checkpoint.root,
    )
    status = Status.WITNESSED if judged.is_witnessed else Status.PROMISED
    return Verdict(status, receipt.index, judged)


def check_empty_root(size: int, root: bytes) -> None:
    """Raise ProofError for a checkpoint of size 0 whose root is not SHA-256("")."""
    if size == 0 and root != EMPTY_ROOT:
        raise ProofError("a tree of size 0 has the root SHA-256 of nothing")
