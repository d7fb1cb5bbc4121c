"""Which field of an event goes where: groups by data subject, fixed places (D17).

    group 0    facts without a person: eleven fixed slots, see CORE
    group 1    the actor's: slot 0 actor, slot 1 names, then every free field
    group 2..  one for each further person among the targets, in order of first
               mention: slot 0 target, slot 1 names, then the fields that the event's
               schema gives to that person

`targets` in group 0 is the ordered list of [type, g].  Where g is 1 or more the target
is the person at slot 0 of group g (1: the actor himself); where it is 0 it is a thing,
whose id is the field `targets/i` of group 1.  `names` is SHA-256 of 0x24 and the CBOR
list of all names of the group in their order, so that a second value for a name can be
shown to be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from tallystick_merkle.canonical import pack, pack_bytes, pack_head, pack_text
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import (
    PERSON_TYPES,
    Event,
    Field,
    Target,
    make_field,
    unescape,
)
from tallystick_merkle.eventjson import format_time

CORE = (
    "event_id",
    "names",
    "tenant",
    "action",
    "outcome",
    "occurred_at",
    "schema",
    "producer",
    "targets",
    "region",
    "corrects",
)
"""Names of the slots of group 0, all of them always there."""

NAMES = "names"
"""Name of slot 1 of every group."""

ACTOR = "actor"
"""Name of slot 0 of group 1."""

TARGET = "target"
"""Name of slot 0 of the groups from 2 on."""

THING = "targets/"
"""What begins the name of the id of a target that is a thing."""

RESERVED = frozenset({*CORE, ACTOR, TARGET})
"""Names that have one place each."""

MAX_GROUPS = 12
"""Most groups: facts, the actor, and each of ten targets."""

_PREFIX = b"\x24"


class Group(NamedTuple):
    """The slots of one group in order: their names, and [name, value] encoded."""

    names: tuple[str, ...]
    pairs: tuple[bytes, ...]

    def __repr__(self) -> str:
        """Name the slots, and show no value."""
        return f"Group(names={self.names!r})"


class Layout(NamedTuple):
    """An event laid out. `persons` are the targets that have groups 2, 3 and so on."""

    event_id: str
    groups: tuple[Group, ...]
    persons: tuple[Target, ...]


def lay_out(
    event: Event, *, tenant: str, places: Mapping[str, int] | None = None
) -> Layout:
    """Lay an event out in the log of `tenant`.

    `places` maps a name of a field, or what a name begins with before a "/", to the
    index of the target to whom it belongs; a target that has no group of its own
    leaves it with the actor.
    """
    actor = event.actor
    persons: list[Target] = []
    listed: list[tuple[str, int]] = []
    free: list[Field] = list(event.fields)
    for index, target in enumerate(event.targets):
        if not target.person:
            listed.append((target.type, 0))
            free.append(make_field(f"{THING}{index}", target.id))
        elif target.id == actor.id and target.type == actor.type:
            listed.append((target.type, 1))
        else:
            if target not in persons:
                persons.append(target)
            listed.append((target.type, 2 + persons.index(target)))
    if len(free) != len(event.fields):
        free.sort()
    shares = _share(free, places, listed, len(persons)) if places else [free]
    groups = [
        _facts(event, tenant, listed),
        _group(ACTOR, actor.type, actor.id, shares[0]),
    ]
    for number, person in enumerate(persons, 1):
        own = shares[number] if places else []
        groups.append(_group(TARGET, person.type, person.id, own))
    return Layout(event.event_id, tuple(groups), tuple(persons))


def names_pair(names: tuple[str, ...]) -> bytes:
    """Give slot 1 of a group, [name, value] encoded, for all names in slot order."""
    return (_known_names if len(names) <= _FEW else _names_pair)(names)


def _names_pair(names: tuple[str, ...]) -> bytes:
    return _NAMES_HEAD + pack_bytes(names_digest(names))


_FEW = 24  # more are not remembered: somebody may make up thousands
_known_names = lru_cache(maxsize=1024)(_names_pair)


def names_digest(names: Sequence[str]) -> bytes:
    """Hash the list of all names of a group, in slot order."""
    return sha256(_PREFIX + pack(list(names))).digest()


def core_name(group: int, slot: int) -> str | None:
    """Give the name that a slot must have; None where free names go."""
    if group == 0:
        return CORE[slot] if slot < len(CORE) else ""
    if slot == 0:
        return ACTOR if group == 1 else TARGET
    return NAMES if slot == 1 else None


def is_thing(name: str) -> bool:
    """Whether a name is that of the id of a target: `targets/` and 0 to 9."""
    return _THING.fullmatch(name) is not None


def assemble(groups: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Give the JSON shape of what is known of an event, from its fields by group.

    None stands for a group that cannot be read: what is in it is left out.  The values
    must have come out of a record or a disclosure that was checked.
    """
    from_facts = dict(groups[0] or {}) if groups else {}
    body: dict[str, Any] = {
        name: from_facts[name]
        for name in ("event_id", "action", "region", "corrects")
        if from_facts.get(name) is not None
    }
    _assemble_core(from_facts, body)
    actor = (groups[1] or {}).get(ACTOR) if len(groups) > 1 else None
    if actor is not None:
        body["actor"] = {"type": actor[0], "id": actor[1]}
    if "targets" in from_facts:
        body["targets"] = [
            _assemble_target(number, one, groups)
            for number, one in enumerate(from_facts["targets"])
        ]
    for known in groups[1:]:
        for name, value in (known or {}).items():
            if name not in RESERVED and not name.startswith(THING):
                _put(body, name, value)
    return body


