"""Targets: events as a log server takes them, one or many, in every encoding."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from tallystick_merkle import canonical
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Event
from tallystick_merkle.eventjson import format_event, parse_event
from tallystick_server.errors import EventError, RequestError
from tallystick_server.ingest.decoding import decode_event
from tallystick_server.ingest.framing import BATCH_TYPES, CBOR, JSON, split_batch
from tallystick_server.ingest.jsonreading import read_json
from tallystick_server.ingest.shapes import read_event
from tests.fakes.decoded import Refused, decode_batch
from tests.fuzz.target import Target
from tests.unit.server.ingest.drawn import FULL, SERVICE, usual


def event_json(data: bytes) -> None:
    """One event of JSON: the quick way takes nothing that the thorough one does not."""
    quick = read_event(data, SERVICE)
    try:
        ruled = parse_event(read_json(data), service=SERVICE)
    except MalformedError:
        assert quick is None
        return
    assert quick is None or quick == ruled
    _again(decode_event(data, JSON, service=SERVICE), ruled)


def event_cbor(data: bytes) -> None:
    """One event of CBOR."""
    with suppress(EventError):
        taken = decode_event(data, CBOR, service=SERVICE)
        _again(taken, parse_event(canonical.decode(data), service=SERVICE))


def event_batch(data: bytes) -> None:
    """A batch in each of its forms: a result for each of its events."""
    for media in BATCH_TYPES:
        with suppress(RequestError):
            items = split_batch(data, media)
            results = decode_batch(data, media, service=SERVICE)
            assert len(results) == len(items)
            for position, result in enumerate(results):
                assert isinstance(result, Event) or result == Refused(
                    position, result.pointer, result.why
                )


def _again(taken: Event, ruled: Event) -> None:
    """What was taken is what the kernel reads, and is written and read again."""
    assert taken == ruled
    assert parse_event(format_event(taken)) == taken


TARGETS: dict[str, Target] = {
    "submitted-json": event_json,
    "submitted-cbor": event_cbor,
    "submitted-batch": event_batch,
}


def seeds() -> dict[str, list[bytes]]:
    """Good inputs, by target."""
    spelled: list[Callable[[object], bytes]] = [
        lambda data: json.dumps(data, separators=(",", ":")).encode(),
        lambda data: json.dumps(data, indent=1, ensure_ascii=False).encode(),
    ]
    events = [spell(data) for data in (usual(), FULL) for spell in spelled]
    maps = [canonical.encode(data) for data in (usual(), FULL)]
    batches = [
        b"[" + b",".join(events[::2]) + b"]",
        b"\n".join(events[::2]),
        b"\x82" + b"".join(maps),
        b"".join(maps),
    ]
    return {
        "submitted-json": events,
        "submitted-cbor": maps,
        "submitted-batch": batches,
    }
