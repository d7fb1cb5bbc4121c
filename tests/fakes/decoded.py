"""A whole batch decoded at once, as the intake does it item by item."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick_merkle.event import Event
from tallystick_server.errors import EventError
from tallystick_server.ingest.decoding import decode_item
from tallystick_server.ingest.framing import (
    BATCH_TYPES,
    CBOR,
    CBOR_SEQ,
    read_type,
    split_batch,
)


@dataclass(frozen=True, slots=True)
class Refused:
    """An item of a batch that was refused; `position` counts from 0."""

    position: int
    pointer: str
    why: str


def decode_batch(
    body: bytes, content_type: str, *, service: str | None = None
) -> list[Event | Refused]:
    """Split the body of a batch, and decode each event; raise as `split_batch`."""
    items = split_batch(body, content_type)
    is_cbor = read_type(content_type, BATCH_TYPES) in (CBOR, CBOR_SEQ)
    results: list[Event | Refused] = []
    for position, item in enumerate(items):
        try:
            results.append(decode_item(item, is_cbor=is_cbor, service=service))
        except EventError as error:
            results.append(Refused(position, error.pointer, error.detail))
    return results
