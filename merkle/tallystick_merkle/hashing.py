"""The hashes of the tree: leaf, node and the empty root.

RFC 6962 §2.1 (the same as RFC 9162 with SHA-256):

    leaf  = SHA-256(0x00 || entry)
    node  = SHA-256(0x01 || left || right)
    empty = SHA-256("")

Hashes are always 32 raw bytes; hex and base64 are made by whoever prints.
"""

from __future__ import annotations

from hashlib import sha256

HASH_SIZE = 32
"""Bytes in every hash of the tree."""

EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree of size 0."""

MAX_SIZE = 2**62
"""Largest tree size accepted anywhere; it keeps every size an int64 elsewhere."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry of any length to its leaf: SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: list[bytes]) -> list[bytes]:
    """Hash many entries to their leaves, in order."""
    digest = sha256
    return [digest(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two 32-byte children to their parent: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def pair_up(hashes: list[bytes]) -> list[bytes]:
    """Hash neighbours pairwise: the level above. Requires an even count."""
    digest = sha256
    return [
        digest(b"\x01" + hashes[at] + hashes[at + 1]).digest()
        for at in range(0, len(hashes) - 1, 2)
    ]


def fold_right(hashes: list[bytes]) -> bytes:
    """Fold perfect subtree roots, largest (leftmost) first, into one root.

    RFC 6962 hangs the ragged right border so that the smallest subtrees are
    joined first.  No hashes at all give the empty root.
    """
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = sha256(b"\x01" + left + root).digest()
    return root
