"""Deterministic CBOR by hand: RFC 8949 §4.2.1, the profile of docs/formats.md.

Nothing of the kernel's and no library: a head is written in the shortest form, a map by
ascending encoded keys.  Reading is writing backwards, and whatever writing would not
have written is refused.
"""

from typing import Any

DEEPEST = 16


class NotDeterministicError(ValueError):
    """Bytes that the encoder would not have written."""


def encode(value: object) -> bytes:
    """The one encoding of a value."""
    if value is False:
        return b"\xf4"
    if value is True:
        return b"\xf5"
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode("utf-8")
        return _head(3, len(text)) + text
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return _head(5, len(value)) + b"".join(key + item for key, item in pairs)
    raise TypeError(type(value))


def decode(data: bytes) -> Any:  # noqa: ANN401 -- whatever stands there
    """The value of an encoding; another spelling is refused."""
    try:
        value, end = _read(data, 0, 0)
    except (IndexError, UnicodeDecodeError) as error:
        raise NotDeterministicError("cut short, or not UTF-8") from error
    if end != len(data) or encode(value) != data:
        raise NotDeterministicError("another spelling")
    return value


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 256**size:
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise OverflowError(argument)


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    first = data[at]
    major, info = first >> 5, first & 31
    if first in (0xF4, 0xF5, 0xF6):
        return {0xF4: False, 0xF5: True, 0xF6: None}[first], at + 1
    if major > 5 or info > 27:
        raise NotDeterministicError("a tag, a float or an indefinite length")
    at += 1
    argument = info
    if info >= 24:
        size = 1 << (info - 24)
        argument = int.from_bytes(_take(data, at, size), "big")
        at += size
    if major == 0:
        return argument, at
    if major == 1:
        return -1 - argument, at
    if major in (2, 3):
        content = _take(data, at, argument)
        return content.decode("utf-8") if major == 3 else content, at + argument
    return _read_items(data, at, major, argument, depth + 1)


def _read_items(
    data: bytes, at: int, major: int, count: int, depth: int
) -> tuple[Any, int]:
    if depth > DEEPEST:
        raise NotDeterministicError("nested too deep")
    items = []
    for _ in range(count * (major - 3)):
        item, at = _read(data, at, depth)
        items.append(item)
    if major == 4:
        return items, at
    if not all(isinstance(key, str) for key in items[::2]):
        raise NotDeterministicError("a key that is no text")
    return dict(zip(items[::2], items[1::2], strict=True)), at


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise NotDeterministicError("cut short")
    return data[at : at + size]
