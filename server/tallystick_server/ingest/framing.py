"""Tell the events of a batch apart, without reading them.

    application/json         an array
    application/x-ndjson     a line each; the last may end without a newline
    application/cbor         an array
    application/cbor-seq     one after the other (RFC 8742)

An item is the bytes of one event, whatever they hold: what is wrong inside it is found
when it is read, and is no matter of its neighbours.  Where it cannot be told where one
ends, the whole batch is refused.  Whatever makes many items of few bytes is counted
before it is made.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import MsgspecError, Raw
from msgspec.json import Decoder

from tallystick_merkle.exchange.appending import MAX_BATCH, MAX_BATCH_BYTES
from tallystick_server.errors import (
    BadRequestError,
    TooLargeError,
    UnsupportedTypeError,
)

JSON: Final = "application/json"
"""One event, or a batch as an array."""

NDJSON: Final = "application/x-ndjson"
"""A batch, an event a line."""

CBOR: Final = "application/cbor"
"""One event, or a batch as an array; always the deterministic encoding."""

CBOR_SEQ: Final = "application/cbor-seq"
"""A batch, one event after the other."""

EVENT_TYPES = (JSON, CBOR)
"""Media types of one event."""

BATCH_TYPES = (JSON, NDJSON, CBOR, CBOR_SEQ)
"""Media types of a batch."""


_MANY = 250_000
"""Commas from which on an array is cut slowly, because that way stops in time."""

MAX_VALUES = 1_000_000
"""Most brackets that open and commas of a batch in JSON, in texts too."""

MAX_MARKS = 2_000_000
"""Most texts, brackets and commas of a JSON array that is cut slowly."""

MAX_HEADS = 1_000_000
"""Most data items of a batch in CBOR, nested ones counted: 100 for each event."""

_cut = Decoder(list[Raw]).decode
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)


def read_type(header: str, allowed: tuple[str, ...]) -> str:
    """Read a content type: one of the allowed, in UTF-8 if it names a charset.

    Raises UnsupportedTypeError.
    """
    name, _, parameter = header.partition(";")
    media = name.strip().lower()
    named = parameter.strip().lower().replace('"', "")
    is_text = media in (JSON, NDJSON)
    if media not in allowed or not (not named or (is_text and named == _UTF8)):
        raise UnsupportedTypeError(f"the content type must be {' or '.join(allowed)}")
    return media


def split_batch(body: bytes, content_type: str) -> list[bytes]:
    """Cut a batch of one of BATCH_TYPES into the bytes of its events, 1 to MAX_BATCH.

    Raises TooLargeError, UnsupportedTypeError, or BadRequestError where the events
    cannot be told apart.
    """
    media = read_type(content_type, BATCH_TYPES)
    if len(body) > MAX_BATCH_BYTES:
        raise TooLargeError(f"a batch may have {MAX_BATCH_BYTES} bytes")
    if media in (JSON, NDJSON) and count_values(body) > MAX_VALUES:
        raise TooLargeError(f"a batch of over {MAX_VALUES} values")
    items = _SPLITTERS[media](body)
    if not items:
        raise BadRequestError("a batch of no events")
    if len(items) > MAX_BATCH:
        raise _too_many()
    return items


def count_values(text: bytes) -> int:
    """Count the brackets that open and the commas of a JSON text, in texts too."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def has_many_heads(item: bytes, most: int) -> bool:
    """Whether one item of CBOR is of over `most` data items, nested ones counted.

    One that cannot be walked through is not: what is wrong with it is found later.
    """
    try:
        _skip(item, 0, most)
    except TooLargeError:
        return True
    except BadRequestError:
        return False
    return False


def _split_lines(body: bytes) -> list[bytes]:
    if body.count(b"\n") > MAX_BATCH:
        raise _too_many()
    lines = body.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _split_json(body: bytes) -> list[bytes]:
    """Cut an array; the decoder does, unless something in one of the items is wrong."""
    if body.count(b",") > _MANY:
        return _cut_slowly(body)
    try:
        return [bytes(item) for item in _cut(body)]
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return _cut_slowly(body)


