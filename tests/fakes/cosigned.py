"""One witness, policies that ask for it, and heads with its cosignature."""

from __future__ import annotations

from tallystick_merkle.checkpoint import parse_checkpoint
from tallystick_merkle.cosignature import cosign
from tallystick_merkle.keys import KeyType, format_vkey, make_signing_key
from tallystick_merkle.note import format_note, parse_note
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_server.storage.base import Head, Published
from tests.fakes.logs import log_key

WITNESS = make_signing_key(name="w.example", type=KeyType.COSIGNATURE, seed=b"w" * 32)
"""The witness of the log in memory."""


def policy(quorum: str = "w", *, with_log: bool = True) -> Policy:
    """A policy that knows the witness; `quorum` is "w" or "none"."""
    lines = [
        f"log {format_vkey(log_key().verifier)}" if with_log else "",
        f"witness w {format_vkey(WITNESS.verifier)}",
        f"quorum {quorum}",
    ]
    return parse_policy("\n".join(lines).encode())


def cosigned(head: Head) -> Published:
    """What the publisher makes of a head once the witness has cosigned it."""
    note = parse_note(head.note)
    line = cosign(parse_checkpoint(note.text), WITNESS, time_s=head.time_ms // 1000)
    whole = format_note(note.with_signatures([line]))
    return Published(head.size, whole, head.time_ms)
