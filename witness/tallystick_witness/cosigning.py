"""Turn an accepted checkpoint into a head, and check a head as a stranger would.

What is signed is a re-encoding of what was parsed.  A head is verified after signing,
before it is stored, and again at every start: the log's line and each of our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tallystick_merkle.cosignature import OpenedCheckpoint, cosign, open_checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.keys import SigningKey, VerifierKey
from tallystick_merkle.note import format_note, format_signature
from tallystick_witness.errors import IntegrityError
from tallystick_witness.rule import Acceptance
from tallystick_witness.state import FollowedLog, Head


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A head that is not stored yet, and the lines to release once it is."""

    head: Head
    lines: bytes


def make_head(acceptance: Acceptance, keys: Sequence[SigningKey]) -> Cosigned:
    """Cosign with every key, and verify the result. Nothing is stored or released."""
    checkpoint, time_s = acceptance.checkpoint, acceptance.time_s
    lines = [cosign(checkpoint, key, time_s=time_s) for key in keys]
    note = format_note(acceptance.note.with_signatures(lines))
    head = Head(checkpoint.size, checkpoint.root, time_s, note)
    log_key = acceptance.log.key
    check_head(head, log_key=log_key, own=[key.verifier for key in keys])
    return Cosigned(head, b"".join(map(format_signature, lines)))


def check_followed(log: FollowedLog, own: Sequence[VerifierKey]) -> None:
    """Raise IntegrityError unless the head of `log`, if any, verifies."""
    if log.head is not None:
        check_head(log.head, log_key=log.key, own=own)


def check_head(head: Head, *, log_key: VerifierKey, own: Sequence[VerifierKey]) -> None:
    """Raise IntegrityError unless the note says what the head says, signed by all."""
    opened = _open(head, log_key, own)
    checkpoint = opened.checkpoint
    said = (checkpoint.origin, checkpoint.size, checkpoint.root)
    if said != (log_key.name, head.size, head.root) or checkpoint.extension:
        raise IntegrityError(
            f"the head of {log_key.name!r} is recorded with size {head.size}, "
            f"its note says size {checkpoint.size} of {checkpoint.origin!r}"
        )
    times = {found.key: found.time_s for found in opened.verified}
    if log_key not in times or any(times.get(key) != head.time_s for key in own):
        raise IntegrityError(
            f"the head of {log_key.name!r} is not signed by its log and by every "
            f"key of this witness at time {head.time_s}"
        )


def _open(
    head: Head, log_key: VerifierKey, own: Sequence[VerifierKey]
) -> OpenedCheckpoint:
    try:
        return open_checkpoint(head.note, (log_key, *own))
    except KernelError as error:
        raise IntegrityError(
            f"the head of {log_key.name!r} does not verify: {error}"
        ) from error
