"""The promotion entry: what a copy of a log writes before any other entry (D9).

    0x01 || deterministic CBOR of [5, time_ms, {
        "format": 1, "status": "draft", "origin": text,
        "size": N, "root": 32 bytes, "id": 16 bytes}]

It stands at index N, on the head of that size and root: the log as it was restored.
The id is drawn by the process that writes it, so that two copies of one backup never
make the same head, and a quorum of witnesses that has cosigned a head with the entry
in it has chosen this copy and no other.

The entry is no proof by itself: in a log of raw entries anybody with a write token may
send these bytes.  Only the log that wrote it goes by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tallystick_merkle import canonical
from tallystick_merkle.checkpoint import check_origin
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import HASH_SIZE, MAX_SIZE

FORMAT = 1
"""Version of the promotion format."""

STATUS = "draft"
"""Until the formats are frozen, every such entry says that it is a draft."""

LEAF_TYPE = 5
"""The type number of a promotion leaf."""

ID_SIZE = 16
"""Bytes of the id."""

MAX_TIME_MS = 2**53 - 1
"""Latest time, in POSIX milliseconds: every reader's number holds it."""

_VERSION = b"\x01"
_FIELDS = {"format", "status", "origin", "size", "root", "id"}


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion entry says. `time_ms` is POSIX milliseconds.

    `size` and `root` are the head that the copy stood at: the entry's index is `size`.
    `id` is 16 random bytes.
    """

    origin: str
    time_ms: int
    size: int
    root: bytes
    id: bytes


def format_promotion(promotion: Promotion) -> bytes:
    """Write a promotion entry; raise MalformedError for one we would not read."""
    entry = _encode(promotion)
    parse_promotion(entry)
    return entry


def parse_promotion(entry: bytes) -> Promotion:
    """Read a promotion entry; raise MalformedError for anything else."""
    promotion = _decode(entry)
    if _encode(promotion) != entry:
        raise MalformedError("promotion entry", "not the canonical spelling")
    return promotion


def _encode(promotion: Promotion) -> bytes:
    body = {
        "format": FORMAT,
        "status": STATUS,
        "origin": promotion.origin,
        "size": promotion.size,
        "root": promotion.root,
        "id": promotion.id,
    }
    return _VERSION + canonical.encode([LEAF_TYPE, promotion.time_ms, body])


def _decode(entry: bytes) -> Promotion:
    if not entry.startswith(_VERSION):
        raise MalformedError("promotion entry", "expected version byte 0x01")
    value = canonical.decode(entry[1:])
    if not (isinstance(value, list) and len(value) == 3 and value[0] == LEAF_TYPE):
        raise MalformedError("promotion entry", "expected a leaf of type 5")
    _, time_ms, body = value
    if type(time_ms) is not int or not 0 <= time_ms <= MAX_TIME_MS:
        raise MalformedError("promotion entry", "expected a time in milliseconds")
    if not isinstance(body, dict) or set(body) != _FIELDS:
        raise MalformedError(
            "promotion entry", f"expected the fields {sorted(_FIELDS)}"
        )
    return _read_body(time_ms, body)


def _read_body(time_ms: int, body: dict[str, object]) -> Promotion:
    """Check each field of the map."""
    origin, size = body["origin"], body["size"]
    if (body["format"], body["status"]) != (FORMAT, STATUS):
        raise MalformedError("promotion entry", f"expected format {FORMAT}, {STATUS!r}")
    if not isinstance(origin, str):
        raise MalformedError("promotion entry", "the origin is not a text")
    check_origin(origin)
    if type(size) is not int or not 1 <= size < MAX_SIZE:
        raise MalformedError("promotion entry", "expected a size of 1 or more")
    return Promotion(
        origin,
        time_ms,
        size,
        _read_bytes(body["root"], HASH_SIZE, "root"),
        _read_bytes(body["id"], ID_SIZE, "id"),
    )


def _read_bytes(value: object, length: int, where: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != length:
        raise MalformedError("promotion entry", f"expected {length} bytes", where=where)
    return value
