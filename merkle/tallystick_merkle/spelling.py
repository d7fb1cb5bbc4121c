"""The one spelling of numbers, hashes and base64 in every text format of the family.

C2SP texts are lines of ASCII fields, and two spellings of one value would let two
parties sign different bytes for the same thing.  So: decimals have no sign, no
leading zero and at most 19 digits; base64 is RFC 4648 §4 with padding and with zero
padding bits.  All functions work on bytes; whatever does not parse raises
MalformedError.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import HASH_SIZE, MAX_SIZE

_DECIMAL = re.compile(rb"0|[1-9][0-9]{0,18}")
_HASH_CHARACTERS = 44


def parse_decimal(
    text: bytes, *, what: str, where: str, ceiling: int = MAX_SIZE
) -> int:
    """Read a canonical decimal of 0 to `ceiling`."""
    if _DECIMAL.fullmatch(text) is None:
        raise MalformedError(
            what, f"expected a canonical decimal, found {text[:24]!r}", where=where
        )
    value = int(text)
    if value > ceiling:
        raise MalformedError(what, f"{value} is over {ceiling}", where=where)
    return value


def parse_base64(text: bytes, *, what: str, where: str, longest: int) -> bytes:
    """Read canonical padded base64 of at most `longest` decoded bytes."""
    if len(text) > (longest + 2) // 3 * 4:
        raise MalformedError(what, f"base64 of more than {longest} bytes", where=where)
    try:
        value = a2b_base64(text, strict_mode=True)
    except Base64Error as error:
        raise MalformedError(what, "expected canonical base64", where=where) from error
    if b64encode(value) != text or len(value) > longest:
        raise MalformedError(what, "expected canonical base64", where=where)
    return value


def parse_hash(text: bytes, *, what: str, where: str) -> bytes:
    """Read one base64 hash of exactly 32 bytes (44 characters)."""
    if len(text) != _HASH_CHARACTERS:
        raise MalformedError(
            what, f"expected a 44-character hash, found {len(text)}", where=where
        )
    value = parse_base64(text, what=what, where=where, longest=HASH_SIZE)
    if len(value) != HASH_SIZE:  # 31 bytes are written in 44 characters too
        raise MalformedError(
            what, f"expected a hash of 32 bytes, found {len(value)}", where=where
        )
    return value


def format_hash(value: bytes) -> bytes:
    """Write a 32-byte hash as base64."""
    return b2a_base64(value, newline=False)