def _assemble_core(facts: Mapping[str, Any], body: dict[str, Any]) -> None:
    """Add the facts that are lists in the slots and objects outside."""
    for name, members in _OBJECTS.items():
        value = facts.get(name)
        if value is not None:
            pairs = zip(members, value, strict=True)
            body[name] = {key: item for key, item in pairs if item is not None}
    if "occurred_at" in facts:
        body["occurred_at"] = format_time(facts["occurred_at"])


def _assemble_target(
    number: int, one: Sequence[Any], groups: Sequence[Mapping[str, Any] | None]
) -> dict[str, Any]:
    """Give a target as far as its group can be read; without id where not."""
    kind, group = one
    known = (groups[group or 1] if (group or 1) < len(groups) else None) or {}
    if group:
        found = known.get(ACTOR if group == 1 else TARGET)
        return {"type": kind, **({"id": found[1]} if found else {}), "person": True}
    name = f"{THING}{number}"
    body = {"type": kind, **({"id": known[name]} if name in known else {})}
    return {**body, "person": False} if kind in PERSON_TYPES else body


def _put(body: dict[str, Any], name: str, value: object) -> None:
    """Put a flattened value back where it was."""
    *above, last = [unescape(part) for part in name.split("/")]
    for part in above:
        body = body.setdefault(part, {})
        if not isinstance(body, dict):
            raise MalformedError("event", "a value and a map", where=f"/{name}")
    if last in body:
        raise MalformedError("event", "a value and a map", where=f"/{name}")
    body[last] = value


def _facts(event: Event, tenant: str, listed: list[tuple[str, int]]) -> Group:
    """Lay out group 0."""
    producer, code = event.producer, event.code
    schema = event.schema
    return Group(
        CORE,
        (
            _HEADS[0] + b"\x78\x24" + event.event_id.encode(),
            _FACT_NAMES,
            _fact(2, tenant),
            _fact(3, event.action),
            _outcome(event.outcome, code),
            _HEADS[5] + pack_head(0, event.occurred_ms),
            _NO_SCHEMA if schema is None else _HEADS[6] + pack(list(schema)),
            _producer(producer.service, producer.instance, producer.epoch)
            + pack_head(0, producer.sequence),
            _targets(tuple(listed)),
            _fact(9, event.region),
            _fact(10, event.corrects),
        ),
    )


@lru_cache(maxsize=4096)
def _fact(slot: int, value: str | None) -> bytes:
    """Encode a slot of group 0 that holds one text, or nothing."""
    return _HEADS[slot] + pack(value)


@lru_cache(maxsize=4096)
def _outcome(result: str, code: str | None) -> bytes:
    return _HEADS[4] + pack([result, code])


@lru_cache(maxsize=4096)
def _targets(listed: tuple[tuple[str, int], ...]) -> bytes:
    return _HEADS[8] + pack(listed)


@lru_cache(maxsize=4096)
def _producer(service: str, instance: str, epoch: int) -> bytes:
    """Encode a producer up to its sequence number, which comes last."""
    parts = pack_text(service) + pack_text(instance) + pack_head(0, epoch)
    return _HEADS[7] + b"\x84" + parts


def _group(name: str, kind: str, subject: str, fields: list[Field]) -> Group:
    """Lay out the group of a person (or another actor)."""
    names = (name, NAMES, *[one.name for one in fields])
    head = _ACTOR_HEAD if name == ACTOR else _TARGET_HEAD
    first = head + b"\x82" + pack_text(kind) + pack_text(subject)
    return Group(names, (first, names_pair(names), *[one.pair for one in fields]))


def _share(
    free: list[Field],
    places: Mapping[str, int],
    listed: list[tuple[str, int]],
    persons: int,
) -> list[list[Field]]:
    """Give each field to the actor or to the person that the schema names."""
    shares: list[list[Field]] = [[] for _ in range(persons + 1)]
    for one in free:
        is_thing = one.name.startswith(THING)  # its id stays with the actor
        index = None if is_thing else _place_of(one.name, places)
        number = 1
        if index is not None and index < len(listed):
            number = max(1, listed[index][1])
        shares[number - 1].append(one)
    return shares


def _place_of(name: str, places: Mapping[str, int]) -> int | None:
    """Find the longest beginning of a name that has a place."""
    while name:
        if name in places:
            return places[name]
        name = name.rpartition("/")[0]
    return None


def _head(name: str) -> bytes:
    return b"\x82" + pack_text(name)


_OBJECTS = {
    "outcome": ("result", "code"),
    "schema": ("id", "version"),
    "producer": ("service", "instance", "epoch", "sequence"),
}
_THING = re.compile(THING + "[0-9]")
_HEADS = tuple(_head(name) for name in CORE)
_ACTOR_HEAD, _TARGET_HEAD, _NAMES_HEAD = _head(ACTOR), _head(TARGET), _head(NAMES)
_FACT_NAMES = names_pair(CORE)
_NO_SCHEMA = _HEADS[6] + pack(None)
