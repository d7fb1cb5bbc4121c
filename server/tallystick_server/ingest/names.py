"""What the keys of an event are called in the vault, and which tags it carries.

    [tenant, "facts", "2026-11/0"]      group 0 of a month's events, see `period_of`
    [tenant, "subject", type, id]       an actor's group, or a person's; and its tags
    [tenant, "thing", type, id]         tags of a target that is no person
    [tenant, "action", action]          tags of an action
    [tenant, "producer", service]       tags of a producer
    [tenant, "field", [name, value]]    tags of a field that its schema says to index
    [tenant, "dead-letters"]            the log's dead letters
    [tenant, "followed"]                the MAC of what follows the log, beside it

A name is the deterministic CBOR of its list.  One subject has one name, whether it
acted or was acted upon: with its one key everything of it is gone.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from tallystick_merkle.canonical import pack
from tallystick_merkle.event import Event
from tallystick_merkle.layout import Layout
from tallystick_merkle.tags import MAX_TAGS, Dimension

_HOUR_MS = 3_600_000
_PART_BITS = 24

Tagged = tuple[Dimension, bytes]
"""A tag to be: its dimension, and the name of the key that it is made with."""


class EventNames(NamedTuple):
    """The names of the keys of an event's groups, in order, and of its tags."""

    groups: tuple[bytes, ...]
    tags: tuple[Tagged, ...]


def name_event(
    event: Event,
    layout: Layout,
    *,
    tenant: str,
    month: str,
    indexed: Collection[str] = (),
) -> EventNames:
    """Name all keys of an event that is laid out; `indexed` are names of fields.

    `month` is as `period_of` gives it.  Raises ValueError for more tags than there can
    be: three, one of each target, and those of the fields that a schema may index.
    """
    actor = _name(tenant, "subject", event.actor.type, event.actor.id)
    persons = [
        _name(tenant, "subject", person.type, person.id) for person in layout.persons
    ]
    tags: list[Tagged] = [
        (Dimension.ACTOR, actor),
        (Dimension.ACTION, _name(tenant, "action", event.action)),
        (Dimension.PRODUCER, _name(tenant, "producer", event.producer.service)),
    ]
    for target in event.targets:
        kind = "subject" if target.person else "thing"
        tags.append((Dimension.TARGET, _name(tenant, kind, target.type, target.id)))
    if indexed:
        tags += [
            (Dimension.FIELD, _field_name(tenant, one.pair))
            for one in event.fields
            if one.name in indexed
        ]
    if len(tags) > MAX_TAGS:
        raise ValueError(f"expected at most {MAX_TAGS} tags, came {len(tags)}")
    return EventNames((_name(tenant, "facts", month), actor, *persons), tuple(tags))


def dead_letters_name(tenant: str) -> bytes:
    """Name the key of a log's dead letters."""
    return _name(tenant, "dead-letters")


def snapshot_name(tenant: str) -> bytes:
    """Name the key that a log's snapshot of its followers is authentic under."""
    return _name(tenant, "followed")


def period_of(time_ms: int, size: int) -> str:
    """Give the month of a time, and which part of a log of this size it is in.

    A key takes at most 2^30 messages under random nonces.  A part is 2^24 entries: the
    facts of 64 logs of a tenant may be in one month, and each still stays below.
    """
    return f"{month_of(time_ms // _HOUR_MS * _HOUR_MS)}/{size >> _PART_BITS}"


@lru_cache(maxsize=16)
def month_of(time_ms: int) -> str:
    """Give the UTC month of a time, such as 2026-11. To be asked with whole hours."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m")


def _name(tenant: str, kind: str, *parts: str) -> bytes:
    is_short = len(parts[-1]) <= _SHORT if parts else True
    return (_known_name if is_short else _pack_name)(tenant, kind, *parts)


def _pack_name(tenant: str, kind: str, *parts: str) -> bytes:
    return pack([tenant, kind, *parts])


_SHORT = 96  # longer ones are not remembered: somebody may make up thousands
_known_name = lru_cache(maxsize=16_384)(_pack_name)


def _field_name(tenant: str, pair: bytes) -> bytes:
    return b"\x83" + pack(tenant) + pack("field") + pair
