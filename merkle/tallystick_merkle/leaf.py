"""The public leaf of an event: 80 bytes that say nothing about anybody (ev1 §6.2).

    0x01 || deterministic CBOR of [0, time_ms, C (32 bytes), X (32 bytes)]

`time_ms` is when the log committed it (D13), `C` the commitment to the event (see
`sealing`), `X` the digest of its index entry (see `tags`).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import HASH_SIZE

SIZE = 80
"""Bytes of a leaf."""

MIN_TIME_MS = 2**32
"""Least time: in 1970, so that every leaf has the same length."""

MAX_TIME_MS = 2**53 - 1
"""Latest time, in POSIX milliseconds: every reader's number holds it."""

_LAYOUT = Struct(">4sQ2s32s2s32s")
_HEAD = b"\x01\x84\x00\x1b"
_BYTES = b"\x58\x20"


class EventLeaf(NamedTuple):
    """A leaf: commit time (POSIX ms), commitment, digest of the index entry."""

    time_ms: int
    commitment: bytes
    index_digest: bytes


def format_leaf(leaf: EventLeaf) -> bytes:
    """Write a leaf. Requires 32-byte digests and a time in range."""
    time_ms, commitment, digest = leaf
    if len(commitment) != HASH_SIZE or len(digest) != HASH_SIZE:
        raise MalformedError("event leaf", "expected two digests of 32 bytes")
    if not MIN_TIME_MS <= time_ms <= MAX_TIME_MS:
        raise MalformedError("event leaf", "a time out of range")
    return _LAYOUT.pack(_HEAD, time_ms, _BYTES, commitment, _BYTES, digest)


def is_event_leaf(entry: bytes) -> bool:
    """Whether an entry of an events log is an event's leaf, and not a log's own."""
    return len(entry) == SIZE and entry.startswith(_HEAD)


def parse_leaf(entry: bytes) -> EventLeaf:
    """Read a leaf; raise MalformedError for anything else."""
    if len(entry) != SIZE:
        raise MalformedError("event leaf", f"{len(entry)} bytes, expected {SIZE}")
    head, time_ms, first, commitment, second, digest = _LAYOUT.unpack(entry)
    if (head, first, second) != (_HEAD, _BYTES, _BYTES):
        raise MalformedError("event leaf", "not the leaf of an event")
    if not MIN_TIME_MS <= time_ms <= MAX_TIME_MS:
        raise MalformedError("event leaf", "a time out of range")
    return EventLeaf(time_ms, commitment, digest)
