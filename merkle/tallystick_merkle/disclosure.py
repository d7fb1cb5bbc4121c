"""Show chosen fields of an event, and hide the rest (ev1 §6.5, §6.6).

A disclosure is the CBOR array of the event's groups, in order:

    group   G_j (32 bytes)              nothing of it is shown
            [[slot, …], names or null]  slots and decoys, a multiple of four
    slot    c_i (32 bytes)              hidden, or a decoy
            [salt (16), name, value]    shown
    names   [text, …]                   every name of the group, in slot order

Checking it needs the leaf and nothing else: the slots come to the G_j, these to the C
of the leaf.  Beyond that, so that one event cannot tell two stories (§6.3, D17):

- a core name stands at its place and nowhere else, and nothing else stands there;
- free names ascend within a group, and are such as events have; over all groups no
  name is shown twice, and none that is shown or listed lies below another;
- where a group's names are shown they are the committed ones, each once, and each field
  shown is at its own place among them: no other value of that name is there;
- the id of a target is shown only with `targets`, which says where it belongs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tallystick_merkle import canonical
from tallystick_merkle.disclosedcore import check_core
from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.event import MAX_EVENT, is_free_name
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.layout import (
    CORE,
    MAX_GROUPS,
    NAMES,
    RESERVED,
    TARGET,
    THING,
    core_name,
    is_thing,
    names_digest,
)
from tallystick_merkle.leaf import EventLeaf
from tallystick_merkle.sealing import (
    MAX_SLOTS,
    SALT_SIZE,
    OpenedGroup,
    commit_event,
    group_digest,
    open_stream,
    slot_digest,
)

MAX_DISCLOSURE = 2 * MAX_EVENT + 40 * 1024
"""Longest disclosure, in bytes: all fields, and their names once more."""

_STEP = 4


class Shown(NamedTuple):
    """A slot that is shown: its salt, its name, its value."""

    salt: bytes
    name: str
    value: Any


Slot = Shown | bytes
"""A slot of a group: shown, or its digest."""


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """A group of which something is shown. `names` is None where they are hidden."""

    slots: tuple[Slot, ...]
    names: tuple[str, ...] | None


Disclosure = tuple[ShownGroup | bytes, ...]
"""The groups of an event: of some something is shown, of others only G_j."""


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What a checked disclosure shows.

    `groups` gives the shown values of each group by name, None for one that shows
    nothing.  `hidden` counts slots and decoys that are not shown, where a group shows
    anything.  `is_single` says that no second value of any shown name can be in the
    event: every group but the first showed its names.
    """

    time_ms: int
    groups: tuple[Mapping[str, Any] | None, ...] = field(repr=False)
    hidden: int
    is_single: bool

    @property
    def fields(self) -> dict[str, Any]:
        """All shown values but `names`, by name; persons' ids by `target` and group."""
        found: dict[str, Any] = {}
        for number, group in enumerate(self.groups):
            for name, value in (group or {}).items():
                if name != NAMES:
                    found[f"{TARGET}:{number}" if name == TARGET else name] = value
        return found


def disclose(
    groups: Sequence[OpenedGroup | bytes],
    wanted: Collection[str],
    *,
    show_names: bool = True,
    all_names: bool = False,
) -> Disclosure:
    """Show the fields of these names, of an event whose groups are open or digests.

    A name of a free field shows everything below it too ("details" all of the
    details); "targets" shows the ids of all targets that can be read.  `show_names`
    shows the names of every group that free fields are shown of; `all_names` those of
    every group but the first that is open, so that the disclosure is single though it
    shows of one person only.  Raises ProofError naming what is not there, or cannot be
    read.
    """
    missing = {name for name in wanted if name != "targets"}
    if isinstance(groups[0], bytes) and ("targets" in wanted or _needs_targets(wanted)):
        raise ProofError("targets cannot be read, and no target is shown without")
    shown: list[ShownGroup | bytes] = []
    for number, group in enumerate(groups):
        if isinstance(group, bytes):
            shown.append(group)
            continue
        chosen = _choose(group, number, wanted)
        missing -= {
            name for name in wanted if any(_is_below(one, name) for one in chosen)
        }
        lists = number > 0 and (all_names or (show_names and bool(chosen)))
        shown.append(
            _show(group, number, chosen, show_names=lists)
            if chosen or lists
            else _digest_of(group, number)
        )
    if missing:
        raise ProofError(f"no field to show: {', '.join(sorted(missing))}")
    return tuple(shown)


