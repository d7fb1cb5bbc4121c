"""The digest of a request's body that an idempotency key stands for (D5).

    one entry   SHA-256(0x00 || entry), which is its leaf hash
    a batch     SHA-256(0x02 || body), the body framed as it was sent

Separated from each other, so that a batch is never taken for an entry with the same
bytes, and from interior nodes, which begin with 0x01.
"""

from __future__ import annotations

from hashlib import sha256

from tallystick_merkle.hashing import leaf_hash


def entry_digest(entry: bytes) -> bytes:
    """Digest the body of a request that appends one entry."""
    return leaf_hash(entry)


def batch_digest(body: bytes) -> bytes:
    """Digest the body of a request that appends a batch."""
    return sha256(b"\x02" + body).digest()
