"""Idempotency keys: one for each new append, or one that follows from the content.

A new append gets a UUIDv7 (RFC 9562 §5.7): unique, and near-sequential on purpose,
because the log keeps its keys in order.  A key made from the content and its place
says the same thing on a second run, so that nothing is appended twice.
"""

from __future__ import annotations

import os
import time
from hashlib import sha256
from uuid import UUID

_VERSION = 7 << 76
_VARIANT = 0b10 << 62


def new_key() -> str:
    """Draw the key of a new append."""
    return format_uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def format_uuid7(time_ms: int, chance: bytes) -> str:
    """Write a UUIDv7 from POSIX milliseconds and 10 random bytes."""
    drawn = int.from_bytes(chance, "big")
    high = (time_ms & (1 << 48) - 1) << 80 | _VERSION | (drawn >> 62 & 0xFFF) << 64
    return str(UUID(int=high | _VARIANT | drawn & (1 << 62) - 1))


def content_key(origin: str, line: int, entry: bytes) -> str:
    """Give the key of an entry at a line (from 1) of a file, for `append --once`.

    The same line at the same place has the same key; a line that moved or changed
    has another.
    """
    digest = sha256(b"tallystick/once/v1\n")
    for part in (origin.encode(), b"%d" % line, entry):
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"once-{digest.hexdigest()}"