def format_disclosure(disclosure: Disclosure) -> bytes:
    """Write a disclosure."""
    return canonical.pack(tell(disclosure))


def tell(disclosure: Disclosure) -> list[Any]:
    """Give a disclosure as the value that is encoded."""
    return [
        group
        if isinstance(group, bytes)
        else [
            [slot if isinstance(slot, bytes) else list(slot) for slot in group.slots],
            None if group.names is None else list(group.names),
        ]
        for group in disclosure
    ]


def parse_disclosure(data: bytes) -> Disclosure:
    """Read a disclosure; raise MalformedError for what none looks like."""
    return read(canonical.decode(data, most=MAX_DISCLOSURE))


def read(value: object) -> Disclosure:
    """Read a disclosure from its decoded value."""
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_GROUPS:
        raise MalformedError("disclosure", f"expected 2 to {MAX_GROUPS} groups")
    return tuple(_read_group(group, number) for number, group in enumerate(value))


def check_disclosure(disclosure: Disclosure, leaf: EventLeaf) -> Disclosed:
    """Check a disclosure against the leaf of its event; give what it shows.

    Raises ProofError for one that is not of this leaf, or breaks a rule of the module.
    """
    digests = [
        group if isinstance(group, bytes) else _commit(group) for group in disclosure
    ]
    if commit_event(digests) != leaf.commitment:
        raise ProofError("the disclosure is not of this leaf")
    shown: list[Mapping[str, Any] | None] = []
    seen: set[str] = set()
    known: set[str] = set()
    hidden = 0
    for number, group in enumerate(disclosure):
        if isinstance(group, bytes):
            shown.append(None)
            continue
        shown.append(_check_group(group, number, seen))
        known.update(group.names or ())
        hidden += sum(isinstance(slot, bytes) for slot in group.slots)
    _check_tree((known | seen) - RESERVED)
    check_core(shown)
    return Disclosed(leaf.time_ms, tuple(shown), hidden, _is_single(disclosure))


def _choose(group: OpenedGroup, number: int, wanted: Collection[str]) -> list[str]:
    """Choose the names of a group that are wanted."""
    chosen = []
    for name in group.names:
        is_person = name == TARGET and "targets" in wanted
        if is_person or any(_is_below(name, one) for one in wanted):
            chosen.append(name)
    if number == 0 and _needs_targets(wanted) and "targets" not in chosen:
        chosen.append("targets")
    return chosen


def _needs_targets(wanted: Collection[str]) -> bool:
    """Whether what is wanted can only be believed with `targets` beside it."""
    return any(name == TARGET or name.startswith(THING) for name in wanted)


def _is_below(name: str, wanted: str) -> bool:
    """Whether a name is the wanted one, or lies below it."""
    if name == NAMES:
        return False
    return name == wanted or name.startswith(f"{wanted}/")


def _show(
    group: OpenedGroup, number: int, chosen: Collection[str], *, show_names: bool
) -> ShownGroup:
    """Show the chosen slots of an opened group."""
    salts, decoys = open_stream(group.seed, number, len(group.pairs))
    slots: list[Slot] = []
    for salt, name, value, pair in zip(
        salts, group.names, group.values, group.pairs, strict=True
    ):
        if name in chosen or (show_names and name == NAMES):
            slots.append(Shown(salt, name, value))
        else:
            slots.append(slot_digest(salt, pair))
    slots += [decoys[at : at + HASH_SIZE] for at in range(0, len(decoys), HASH_SIZE)]
    return ShownGroup(tuple(slots), group.names if show_names else None)


def _digest_of(group: OpenedGroup, number: int) -> bytes:
    return _commit(_show(group, number, (), show_names=False))


def _commit(group: ShownGroup) -> bytes:
    """Commit to a group as it is shown: G_j."""
    return group_digest(
        b"".join(
            slot
            if isinstance(slot, bytes)
            else slot_digest(slot.salt, canonical.pack([slot.name, slot.value]))
            for slot in group.slots
        )
    )


