"""One add-checkpoint request, parsed whole (c2sp.org/tlog-witness).

    "old " decimal LF
    *63( base64(hash) LF )
    LF
    checkpoint

A checkpoint with extension lines is refused as malformed: an ML-DSA-44 cosignature
does not cover them, so the witness would vouch for text it did not sign.
"""

from __future__ import annotations

from dataclasses import dataclass

from tallystick_merkle.checkpoint import Checkpoint, parse_checkpoint
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.note import Note, parse_note
from tallystick_merkle.witnessing import parse_add_checkpoint


@dataclass(frozen=True, slots=True)
class Submission:
    """A parsed request: the old size, the proof, and the checkpoint with its lines."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: Note


def parse_submission(body: bytes) -> Submission:
    """Read a request of at most 128 KiB; raise MalformedError unless canonical."""
    request = parse_add_checkpoint(body)
    note = parse_note(request.checkpoint)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.extension:
        raise MalformedError("checkpoint", "extension lines are not cosigned")
    return Submission(request.old, request.proof, checkpoint, note)
