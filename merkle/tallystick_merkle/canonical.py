"""Strict deterministic CBOR: one spelling for every value (RFC 8949 §4.2.1).

Allowed: integers of 64 bits, byte and text strings, arrays, maps with text keys,
booleans and null.  Refused on both sides: tags, floats, indefinite lengths, repeated
or unsorted keys, other key types, nesting over 16.  Decoding looks for the forbidden
major types first, then decodes, encodes again and compares.

`pack` writes the same bytes without the library, several times faster for the small
values that events are made of.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

import cbor2

from tallystick_merkle.errors import MalformedError

MAX_BYTES = 64 * 1024
"""Longest encoding accepted, in bytes."""

MAX_DEPTH = 16
"""Deepest nesting of arrays and maps."""

_ALLOWED = "only int, bytes, str, list, dict with text keys, bool and None"

_TAG = 6
_SIMPLE = (0xF4, 0xF5, 0xF6)  # false, true, null

_SIMPLE_BYTES = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}
_SHORT = tuple(bytes([first]) for first in range(256))
_U8: Callable[[int, int], bytes] = Struct(">BB").pack
_U16: Callable[[int, int], bytes] = Struct(">BH").pack
_U32: Callable[[int, int], bytes] = Struct(">BI").pack
_U64: Callable[[int, int], bytes] = Struct(">BQ").pack


def encode(value: Any, *, most: int = MAX_BYTES) -> bytes:  # noqa: ANN401 -- any value of the allowed types
    """Encode a value in at most `most` bytes; raise MalformedError for another one."""
    _check_value(value, 0)
    try:
        data = cbor2.dumps(value, canonical=True)
    except UnicodeEncodeError as error:  # a lone surrogate
        raise MalformedError("CBOR", "a text that is not valid Unicode") from error
    if len(data) > most:
        raise MalformedError("CBOR", f"longer than {most} bytes")
    return data


def decode(data: bytes, *, most: int = MAX_BYTES) -> Any:  # noqa: ANN401 -- the caller checks the shape
    """Decode the canonical encoding of one value; raise MalformedError otherwise.

    `most` is the longest encoding accepted, in bytes.
    """
    if len(data) > most:
        raise MalformedError("CBOR", f"longer than {most} bytes")
    end = _scan(data)
    if end != len(data):
        raise MalformedError("CBOR", f"{len(data) - end} bytes after the value")
    try:
        value = cbor2.loads(
            data,
            max_depth=MAX_DEPTH,
            allow_duplicate_keys=False,
            allow_indefinite=False,
        )
    except (cbor2.CBORDecodeError, ValueError, OverflowError, MemoryError) as error:
        raise MalformedError("CBOR", "does not decode") from error
    if encode(value, most=most) != data:
        raise MalformedError("CBOR", "not the deterministic encoding")
    return value


def pack_head(major: int, argument: int) -> bytes:
    """Write the head of an item: `major` is the major type already shifted (<< 5)."""
    if argument < 24:
        return _SHORT[major | argument]
    if argument < 0x100:
        return _U8(major | 24, argument)
    if argument < 0x10000:
        return _U16(major | 25, argument)
    if argument < 0x100000000:
        return _U32(major | 26, argument)
    return _U64(major | 27, argument)


def pack_text(text: str) -> bytes:
    """Write a text; raise MalformedError for one that is not valid Unicode."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:  # a lone surrogate
        raise MalformedError("CBOR", "a text that is not valid Unicode") from error
    size = len(data)
    return (_SHORT[0x60 | size] if size < 24 else pack_head(0x60, size)) + data


def pack_bytes(data: bytes) -> bytes:
    """Write a byte string."""
    return pack_head(0x40, len(data)) + data


def pack(value: object, depth: int = 0) -> bytes:
    """Write a value as `encode` does; raise MalformedError for one not allowed."""
    if isinstance(value, str):
        return pack_text(value)
    if value is None or isinstance(value, bool):
        return _SIMPLE_BYTES[value]
    if isinstance(value, int):
        if not -(2**64) <= value < 2**64:
            raise MalformedError("CBOR", "an integer of more than 64 bits")
        return pack_head(0, value) if value >= 0 else pack_head(0x20, -1 - value)
    if depth >= MAX_DEPTH:
        raise MalformedError("CBOR", f"nested over {MAX_DEPTH} deep")
    if isinstance(value, list | tuple):
        items = [pack(item, depth + 1) for item in value]
        return pack_head(0x80, len(items)) + b"".join(items)
    if isinstance(value, dict):
        return _pack_map(value, depth)
    if isinstance(value, bytes):
        return pack_bytes(value)
    raise MalformedError("CBOR", _ALLOWED)


def _pack_map(value: dict[object, object], depth: int) -> bytes:
    pairs = []
    for key, item in value.items():
        if not isinstance(key, str):
            raise MalformedError("CBOR", _ALLOWED)
        pairs.append((pack_text(key), pack(item, depth + 1)))
    pairs.sort()
    return pack_head(0xA0, len(pairs)) + b"".join(key + item for key, item in pairs)


def _check_value(value: object, depth: int) -> None:
    """Raise unless `value` is made of allowed types only."""
    if depth > MAX_DEPTH:
        raise MalformedError("CBOR", f"nested over {MAX_DEPTH} deep")
    if isinstance(value, list):
        for item in value:
            _check_value(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise MalformedError("CBOR", _ALLOWED)
            _check_value(item, depth + 1)
    elif isinstance(value, int):
        if not -(2**64) <= value < 2**64:
            raise MalformedError("CBOR", "an integer of more than 64 bits")
    elif not isinstance(value, bytes | str | None):
        raise MalformedError("CBOR", _ALLOWED)


def _scan(data: bytes) -> int:
    """Walk the items without decoding; return where the first value ends."""
    open_items = [1]  # how many items are still to come at each depth
    at = 0
    while open_items:
        if not open_items[-1]:
            open_items.pop()
            continue
        open_items[-1] -= 1
        major, argument, at = _scan_head(data, at)
        if major in (2, 3):
            at += argument
        elif major in (4, 5):
            open_items.append(argument * (major - 3))
            if len(open_items) > MAX_DEPTH + 1:
                raise MalformedError("CBOR", f"nested over {MAX_DEPTH} deep")
        if at > len(data):
            raise MalformedError("CBOR", "cut short", where=f"byte {at}")
    return at


def _scan_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Read one item head: its major type, its argument, where its content starts."""
    if at >= len(data):
        raise MalformedError("CBOR", "cut short", where=f"byte {at}")
    first = data[at]
    major, info = first >> 5, first & 31
    if major == _TAG or (major == 7 and first not in _SIMPLE):
        raise MalformedError("CBOR", "a tag, float or simple value", where=f"byte {at}")
    if info < 24 or major == 7:
        return major, info, at + 1
    if info > 27:
        raise MalformedError("CBOR", "an indefinite length", where=f"byte {at}")
    stop = at + 1 + (1 << (info - 24))
    if stop > len(data):
        raise MalformedError("CBOR", "cut short", where=f"byte {at}")
    return major, int.from_bytes(data[at + 1 : stop], "big"), stop
