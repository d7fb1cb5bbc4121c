"""The bytes of a stored log: its tables, their keys and their values.

    table    key                     value
    meta     "format"                decimal version of this layout
    meta     "kind"                  kind of log
    meta     "origin"                origin, UTF-8
    meta     "created_ms"            decimal POSIX milliseconds
    meta     "published"             u64 size || u64 time_ms || note || seal
    entries  u64 index               entry
    rows     u8 level || u64 block   1 to 256 hashes of 32 bytes
    heads    u64 size                u64 time_ms || 32-byte root || u64 parent
                                     || note || seal
    keys     idempotency key         32-byte digest || u64 first || u32 count
                                     || u64 time_ms || seal

A log of events has more (see `sides`).
Numbers are big-endian, so that keys sort as numbers do.  The tree vouches for entries
and rows, and entry 0 for what the store says of itself; everything else ends with a
*seal*: the first 8 bytes of SHA-256 over table, key and value.  It stands against bits
that rot, and not against whoever can write.  A head's `parent` is the size of the head
before it, so that one that is gone leaves a gap.  Reading a value that this module
would not have written raises IntegrityError naming the record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

from tallystick_merkle.checkpoint import check_origin
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.spelling import parse_decimal
from tallystick_server.errors import IntegrityError, UsageError
from tallystick_server.storage.base import FORMAT, Head, Published, UsedKey
from tallystick_server.storage.seals import SEAL_SIZE, seal, unseal

META = b"meta"
ENTRIES = b"entries"
ROWS = b"rows"
HEADS = b"heads"
KEYS = b"keys"

TABLES = (META, ENTRIES, ROWS, HEADS, KEYS)
"""The tables of every store."""

PUBLISHED = b"published"
"""The key of the published checkpoint in the table `meta`."""

META_ITEMS = frozenset({b"format", b"kind", b"origin", b"created_ms", PUBLISHED})
"""The keys of the table `meta` in every store."""

_INDEX = Struct(">Q")
_ROW = Struct(">BQ")
_HEAD = Struct(f">Q{HASH_SIZE}sQ")
_USED = Struct(">32sQIQ")
_PUBLISHED = Struct(">QQ")
_DRAFT = 1

pack_index: Callable[[int], bytes] = _INDEX.pack
"""Write the key of an entry, or of a head (its size)."""

pack_row_key: Callable[[int, int], bytes] = _ROW.pack
"""Write the key of a row: level, block."""


@dataclass(frozen=True, slots=True)
class About:
    """What a store says it is: kind of log, origin, creation time (POSIX ms)."""

    kind: str
    origin: str
    created_ms: int


def unpack_index(key: bytes | memoryview, *, table: bytes) -> int:
    """Read the key of an entry, or of a head."""
    if len(key) != _INDEX.size:
        raise IntegrityError(f"table {table.decode()}: a key of {len(key)} bytes")
    return int.from_bytes(key, "big")


def unpack_row_key(key: bytes | memoryview) -> tuple[int, int]:
    """Read the key of a row: (level, block)."""
    if len(key) != _ROW.size:
        raise IntegrityError(f"table rows: a key of {len(key)} bytes")
    level, block = _ROW.unpack(key)
    return level, block


def pack_head(head: Head, *, parent: int) -> bytes:
    """Write the value of a head; its size is the key, `parent` the size before it."""
    body = _HEAD.pack(head.time_ms, head.root, parent) + head.note
    return seal(HEADS, pack_index(head.size), body)


def unpack_head(size: int, value: bytes | memoryview) -> Head:
    """Read a head."""
    return unpack_linked_head(size, value)[0]


def unpack_linked_head(size: int, value: bytes | memoryview) -> tuple[Head, int]:
    """Read a head, and the size of the head before it."""
    what = f"head of size {size}"
    if len(value) <= _HEAD.size + SEAL_SIZE:
        raise IntegrityError(f"{what}: {len(value)} bytes stored")
    body = unseal(HEADS, pack_index(size), value, what=what)
    time_ms, root, parent = _HEAD.unpack_from(body)
    return Head(size, root, body[_HEAD.size :], time_ms), parent


def pack_used_key(key: bytes, used: UsedKey) -> bytes:
    """Write what an idempotency key stands for."""
    body = _USED.pack(used.digest, used.first, used.count, used.time_ms)
    return seal(KEYS, key, body)


def unpack_used_key(key: bytes, value: bytes | memoryview) -> UsedKey:
    """Read what an idempotency key stands for. An error does not name the key."""
    expected = _USED.size + SEAL_SIZE
    if len(value) != expected:
        raise IntegrityError(
            f"idempotency key: {len(value)} bytes stored, expected {expected}"
        )
    return UsedKey(*_USED.unpack(unseal(KEYS, key, value, what="idempotency key")))


def pack_published(published: Published) -> bytes:
    """Write the published checkpoint."""
    body = _PUBLISHED.pack(published.size, published.time_ms) + published.note
    return seal(META, PUBLISHED, body)


def unpack_published(value: bytes | memoryview) -> Published:
    """Read the published checkpoint."""
    if len(value) <= _PUBLISHED.size + SEAL_SIZE:
        raise IntegrityError(f"published checkpoint: {len(value)} bytes stored")
    body = unseal(META, PUBLISHED, value, what="published checkpoint")
    size, time_ms = _PUBLISHED.unpack_from(body)
    return Published(size, body[_PUBLISHED.size :], time_ms)


def pack_about(about: About) -> list[tuple[bytes, bytes]]:
    """Write the items of the table `meta` that never change."""
    return [
        (b"format", b"%d" % FORMAT),
        (b"kind", about.kind.encode()),
        (b"origin", about.origin.encode()),
        (b"created_ms", b"%d" % about.created_ms),
    ]


def unpack_about(read: Callable[[bytes], bytes | memoryview | None]) -> About:
    """Read the items of the table `meta`; `read` gives a value or None.

    Raises UsageError for a store of another version.
    """
    try:
        version = _decimal(read, b"format")
        if version > FORMAT:
            raise UsageError(
                f"the log is stored in format {version} and this version of "
                f"tallystick knows {FORMAT}; run the newer version"
            )
        if version == _DRAFT:
            raise UsageError(
                f"the log is stored in format {version}, a draft that no release "
                f"wrote; this version of tallystick knows {FORMAT}, and not that one"
            )
        origin = _item(read, b"origin").decode()
        check_origin(origin)
        kind = _item(read, b"kind").decode()
        about = About(kind, origin, _decimal(read, b"created_ms"))
    except (MalformedError, UnicodeDecodeError) as error:
        raise IntegrityError(f"table meta: {error}") from error
    if version != FORMAT:
        raise IntegrityError(f"table meta: format {version} never existed")
    return about


def _item(read: Callable[[bytes], bytes | memoryview | None], name: bytes) -> bytes:
    value = read(name)
    if value is None:
        raise IntegrityError(f"table meta: {name.decode()} is missing")
    return bytes(value)


def _decimal(read: Callable[[bytes], bytes | memoryview | None], name: bytes) -> int:
    return parse_decimal(_item(read, name), what="number", where=name.decode())
