"""What a log and a witness say to each other (c2sp.org/tlog-witness).

POST <submission prefix>/add-checkpoint
    "old " decimal LF
    *63( base64(hash) LF )       consistency proof from old to the checkpoint
    LF
    checkpoint

200  one signature line per cosignature
409  Content-Type text/x.tlog.size, body: the witness's size, LF
GET <monitoring prefix>/<hex SHA-256 of the origin>/checkpoint
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.note import MAX_NOTE, Signature, parse_signature_lines
from tallystick_merkle.spelling import format_hash, parse_decimal, parse_hash

SIZE_TYPE = "text/x.tlog.size"
"""Content type of a 409 that carries the witness's size."""

MAX_REQUEST = 128 * 1024
"""Longest add-checkpoint body a witness accepts, in bytes."""

MAX_PROOF = 63
"""Most hashes in a consistency proof."""

MAX_RESPONSE = MAX_NOTE
"""Longest answer of a witness that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign: the size last cosigned, the proof, the signed note."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes


def format_add_checkpoint(request: AddCheckpoint) -> bytes:
    """Write the body of an add-checkpoint request."""
    lines = [b"old %d" % request.old, *map(format_hash, request.proof)]
    return b"\n".join(lines) + b"\n\n" + request.checkpoint


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read the body of an add-checkpoint request; the note is only cut off here."""
    if len(body) > MAX_REQUEST:
        raise MalformedError("add-checkpoint", f"longer than {MAX_REQUEST} bytes")
    head, blank, checkpoint = body.partition(b"\n\n")
    lines = head.split(b"\n")
    if not blank or not lines[0].startswith(b"old "):
        raise MalformedError("add-checkpoint", "expected an old line first")
    if len(lines) - 1 > MAX_PROOF:
        raise MalformedError("add-checkpoint", f"proof of over {MAX_PROOF} hashes")
    return AddCheckpoint(
        parse_decimal(lines[0][4:], what="add-checkpoint", where="old"),
        tuple(
            parse_hash(line, what="add-checkpoint", where=f"proof line {place}")
            for place, line in enumerate(lines[1:])
        ),
        checkpoint,
    )


def format_size(size: int) -> bytes:
    """Write the body of a 409: the size the witness has cosigned."""
    return b"%d\n" % size


def parse_size(body: bytes) -> int:
    """Read the body of a 409."""
    if not body.endswith(b"\n"):
        raise MalformedError("witness size", "does not end in LF")
    return parse_decimal(body[:-1], what="witness size", where="body")


def parse_cosignatures(body: bytes) -> tuple[Signature, ...]:
    """Read the body of a 200: at least one signature line."""
    lines = parse_signature_lines(body)
    if not lines:
        raise MalformedError("witness answer", "no signature line")
    return lines


def origin_hash(origin: str) -> str:
    """Lowercase hex SHA-256 of an origin: its place below a monitoring prefix."""
    return sha256(origin.encode()).hexdigest()