def _check_group(group: ShownGroup, number: int, seen: set[str]) -> dict[str, Any]:
    """Check the names that a group shows, and where they stand."""
    shown: dict[str, Any] = {}
    last = b""
    for place, slot in enumerate(group.slots):
        if isinstance(slot, bytes):
            continue
        name, expected = slot.name, core_name(number, place)
        where = f"group {number}, slot {place}"
        if expected == "" or (expected is not None and name != expected):
            raise ProofError(f"{where}: {name[:80]!r} stands where a core name belongs")
        if expected is None:
            last = _check_free(name, last, where)
        if name in shown or (name in seen and name not in (NAMES, TARGET)):
            raise ProofError(f"{where}: a second value for {name[:80]!r}")
        shown[name] = slot.value
        seen.add(name)
    if group.names is not None:
        _check_names(group, number, shown)
    return shown


def _check_free(name: str, last: bytes, where: str) -> bytes:
    """Check a free name; give its encoding, that the next one has to be above."""
    if not (is_thing(name) if name.startswith(THING) else is_free_name(name)):
        raise ProofError(f"{where}: {name[:80]!r} is no free name")
    key = canonical.pack_text(name)
    if key <= last:
        raise ProofError(f"{where}: {name[:80]!r} does not ascend")
    return key


def _check_tree(names: Collection[str]) -> None:
    """Check that no name lies below another: nothing is a value and a map at once."""
    for name in names:
        above = name
        while above := above.rpartition("/")[0]:
            if above in names:
                raise ProofError(f"{name[:80]!r}: a second value, below {above[:80]!r}")


def _check_names(group: ShownGroup, number: int, shown: Mapping[str, Any]) -> None:
    """Check the list of a group's names against its digest and what is shown."""
    names, where = group.names or (), f"group {number}"
    if shown.get(NAMES) != names_digest(names):
        raise ProofError(f"{where}: the names are not the committed ones")
    slots = len(group.slots)
    if slots != len(names) + -len(names) % _STEP:
        raise ProofError(f"{where}: {len(names)} names for {slots} slots")
    fixed = len(CORE) if number == 0 else 2
    core = [core_name(number, place) for place in range(fixed)]
    if list(names[:fixed]) != core or (number == 0 and len(names) > fixed):
        raise ProofError(f"{where}: the names are not the core names and free ones")
    last = b""
    for name in names[fixed:]:
        last = _check_free(name, last, f"{where}, names")
    for place, slot in enumerate(group.slots):
        if not isinstance(slot, bytes) and (
            place >= len(names) or slot.name != names[place]
        ):
            raise ProofError(f"{where}: {slot.name[:80]!r} is not at its place")


def _is_single(disclosure: Disclosure) -> bool:
    """Whether every group but the first showed its names, and no name is in two."""
    free: list[str] = []
    for group in disclosure[1:]:
        if isinstance(group, bytes) or group.names is None:
            return False
        free += group.names[2:]
    return len(free) == len(set(free))


def _read_group(value: object, number: int) -> ShownGroup | bytes:
    where = f"group {number}"
    if isinstance(value, bytes):
        return _read_digest(value, where)
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], list)):
        raise MalformedError("disclosure", "expected [slots, names]", where=where)
    slots, names = value
    if not 1 <= len(slots) <= MAX_SLOTS or len(slots) % _STEP:
        raise MalformedError(
            "disclosure", f"expected 4 to {MAX_SLOTS} slots, by fours", where=where
        )
    if names is not None and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        raise MalformedError("disclosure", "expected a list of names", where=where)
    return ShownGroup(
        tuple(_read_slot(slot, where) for slot in slots),
        None if names is None else tuple(names),
    )


def _read_slot(value: object, where: str) -> Slot:
    if isinstance(value, bytes):
        return _read_digest(value, where)
    if not (isinstance(value, list) and len(value) == 3):
        raise MalformedError("disclosure", "expected [salt, name, value]", where=where)
    salt, name, content = value
    if not isinstance(salt, bytes) or len(salt) != SALT_SIZE:
        raise MalformedError("disclosure", "expected a salt of 16 bytes", where=where)
    if not isinstance(name, str):
        raise MalformedError("disclosure", "expected a name", where=where)
    return Shown(salt, name, content)


def _read_digest(value: bytes, where: str) -> bytes:
    if len(value) != HASH_SIZE:
        raise MalformedError("disclosure", "expected 32 bytes", where=where)
    return value
