"""Strict deterministic CBOR: one spelling for every value (RFC 8949 §4.2.1).

Allowed: integers of 64 bits, byte and text strings, arrays, maps with text keys,
booleans and null.  Refused on both sides: tags, floats, indefinite lengths, repeated
or unsorted keys, other key types, nesting over 16.  Decoding looks for the forbidden
major types first, then decodes, encodes again and compares.
"""

from __future__ import annotations

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


def encode(value: Any) -> bytes:  # noqa: ANN401 -- any value of the allowed types
    """Encode a value; raise MalformedError for one that is not allowed."""
    _check_value(value, 0)
    try:
        data = cbor2.dumps(value, canonical=True)
    except UnicodeEncodeError as error:  # a lone surrogate
        raise MalformedError("CBOR", "a text that is not valid Unicode") from error
    if len(data) > MAX_BYTES:
        raise MalformedError("CBOR", f"longer than {MAX_BYTES} bytes")
    return data


def decode(data: bytes) -> Any:  # noqa: ANN401 -- the caller checks the shape
    """Decode the canonical encoding of one value; raise MalformedError otherwise."""
    if len(data) > MAX_BYTES:
        raise MalformedError("CBOR", f"longer than {MAX_BYTES} bytes")
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
    if encode(value) != data:
        raise MalformedError("CBOR", "not the deterministic encoding")
    return value


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