def _cut_slowly(body: bytes) -> list[bytes]:
    """Cut an array by its brackets, commas and texts, whatever else is in it."""
    text = body.strip(b" \t\n\r")
    if len(text) < 2 or text[:1] != b"[" or text[-1:] != b"]":
        raise _no_array()
    items: list[bytes] = []
    depth, start = 0, 1
    for count, mark in enumerate(_MARK.finditer(text, 1, len(text) - 1)):
        if count == MAX_MARKS:
            raise TooLargeError(f"a batch of over {MAX_MARKS} texts and values")
        token = mark[0]
        if token in (b"[", b"{"):
            depth += 1
        elif token in (b"]", b"}"):
            depth -= 1
        elif token == b"," and not depth:
            items.append(text[start : mark.start()])
            start = mark.end()
        if depth < 0 or token == b'"':
            raise _no_array()
        if len(items) > MAX_BATCH:
            raise _too_many()
    if depth:
        raise _no_array()
    return [*items, text[start:-1]] if items or text[1:-1].strip() else []


def _split_cbor(body: bytes) -> list[bytes]:
    major, count, at = _read_head(body, 0)
    if major != _ARRAY:
        raise BadRequestError("a batch has to be a CBOR array of events")
    if count > MAX_BATCH:
        raise _too_many()
    items: list[bytes] = []
    left = MAX_HEADS
    for _ in range(count):
        start = at
        at, left = _skip(body, at, left)
        items.append(body[start:at])
    if at != len(body):
        raise BadRequestError(f"{len(body) - at} bytes after the CBOR array")
    return items


def _split_sequence(body: bytes) -> list[bytes]:
    items: list[bytes] = []
    at, left = 0, MAX_HEADS
    while at < len(body):
        if len(items) == MAX_BATCH:
            raise _too_many()
        start = at
        at, left = _skip(body, at, left)
        items.append(body[start:at])
    return items


def _skip(body: bytes, at: int, left: int) -> tuple[int, int]:
    """Give where the CBOR item at `at` ends, and how many heads are left then."""
    waiting = 1
    while waiting:
        if not left:
            raise TooLargeError(f"a batch of over {MAX_HEADS} data items")
        left -= 1
        major, argument, at = _read_head(body, at)
        waiting -= 1
        if major in (_BYTES, _TEXT):
            at += argument
        elif major in (_ARRAY, _MAP):
            waiting += argument * (major - _ARRAY + 1)
        elif major == _TAG:
            waiting += 1
        if waiting > len(body) - at:  # each has a byte at least
            raise BadRequestError("a CBOR item is cut short")
    return at, left


def _read_head(body: bytes, at: int) -> tuple[int, int, int]:
    """Read an item's head (RFC 8949 §3): major type, argument, and where it ends."""
    if at >= len(body):
        raise BadRequestError("a CBOR item is cut short")
    major, info = body[at] >> 5, body[at] & 31
    at += 1
    if info < 24:
        return major, info, at
    if info > 27:
        raise BadRequestError("a CBOR item of indefinite length")
    end = at + (1 << (info - 24))
    if end > len(body):
        raise BadRequestError("a CBOR item is cut short")
    return major, int.from_bytes(body[at:end], "big"), end


def _no_array() -> BadRequestError:
    return BadRequestError("a batch has to be a JSON array of events")


def _too_many() -> TooLargeError:
    return TooLargeError(f"a batch may have {MAX_BATCH} events")


_BYTES, _TEXT, _ARRAY, _MAP, _TAG = 2, 3, 4, 5, 6
_UTF8 = "charset=utf-8"
_SPLITTERS = {
    JSON: _split_json,
    NDJSON: _split_lines,
    CBOR: _split_cbor,
    CBOR_SEQ: _split_sequence,
}
