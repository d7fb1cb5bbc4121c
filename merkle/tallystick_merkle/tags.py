"""Index entries: which blinded tags an event carries (vx1 §4.1, §4.2).

    secret of a subject          32 random bytes, kept in the vault
    secret of a dimension        HMAC-SHA256(secret, 0x2a || dimension)
    secret of an epoch (D18)     HMAC-SHA256(secret of the dimension, 0x29 || be32 e)
    tag                          HMAC-SHA256(that secret, 0x26 || be32 e)[:16]
    blind                        SHA-256(0x2b || seed of group 0)[:16]
    index entry                  deterministic CBOR of [epoch, [tag, …], blind], the
                                 tags ascending
    X                            SHA-256(0x15 || index entry)

Without the blind, events with the same tags would have the same X in their public
leaves, and anybody could tell which ones are about the same things.

Personal dimensions (actor, person targets) go through the secret of the epoch, so that
one month can be opened without the others.  The dimension keeps "by X" and "about X"
apart, though both die with the one secret of X.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from enum import IntEnum
from hashlib import sha256
from itertools import pairwise

from tallystick_merkle import canonical
from tallystick_merkle.canonical import pack_head
from tallystick_merkle.errors import MalformedError

EPOCH = 0
"""The epoch of every event, until epochs are opened (completeness)."""

TAG_SIZE = 16
"""Bytes of a tag."""

MAX_TAGS = 16
"""Most tags of an event."""

BLIND_SIZE = 16
"""Bytes of a blind."""

MAX_EPOCH = 2**32 - 1
"""Largest number of an epoch."""


class Dimension(IntEnum):
    """What a tag is about."""

    ACTOR = 1
    TARGET = 2
    ACTION = 3
    PRODUCER = 4
    FIELD = 5


PERSONAL = frozenset({Dimension.ACTOR, Dimension.TARGET})
"""Dimensions whose secrets are made per epoch (D18)."""


def make_tag(secret: bytes, dimension: Dimension, epoch: int) -> bytes:
    """Make the tag of a key in a dimension and an epoch; `secret` is the vault's."""
    number = epoch.to_bytes(4, "big")
    key = hmac.digest(secret, bytes([0x2A, dimension]), "sha256")
    if dimension in PERSONAL:
        key = hmac.digest(key, b"\x29" + number, "sha256")
    return hmac.digest(key, b"\x26" + number, "sha256")[:TAG_SIZE]


def make_blind(seed: bytes) -> bytes:
    """Make the blind of an event out of the seed of its group 0."""
    return sha256(b"\x2b" + seed).digest()[:BLIND_SIZE]


def format_index_entry(epoch: int, tags: Sequence[bytes], blind: bytes) -> bytes:
    """Write an index entry.

    Requires 1 to 16 tags of 16 bytes, strictly ascending, and a blind of 16 bytes.
    """
    head = b"\x83" + pack_head(0, epoch) + pack_head(0x80, len(tags))
    return head + b"\x50" + b"\x50".join(tags) + b"\x50" + blind


def order_tags(tags: Iterable[bytes]) -> tuple[bytes, ...]:
    """Order tags as an index entry holds them: each once, ascending."""
    return tuple(sorted(set(tags)))


def parse_index_entry(data: bytes) -> tuple[int, tuple[bytes, ...], bytes]:
    """Read an index entry: epoch, tags, blind; raise MalformedError otherwise."""
    value = canonical.decode(data, most=_MAX_BYTES)
    if not (isinstance(value, list) and len(value) == 3):
        raise MalformedError("index entry", "expected [epoch, tags, blind]")
    epoch, tags, blind = value
    if type(epoch) is not int or not 0 <= epoch <= MAX_EPOCH:
        raise MalformedError("index entry", "expected the number of an epoch")
    if not isinstance(tags, list) or not 1 <= len(tags) <= MAX_TAGS:
        raise MalformedError("index entry", f"expected 1 to {MAX_TAGS} tags")
    if any(not isinstance(tag, bytes) or len(tag) != TAG_SIZE for tag in tags):
        raise MalformedError("index entry", f"expected tags of {TAG_SIZE} bytes")
    if any(first >= second for first, second in pairwise(tags)):
        raise MalformedError("index entry", "tags that do not ascend")
    if not isinstance(blind, bytes) or len(blind) != BLIND_SIZE:
        raise MalformedError("index entry", f"expected a blind of {BLIND_SIZE} bytes")
    return epoch, tuple(tags), blind


def index_digest(entry: bytes) -> bytes:
    """Hash an index entry: the X of a leaf."""
    return sha256(b"\x15" + entry).digest()


_MAX_BYTES = 320
