"""Recorded records, and where their values went in the events made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tallystick_client.mapping.catalogue import shipped
from tallystick_client.mapping.sources import read_records
from tallystick_merkle.event import Event, Value
from tallystick_merkle.exchange.events import draft
from tests.unit.house.source_tree import ROOT

CLOUDTRAIL = ROOT / "client/tallystick_client/samples/cloudtrail-103.ndjson"
WINDOWS = ROOT / "tests/data/events/windows-1749.ndjson.gz"
EKS = ROOT / "tests/data/events/eks-audit.json"

KEY = b"k" * 32
"""The secret of the ids of all tests."""

Mapped = tuple[dict[str, Value], dict[str, Value]]
"""A record, and the event made of it."""


def map_file(name: str, path: Path) -> list[Mapped]:
    """Map all records of a file; every one must become an event."""
    mapping = shipped(name)
    found: list[Mapped] = []
    with path.open("rb") as file:
        for raw in read_records(
            file, name=path.name, lists=mapping.records, wrapping=mapping.unwrap
        ):
            assert isinstance(raw.value, dict)
            event = mapping.apply(raw.value, line=raw.number, key=KEY)
            assert event is not None
            found.append((raw.value, event))
    return found


def event_of(body: dict[str, Value], sequence: int = 1) -> Event:
    """Read an event as the kernel does."""
    producer: Value = {"instance": "i", "sequence": sequence}
    return draft({**body, "producer": producer})


def scalars(value: Value) -> Iterator[Value]:
    """All values in a value that are no lists or objects; empty ones count too."""
    if isinstance(value, dict) and value:
        for item in value.values():
            yield from scalars(item)
    elif isinstance(value, list) and value:
        for item in value:
            yield from scalars(item)
    else:
        yield value


def names(value: Value) -> Iterator[str]:
    """All names of members in a value."""
    if isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from names(item)
    elif isinstance(value, list):
        for item in value:
            yield from names(item)


def lost(record: Value, event: dict[str, Value]) -> list[Value]:
    """The values of a record that are nowhere in its event.

    Texts that were split are put together, JSON texts are opened.
    """
    kept = list(scalars(event))
    notes = event["details"]
    assert isinstance(notes, dict)
    said = notes["mapping"]
    assert isinstance(said, dict)
    kept += list(_unfolded(said, event))
    known = {_key(item) for item in kept}
    return [item for item in scalars(record) if _key(item) not in known]


def _unfolded(said: dict[str, Value], event: dict[str, Value]) -> Iterator[Value]:
    folded, split = said.get("folded", []), said.get("split", [])
    assert isinstance(folded, list)
    assert isinstance(split, list)
    if isinstance(more := said.get("more"), str):
        yield from scalars(json.loads(more))
    for place in {*map(str, folded), *map(str, split)}:
        text = _joined(event, place)
        yield text
        if place in folded:
            value = json.loads(text)
            yield from scalars(value)


def _joined(event: dict[str, Value], place: str) -> str:
    """The text of a field, with the fields in which it goes on."""
    *above, last = [
        part.replace("~1", "/").replace("~0", "~") for part in place[1:].split("/")
    ]
    holder: Value = event
    for part in above:
        assert isinstance(holder, dict)
        holder = holder[part]
    assert isinstance(holder, dict)
    text, number = holder[last], 2
    assert isinstance(text, str)
    while isinstance(more := holder.get(f"{last} ({number})"), str):
        text += more
        number += 1
    return text


def _key(value: Value) -> str:
    return f"{type(value).__name__} {value!r}"
