"""The work on a batch that needs no log: decode, apply schemas, lay out, seal.

    bytes of events → open_batch    → Batch: what is sealed, what was refused, and what
                                      waits for keys that nobody had yet
    Batch, keys     → finish_batch  → a SealedItem for each that goes on

It is the same work whether the server does it itself or a process beside it (see
`sealers`), and it is most of the work: so what comes out is flat and small, and is all
that the log and the submitter need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import Struct

from tallystick_merkle.event import Event, Producer, Ref, id_bytes
from tallystick_merkle.opening import Opening
from tallystick_merkle.sealing import SEED_SIZE
from tallystick_merkle.tags import TAG_SIZE, make_blind
from tallystick_server.errors import EventError
from tallystick_server.ingest.decoding import decode_item
from tallystick_server.ingest.keys import KeyMemory, ReadyKey
from tallystick_server.ingest.rules import Rules
from tallystick_server.ingest.sealer import Prepared, prepare, seal_event
from tallystick_server.ingest.streams import heartbeat_of
from tallystick_server.log.events import SealedEvent, index_entry_of

STRETCH = 128
"""Events that go through each step together."""

_NOBODY = Ref("", "")


@dataclass(frozen=True, slots=True)
class Work:
    """A batch to be worked on: the bytes of its events, and of whom and where."""

    raws: Sequence[bytes]
    is_cbor: bool
    service: str
    tenant: str
    month: str


class RefusedItem(Struct, array_like=True, frozen=True, gc=False):
    """An event of a batch that was refused: what was wrong, and where.

    Its id is there where it could be decoded: then a schema has refused it, and it may
    be the repeat of one that was taken before the schema was there.
    """

    position: int
    detail: str
    pointer: str
    event_id: str


class Unsealed(NamedTuple):
    """An event that waits for keys: its position, what it needs, and what is here."""

    position: int
    prepared: Prepared
    warning: str
    keys: dict[bytes, ReadyKey]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was opened: what is sealed, what waits for keys, what was refused.

    `missing` are the names of the keys that are waited for.
    """

    items: list[SealedItem]
    waiting: list[Unsealed]
    refused: list[RefusedItem]
    missing: set[bytes]


class SealedItem(Struct, array_like=True, frozen=True, gc=False):
    """A sealed event, flat: what the log takes, the submitter gets, followers see."""

    position: int
    event_id: str
    commitment: bytes
    tags: bytes
    groups: bytes
    seeds: bytes
    schema: tuple[str, int] | None
    places: dict[str, int]
    warning: str
    action: str
    instance: str
    epoch: int
    sequence: int
    occurred_ms: int
    heartbeat_s: int | None
    outcome: str
    code: str | None


def open_batch(
    work: Work, rules: Rules, memory: KeyMemory, draw: Callable[[int], bytes]
) -> Batch:
    """Decode a batch, apply the rules, and seal whatever all keys are here for.

    A stretch of events goes through one step, then through the next: the processor
    has each step's program at hand then, and the events of the stretch too.
    """
    batch = Batch([], [], [], set())
    for start in range(0, len(work.raws), STRETCH):
        ready: list[Unsealed] = []
        for one in _prepare(work, rules, batch, _decode(work, batch, start)):
            names = one.prepared.key_names()
            one.keys.update(memory.known(names))
            missing = [name for name in names if name not in one.keys]
            if missing:
                batch.waiting.append(one)
                batch.missing.update(missing)
            else:
                ready.append(one)
        batch.items.extend([_seal(one, draw) for one in ready])
    return batch


def _decode(work: Work, batch: Batch, start: int) -> list[tuple[int, Event]]:
    """Decode a stretch of a batch."""
    events: list[tuple[int, Event]] = []
    for position, raw in enumerate(work.raws[start : start + STRETCH], start):
        try:
            event = decode_item(raw, is_cbor=work.is_cbor, service=work.service)
        except EventError as error:  # not kept: it holds all that led to it
            refused = RefusedItem(position, error.detail, error.pointer, "")
            batch.refused.append(refused)
        else:
            events.append((position, event))
    return events


def _prepare(
    work: Work, rules: Rules, batch: Batch, events: list[tuple[int, Event]]
) -> list[Unsealed]:
    """Apply the rules to a stretch of a batch, and lay it out."""
    stretch: list[Unsealed] = []
    for position, event in events:
        try:
            admitted = rules.admit(event)
        except EventError as error:
            refused = RefusedItem(position, error.detail, error.pointer, event.event_id)
            batch.refused.append(refused)
            continue
        prepared = prepare(
            admitted.event,
            tenant=work.tenant,
            month=work.month,
            places=admitted.places,
            indexed=admitted.indexed,
        )
        stretch.append(Unsealed(position, prepared, admitted.warning, {}))
    return stretch


def finish_batch(
    batch: Batch, keys: Mapping[bytes, ReadyKey], draw: Callable[[int], bytes]
) -> list[SealedItem]:
    """Seal what has waited for `keys`; give all items in the order of the batch."""
    for one in batch.waiting:
        for name in one.prepared.key_names():
            if name not in one.keys:
                one.keys[name] = keys[name]
        batch.items.append(_seal(one, draw))
    batch.items.sort(key=lambda item: item.position)
    return batch.items


def _seal(one: Unsealed, draw: Callable[[int], bytes]) -> SealedItem:
    """Seal an event whose keys are all there; `draw` gives random bytes."""
    position, prepared, warning, keys = one
    sealed, seeds = seal_event(prepared, keys, draw(prepared.noise))
    event = prepared.event
    producer = event.producer
    return SealedItem(
        position,
        event.event_id,
        sealed.commitment,
        b"".join(sealed.tags),
        sealed.groups,
        seeds,
        event.schema,
        dict(prepared.places),
        warning,
        event.action,
        producer.instance,
        producer.epoch,
        producer.sequence,
        event.occurred_ms,
        heartbeat_of(event),
        event.outcome,
        event.code,
    )


def sealed_event(item: SealedItem) -> SealedEvent:
    """Give what the log takes."""
    return SealedEvent(
        id_bytes(item.event_id),
        item.commitment,
        _tags_of(item),
        item.groups,
        make_blind(item.seeds[:SEED_SIZE]),
    )


def _tags_of(item: SealedItem) -> tuple[bytes, ...]:
    tags = item.tags
    return tuple([tags[at : at + TAG_SIZE] for at in range(0, len(tags), TAG_SIZE)])


def item_opening(item: SealedItem, *, tenant: str, service: str) -> Opening:
    """Give what the submitter of an event of a batch gets, and nobody else."""
    seeds = item.seeds
    return Opening(
        tuple([seeds[at : at + SEED_SIZE] for at in range(0, len(seeds), SEED_SIZE)]),
        index_entry_of(_tags_of(item), make_blind(seeds[:SEED_SIZE])),
        tenant,
        service,
        item.schema,
        item.places,
    )


def outline_of(item: SealedItem, *, service: str) -> Event:
    """Give what followers of the log see of an event: who sent it, and when.

    Nothing of what it says of anybody is in it.
    """
    beat = item.heartbeat_s
    return Event(
        item.event_id,
        item.action,
        _NOBODY,
        (),
        item.occurred_ms,
        item.outcome,
        item.code,
        Producer(service, item.instance, item.epoch, item.sequence),
        item.schema,
        extra={} if beat is None else {"details": {"heartbeat_s": beat}},
    )
