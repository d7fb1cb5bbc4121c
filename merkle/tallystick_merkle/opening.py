"""What the submitter of an event is given beside its receipt, and keeps secret (D15).

    seeds        16 bytes a group: with them, and the event, every salt
    index_entry  the tags of the event, as CBOR
    tenant, service, schema, places    what the log added before it sealed the event

Whoever has the event and its opening can derive the leaf again, and so disclose fields
when the log has erased them.  Without the event an opening shows no value, but it lets
guesses be tried: it is never put where the receipt goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tallystick_merkle import canonical
from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.event import MAX_FIELDS, MAX_TARGETS, Event
from tallystick_merkle.layout import MAX_GROUPS, Layout, lay_out
from tallystick_merkle.leaf import EventLeaf
from tallystick_merkle.sealing import SEED_SIZE, OpenedGroup, commitment
from tallystick_merkle.tags import index_digest, parse_index_entry

_HEX = re.compile(r"(?:[0-9a-f]{2})+", re.ASCII)
_MEMBERS = {"seeds", "index_entry", "tenant", "service", "schema", "places"}


@dataclass(frozen=True, slots=True)
class Opening:
    """The opening of one event, see the module."""

    seeds: tuple[bytes, ...] = field(repr=False)
    index_entry: bytes = field(repr=False)
    tenant: str
    service: str
    schema: tuple[str, int] | None
    places: Mapping[str, int]


def format_opening(opening: Opening) -> dict[str, Any]:
    """Give the JSON shape of an opening."""
    schema = opening.schema
    return {
        "seeds": [seed.hex() for seed in opening.seeds],
        "index_entry": opening.index_entry.hex(),
        "tenant": opening.tenant,
        "service": opening.service,
        "schema": None if schema is None else {"id": schema[0], "version": schema[1]},
        "places": dict(opening.places),
    }


def parse_opening(value: object) -> Opening:
    """Read an opening from its JSON shape; raise MalformedError for anything else."""
    if not isinstance(value, dict) or set(value) != _MEMBERS:
        raise MalformedError("opening", f"expected the members {sorted(_MEMBERS)}")
    seeds, schema, places = value["seeds"], value["schema"], value["places"]
    if not isinstance(seeds, list) or not 2 <= len(seeds) <= MAX_GROUPS:
        raise MalformedError("opening", f"expected 2 to {MAX_GROUPS} seeds")
    if not isinstance(value["tenant"], str) or not isinstance(value["service"], str):
        raise MalformedError("opening", "expected texts", where="tenant, service")
    if schema is not None and not _is_schema(schema):
        raise MalformedError("opening", "expected id and version", where="schema")
    if not _are_places(places):
        raise MalformedError("opening", "expected names to targets", where="places")
    entry = _bytes(value["index_entry"], "index_entry")
    parse_index_entry(entry)
    return Opening(
        tuple(_seed(seed) for seed in seeds),
        entry,
        value["tenant"],
        value["service"],
        None if schema is None else (schema["id"], schema["version"]),
        places,
    )


def relay(event: Event, opening: Opening) -> Layout:
    """Lay an event out as the log did, with what the log had added to it.

    Raises ProofError where the event says another thing than the opening.
    """
    producer = event.producer
    if producer.service not in ("", opening.service):
        raise ProofError("the opening is of another producer")
    if event.schema is not None and event.schema != opening.schema:
        raise ProofError("the opening is of another schema")
    whole = replace(
        event,
        producer=producer._replace(service=opening.service),
        schema=opening.schema,
    )
    return lay_out(whole, tenant=opening.tenant, places=opening.places)


def check_opening(event: Event, opening: Opening, leaf: EventLeaf) -> Layout:
    """Check that a leaf is that of an event of ours; give its layout.

    Raises ProofError when the log has committed to something else.
    """
    layout = relay(event, opening)
    if commitment(layout, opening.seeds) != leaf.commitment:
        raise ProofError("the leaf commits to another event")
    if index_digest(opening.index_entry) != leaf.index_digest:
        raise ProofError("the leaf commits to another index entry")
    return layout


def open_layout(layout: Layout, opening: Opening) -> tuple[OpenedGroup, ...]:
    """Give the groups of a checked layout in the clear, to disclose fields of them."""
    groups = []
    for group, seed in zip(layout.groups, opening.seeds, strict=True):
        values = [canonical.decode(pair)[1] for pair in group.pairs]
        groups.append(OpenedGroup(seed, group.names, tuple(values), group.pairs))
    return tuple(groups)


def _is_schema(value: object) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"id", "version"}
        and isinstance(value["id"], str)
        and type(value["version"]) is int
    )


def _are_places(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MAX_FIELDS
        and all(
            isinstance(name, str) and type(index) is int and 0 <= index < MAX_TARGETS
            for name, index in value.items()
        )
    )


def _seed(value: object) -> bytes:
    seed = _bytes(value, "seeds")
    if len(seed) != SEED_SIZE:
        raise MalformedError("opening", f"expected {SEED_SIZE} bytes", where="seeds")
    return seed


def _bytes(value: object, where: str) -> bytes:
    if not isinstance(value, str) or len(value) > 1024 or _HEX.fullmatch(value) is None:
        raise MalformedError("opening", "expected hex", where=where)
    return bytes.fromhex(value)
