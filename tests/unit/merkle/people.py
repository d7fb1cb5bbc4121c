"""Keys of a log and its witnesses, and notes signed with them."""

from collections.abc import Sequence
from functools import cache

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import cosign, sign_checkpoint
from tallystick_merkle.keys import (
    KeyType,
    SigningKey,
    format_vkey,
    make_signing_key,
    parse_skey,
)
from tallystick_merkle.note import format_note
from tallystick_merkle.policy import Policy, parse_policy
from tests.vectors.known import answers

ORIGIN = "example.com/testlog"
WITNESS = "witness.example/w1"
TIME_S = 1_679_315_147

KEYS = answers()["keys"]
NOTES = answers()["checkpoint8"]
FULL_NOTE: bytes = NOTES["full_note_4_sigs"].encode()
SIGNED_NOTE: bytes = NOTES["ed25519_signed"].encode()
HEAD8 = Checkpoint(ORIGIN, 8, bytes.fromhex(answers()["tree8"]["roots_by_size"]["8"]))


@cache
def key(name: str, kind: KeyType, fill: int) -> SigningKey:
    """A key whose seed is one byte repeated."""
    return make_signing_key(name=name, type=kind, seed=bytes([fill]) * 32)


def log_key() -> SigningKey:
    """The published log's key."""
    return parse_skey(KEYS["log"]["skey_01"])


def witness_key(kind: KeyType = KeyType.COSIGNATURE) -> SigningKey:
    """The published witness's key of type 0x04 or 0x06."""
    return key(WITNESS, kind, 7)


def second_witness() -> SigningKey:
    """Another witness."""
    return key("witness.example/w2", KeyType.COSIGNATURE, 8)


def note_of(
    head: Checkpoint, *, log: SigningKey | None = None, by: Sequence[SigningKey] = ()
) -> bytes:
    """A checkpoint signed by its log and cosigned by witnesses, in order."""
    note = sign_checkpoint(head, log or log_key())
    lines = [cosign(head, cosigner, time_s=TIME_S) for cosigner in by]
    return format_note(note.with_signatures(lines))


def raw_note(text: bytes, *lines: bytes) -> bytes:
    """A note put together by hand."""
    return text + b"\n" + b"".join(lines)


def two_of_two() -> Policy:
    """The log, both witnesses, and a quorum of both."""
    return parse_policy(
        f"log {KEYS['log']['vkey_01']}\n"
        f"witness a {format_vkey(witness_key().verifier)}\n"
        f"witness b {format_vkey(second_witness().verifier)}\n"
        "group both all a b\n"
        "quorum both\n".encode()
    )
