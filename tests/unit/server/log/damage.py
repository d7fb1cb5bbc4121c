"""Ways to damage a table of a store behind its back."""

from __future__ import annotations

from collections.abc import Callable

import lmdb

from tallystick_server.storage.base import Head, UsedKey
from tallystick_server.storage.records import (
    pack_head,
    pack_index,
    pack_used_key,
    unpack_linked_head,
    unpack_used_key,
)

Damage = Callable[["lmdb.Cursor[bytes]"], None]


def put(key: bytes, value: bytes) -> Damage:
    """Put a value of its own under a key."""

    def damage(cursor: lmdb.Cursor[bytes]) -> None:
        cursor.put(key, value)

    return damage


def drop(key: bytes) -> Damage:
    """Remove a key."""

    def damage(cursor: lmdb.Cursor[bytes]) -> None:
        assert cursor.pop(key) is not None

    return damage


def change(key: bytes, how: Callable[[bytes], bytes]) -> Damage:
    """Change the value of a key."""

    def damage(cursor: lmdb.Cursor[bytes]) -> None:
        value = cursor.get(key)
        assert value is not None
        assert how(value) != value
        cursor.put(key, how(value))

    return damage


def flip(at: int) -> Callable[[bytes], bytes]:
    """Change one bit of the byte at a place."""

    def flipped(value: bytes) -> bytes:
        changed = bytearray(value)
        changed[at] ^= 1
        return bytes(changed)

    return flipped


def of_head(how: Callable[[Head], Head], size: int = 3) -> Damage:
    """Change a stored head, its seal too."""

    def changed(value: bytes) -> bytes:
        head, parent = unpack_linked_head(size, value)
        return pack_head(how(head), parent=parent)

    return change(pack_index(size), changed)


def of_key(how: Callable[[UsedKey], UsedKey], at: int = 1) -> Damage:
    """Change what an idempotency key stands for, its seal too."""
    key = b"principal\0key %d" % at
    return change(
        key, lambda value: pack_used_key(key, how(unpack_used_key(key, value)))
    )
