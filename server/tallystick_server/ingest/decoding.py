"""Decode events: of one request, or one item of a batch.

An event is taken here if and only if the kernel's `parse_event` takes it and it has no
more than MAX_VALUES, and it comes out equal.  JSON goes the quick way first (`shapes`);
what that does not take is read again the thorough way (`jsonreading`, then
`parse_event`), which decides.  CBOR, always in its deterministic encoding, goes the
thorough way at once.

A refusal names the place as a JSON Pointer and says what was expected; it never quotes
a value.  Bytes are counted before they are read.
"""

from __future__ import annotations

import re
from itertools import islice

from tallystick_merkle import canonical
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Event
from tallystick_merkle.eventjson import parse_event
from tallystick_server.errors import EventError, TooLargeError
from tallystick_server.ingest.framing import (
    CBOR,
    EVENT_TYPES,
    count_values,
    has_many_heads,
    read_type,
)
from tallystick_server.ingest.jsonreading import read_json
from tallystick_server.ingest.shapes import read_event

MAX_EVENT_BYTES = 256 * 1024
"""Longest event as it comes in, in bytes; a line of a batch too."""

MAX_VALUES = 10_000
"""Most values of an event as it comes in, nested ones counted: data items in CBOR, in
JSON brackets that open and commas."""

_OPENING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{,]', re.DOTALL)


def decode_event(
    body: bytes, content_type: str, *, service: str | None = None
) -> Event:
    """Decode the body of a request that brings one event.

    `service` is the authenticated principal, as in `parse_event`.  Raises EventError,
    TooLargeError or UnsupportedTypeError.
    """
    media = read_type(content_type, EVENT_TYPES)
    if len(body) > MAX_EVENT_BYTES:
        raise TooLargeError(f"an event may have {MAX_EVENT_BYTES} bytes")
    return decode_item(body, is_cbor=media == CBOR, service=service)


def decode_item(item: bytes, *, is_cbor: bool, service: str | None = None) -> Event:
    """Decode the bytes of one event; raise EventError."""
    if len(item) > MAX_EVENT_BYTES:
        raise EventError(f"an event may have {MAX_EVENT_BYTES} bytes")
    if len(item) > MAX_VALUES and _has_many(item, is_cbor=is_cbor):
        raise EventError(f"an event may have {MAX_VALUES} values")
    if not is_cbor:
        event = read_event(item, service)
        if event is not None:
            return event
    try:
        data = _read_cbor(item) if is_cbor else read_json(item)
        return parse_event(data, service=service)
    except MalformedError as error:
        raise EventError(error.why, pointer=error.where) from error


def _has_many(item: bytes, *, is_cbor: bool) -> bool:
    """Whether there are over MAX_VALUES in an item; counted no further than that."""
    if is_cbor:
        return has_many_heads(item, MAX_VALUES)
    if count_values(item) <= MAX_VALUES:
        return False
    marks = (mark[0] for mark in _OPENING.finditer(item))
    found = (mark for mark in marks if not mark.startswith(b'"'))
    return next(islice(found, MAX_VALUES, None), None) is not None


def _read_cbor(item: bytes) -> object:
    """Read an item of CBOR; raise MalformedError, whose place is that of an event."""
    try:
        return canonical.decode(item)
    except MalformedError as error:
        place = f" ({error.where})" if error.where else ""
        advice = "; send decimals as text" if "float" in error.why else ""
        why = f"not deterministic CBOR{place}: {error.why}{advice}"
        raise MalformedError("event", why) from error
