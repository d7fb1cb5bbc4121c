"""Seal events: laid out, committed to and encrypted, ready for the writer (D13).

    event, rules of its schema  →  prepare  →  Prepared: layout, names of its keys
    Prepared, keys, noise       →  seal_event  →  Sealing: what the log takes, and the
                                                  seeds, that open it (D15)

Pure: keys and random bytes come in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from tallystick_merkle.event import Event, id_bytes
from tallystick_merkle.layout import Layout, lay_out
from tallystick_merkle.opening import Opening
from tallystick_merkle.sealing import IV_SIZE, SEED_SIZE, seal
from tallystick_merkle.tags import make_blind, order_tags
from tallystick_server.ingest.keys import ReadyKey
from tallystick_server.ingest.names import EventNames, name_event
from tallystick_server.log.events import SealedEvent, index_entry_of

NOISE = SEED_SIZE + IV_SIZE
"""Random bytes that each group of an event needs."""

_NOWHERE: Mapping[str, int] = {}


class Prepared(NamedTuple):
    """An event laid out, and the names of the keys that it needs.

    `places` names each field that another than the actor owns, and no other: the same
    as can be read from the record, so that a repeat is answered as the first one was.
    """

    event: Event
    tenant: str
    layout: Layout
    names: EventNames
    places: Mapping[str, int]

    @property
    def noise(self) -> int:
        """Random bytes that sealing it needs."""
        return NOISE * len(self.layout.groups)

    def key_names(self) -> list[bytes]:
        """All names of keys that it needs; some may come twice."""
        return [*self.names.groups, *[name for _, name in self.names.tags]]


class Sealing(NamedTuple):
    """A sealed event, and the seeds of its groups, joined: secret."""

    sealed: SealedEvent
    seeds: bytes

    def __repr__(self) -> str:
        """Show no seed."""
        return f"Sealing(event_id={self.sealed.event_id.hex()})"


def prepare(
    event: Event,
    *,
    tenant: str,
    month: str,
    places: Mapping[str, int] = _NOWHERE,
    indexed: Collection[str] = (),
) -> Prepared:
    """Lay an event out. `places` and `indexed` are the rules of its schema."""
    layout = lay_out(event, tenant=tenant, places=places)
    names = name_event(event, layout, tenant=tenant, month=month, indexed=indexed)
    placed = _placed(event, layout) if places else _NOWHERE
    return Prepared(event, tenant, layout, names, placed)


def seal_event(
    prepared: Prepared, keys: Mapping[bytes, ReadyKey], noise: bytes
) -> Sealing:
    """Seal a prepared event with `prepared.noise` fresh random bytes."""
    event, _, layout, names, _ = prepared
    end = len(noise)
    split = SEED_SIZE * len(layout.groups)
    seeds = [noise[at : at + SEED_SIZE] for at in range(0, split, SEED_SIZE)]
    ivs = [noise[at : at + IV_SIZE] for at in range(split, end, IV_SIZE)]
    groups = [keys[name].group for name in names.groups]
    commitment, record = seal(layout, groups, seeds, ivs)
    tags = order_tags([keys[name].tag(dimension) for dimension, name in names.tags])
    sealed = SealedEvent(
        id_bytes(event.event_id), commitment, tags, record, make_blind(seeds[0])
    )
    return Sealing(sealed, noise[:split])


def opening_of(prepared: Prepared, done: Sealing) -> Opening:
    """Give what the submitter of an event gets, and nobody else."""
    event, sealed, seeds = prepared.event, done.sealed, done.seeds
    return Opening(
        tuple([seeds[at : at + SEED_SIZE] for at in range(0, len(seeds), SEED_SIZE)]),
        index_entry_of(sealed.tags, sealed.blind),
        prepared.tenant,
        event.producer.service,
        event.schema,
        prepared.places,
    )


def _placed(event: Event, layout: Layout) -> dict[str, int]:
    """Name the fields in the groups from 2 on, each with the target it belongs to."""
    found: dict[str, int] = {}
    for person, group in zip(layout.persons, layout.groups[2:], strict=True):
        index = event.targets.index(person)
        found.update(dict.fromkeys(group.names[2:], index))
    return found
