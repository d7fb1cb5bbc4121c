"""What must stay secret of events: their values, in every spelling a leak may have.

Secret are the ids of actors and targets and all values of free fields, at any depth,
of 6 bytes or more.  Not secret, by rule, is what a value has in common with a *fact*
(event id, action, outcome, code, time, schema, producer, region, types: group 0, see
`layout`) or with the *name* of a member: a text that is a part of one of those.  The
rest is looked for as it is, as UTF-16, escaped as in JSON, in hex and in base64.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tallystick_merkle.canonical import pack
from tallystick_merkle.event import EXTRA_ROOTS

LEAST = 6
"""Bytes of the shortest value that is looked for: shorter ones occur by chance."""

LONG = 64
"""Characters of the longest value that is looked for whole."""

END = 48
"""Characters of each end of a longer one: so a leak that was cut is found, too."""

_WIDE = 2**32
_ALIGNMENTS = ((b"", 0), (b"\0", 2), (b"\0\0", 3))
_TO_URL = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes that must not occur: which value they spell, and how."""

    data: bytes
    value: str
    spelling: str

    def __str__(self) -> str:
        """Name the value and its spelling."""
        return f"{self.value!r} as {self.spelling}"


def secret_values(events: Iterable[Mapping[str, Any]]) -> set[str | int]:
    """Give the values of events in their JSON shape that must show nowhere."""
    values: set[str | int] = set()
    public: set[str] = set()
    for event in events:
        values.update(secrets_of(event))
        public.update(facts_of(event))
        public.update(names_of(event))
    told = "\n".join(sorted(public))
    return {value for value in values if str(value) not in told}


def needles_of(values: Iterable[str | int]) -> list[Needle]:
    """Give every spelling of values, each once."""
    found: dict[bytes, Needle] = {}
    for value in sorted(values, key=str):
        for needle in spellings(value):
            found.setdefault(needle.data, needle)
    return list(found.values())


def secrets_of(event: Mapping[str, Any]) -> Iterator[str | int]:
    """Give the values that belong to persons, or that nobody said to be harmless."""
    yield event["actor"]["id"]
    for target in event["targets"]:
        yield target["id"]
    for root in EXTRA_ROOTS & event.keys():
        yield from _values(event[root])


def facts_of(event: Mapping[str, Any]) -> Iterator[str]:
    """Give the facts of an event, as text."""
    producer, outcome = event["producer"], event["outcome"]
    yield from (event["event_id"], event["action"], event["occurred_at"])
    yield from (outcome["result"], outcome.get("code", ""))
    yield from (producer.get("service", ""), producer["instance"])
    yield from (event.get("region", ""), event.get("corrects", ""))
    yield event.get("schema", {}).get("id", "")
    yield from (one["type"] for one in [event["actor"], *event["targets"]])


def names_of(value: object) -> Iterator[str]:
    """Give the names of all members, at any depth."""
    if isinstance(value, Mapping):
        yield from value
        for item in value.values():
            yield from names_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from names_of(item)


def spellings(value: str | int) -> Iterator[Needle]:
    """Give the needles of a value; none for one that is too short."""
    if isinstance(value, int):
        yield from _spell(str(value))
        if abs(value) >= _WIDE:
            yield Needle(pack(value), str(value), "CBOR")
    elif len(value) <= LONG:
        yield from _spell(value)
    else:
        yield from _spell(value[:END])
        yield from _spell(value[-END:])


def _values(value: object) -> Iterator[str | int]:
    """Give the texts and integers in a value of a field."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _values(item)
    elif isinstance(value, list):
        for item in value:
            yield from _values(item)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield value


def _spell(text: str) -> Iterator[Needle]:
    data = text.encode()
    if len(data) < LEAST:
        return
    yield Needle(data, text, "UTF-8")
    yield Needle(text.encode("utf-16-le"), text, "UTF-16, little end first")
    yield Needle(text.encode("utf-16-be"), text, "UTF-16, big end first")
    yield Needle(json.dumps(text)[1:-1].encode(), text, "JSON")
    yield Needle(data.hex().encode(), text, "hex")
    yield Needle(data.hex().upper().encode(), text, "hex in capitals")
    for ahead, cut in _ALIGNMENTS:
        whole = b64encode(ahead + data).rstrip(b"=")
        # The outer characters hold bits of what stands around the value.
        spelled = whole[cut : len(whole) - bool((len(ahead) + len(data)) % 3)]
        how = f"{len(ahead)} bytes off"
        yield Needle(spelled, text, f"base64, {how}")
        yield Needle(spelled.translate(_TO_URL), text, f"base64 for URLs, {how}")
