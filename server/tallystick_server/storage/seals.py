"""The seal that ends every stored value which the tree does not vouch for.

The first 8 bytes of SHA-256 over table, key and value.  It finds bits that rot, and is
no protection from whoever can write the file.
"""

from __future__ import annotations

from hashlib import sha256

from tallystick_server.errors import IntegrityError

SEAL_SIZE = 8
"""Bytes of a seal."""


def seal(table: bytes, key: bytes, body: bytes) -> bytes:
    """Close a value with its seal."""
    return body + _seal_of(table, key, body)


def unseal(table: bytes, key: bytes, value: bytes | memoryview, *, what: str) -> bytes:
    """Give a value without its seal; raise IntegrityError naming `what` otherwise."""
    body, found = bytes(value[:-SEAL_SIZE]), bytes(value[-SEAL_SIZE:])
    if _seal_of(table, key, body) != found:
        raise IntegrityError(f"{what}: it is damaged, its seal does not fit")
    return body


def _seal_of(table: bytes, key: bytes, body: bytes) -> bytes:
    framed = b"%s\0%d\0%s%s" % (table, len(key), key, body)
    return sha256(framed).digest()[:SEAL_SIZE]
