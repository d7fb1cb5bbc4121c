"""Checkpoints: the signed statement of a tree's origin, size and root.

    origin LF
    size LF
    base64(root) LF
    *(extension LF)

(c2sp.org/tlog-checkpoint.)  We never emit extension lines: monitors cannot audit
them and an ML-DSA-44 cosignature does not cover them.  We read them, because a
cosignature of type 0x04 covers the text as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.keys import check_name
from tallystick_merkle.note import check_text
from tallystick_merkle.spelling import format_hash, parse_decimal, parse_hash

MAX_CHECKPOINT = 16 * 1024
"""Longest checkpoint text in bytes, signatures not counted."""

_FIXED_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: origin (schema-less URL), size in leaves, 32-byte root."""

    origin: str
    size: int
    root: bytes
    extension: tuple[str, ...] = ()


def check_origin(origin: str) -> None:
    """Raise unless `origin` may name a log of ours: 1 to 255 bytes, no space, no +."""
    check_name(origin, what="origin")


def format_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Write the text that is signed."""
    lines = [
        checkpoint.origin.encode(),
        str(checkpoint.size).encode(),
        format_hash(checkpoint.root),
        *(line.encode() for line in checkpoint.extension),
    ]
    return b"\n".join(lines) + b"\n"


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read the text of a checkpoint; raise MalformedError unless it is canonical.

    Each kind of line has one spelling, so what is read is what formatting would write.
    """
    check_text(text, what="checkpoint", longest=MAX_CHECKPOINT)
    if not text.endswith(b"\n"):
        raise MalformedError("checkpoint", "does not end in LF")
    lines = text[:-1].split(b"\n")
    if len(lines) < _FIXED_LINES:
        raise MalformedError("checkpoint", f"expected 3 lines, found {len(lines)}")
    if not all(lines):
        raise MalformedError("checkpoint", "an empty line")
    return Checkpoint(
        lines[0].decode(),
        parse_decimal(lines[1], what="checkpoint", where="size"),
        parse_hash(lines[2], what="checkpoint", where="root"),
        tuple(line.decode() for line in lines[_FIXED_LINES:]),
    )
