"""Disclosures of `ev1`, made and checked word by word after docs/formats.md.

A refusal has a reason: `malformed` (the bytes), `commitment` (another event or leaf),
`place` (a name where it may not stand), `order` (free names that do not ascend),
`second` (two values for one name), `names` (a list of names that does not fit), `shape`
(a value that none has), `targets` (a target without the list that announces it).
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tests.reference import dcbor, ev1
from tests.reference.ev1_layout import EXTRA_ROOTS

GROUP_0 = (
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
CORE = {*GROUP_0, "actor", "target"}


class RefusedError(Exception):
    """A disclosure that proves nothing."""

    def __init__(self, reason: str, why: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {why}")


@dataclass(frozen=True)
class Shown:
    """One field that was shown."""

    group: int
    slot: int
    name: str
    value: Any


def disclose(
    groups: list[ev1.Group],
    seeds: list[bytes],
    *,
    fields: Collection[tuple[int, int]],
    names: Collection[int] = (),
) -> bytes:
    """Show the fields at (group, slot), and the names of some groups."""
    parts: list[object] = []
    for number, (group, seed) in enumerate(zip(groups, seeds, strict=True)):
        wanted = {slot for place, slot in fields if place == number}
        slots = ev1.slot_digests(group, seed, number)
        if not wanted and number not in names:
            parts.append(ev1.group_digest(slots))
            continue
        salts, _ = ev1.salt_and_decoys(seed, number, len(group))
        shown: list[object] = list(slots)
        for slot in wanted | ({1} if number in names else set()):
            shown[slot] = [salts[slot], *group[slot]]
        listed = [name for name, _ in group] if number in names else None
        parts.append([shown, listed])
    return dcbor.encode(parts)


def check(data: bytes, leaf: bytes) -> list[Shown]:
    """Give what a disclosure shows of the event in a leaf, or say why it shows none."""
    groups = read(data)
    if ev1.commitment(map(group_of, groups)) != leaf_parts(leaf)[1]:
        raise RefusedError("commitment", "not the event of this leaf")
    shown: list[Shown] = []
    for number, group in enumerate(groups):
        if isinstance(group, bytes):
            continue
        found = [
            Shown(number, slot, item[1], item[2])
            for slot, item in enumerate(group[0])
            if isinstance(item, list)
        ]
        _check_order([(one.slot, one.name) for one in found], number)
        if group[1] is not None:
            _check_names(found, group[1], number, len(group[0]))
        shown += found
    once = [one.name for one in shown if one.name not in ("names", "target")]
    if len(once) != len(set(once)):
        raise RefusedError("second", "a name twice")
    listed = [
        name
        for group in groups
        if not isinstance(group, bytes)
        for name in group[1] or []
    ]
    free = [name for name in [*once, *listed] if name not in CORE]
    if any(one.startswith(f"{above}/") for one in free for above in free):
        raise RefusedError("second", "a name below another")
    for one in shown:
        if not _has_shape(one.name, one.value):
            raise RefusedError("shape", one.name)
    _check_targets(shown, len(groups))
    return shown


def is_single(data: bytes) -> bool:
    """Whether every group but the first lists its names, and no free name is in two."""
    free: list[str] = []
    for group in read(data)[1:]:
        if isinstance(group, bytes) or group[1] is None:
            return False
        free += group[1][2:]
    return len(free) == len(set(free))


def leaf_parts(leaf: bytes) -> tuple[int, bytes, bytes]:
    """The time, the commitment and the index digest of an event's leaf."""
    try:
        value = dcbor.decode(leaf[1:])
    except dcbor.NotDeterministicError as error:
        raise RefusedError("malformed", "the leaf") from error
    if len(leaf) != 80 or leaf[0] != 1 or len(value) != 4 or value[0] != 0:
        raise RefusedError("malformed", "the leaf")
    _, time_ms, committed, index = value
    if not isinstance(time_ms, int) or not 2**32 <= time_ms < 2**53:
        raise RefusedError("malformed", "the leaf's time")
    if len(committed) != 32 or len(index) != 32:
        raise RefusedError("malformed", "the leaf's digests")
    return time_ms, committed, index


Read = tuple[list[Any], list[str] | None]
"""A group of which something is shown: its slots, and the list of its names."""


def read(data: bytes) -> list[Read | bytes]:
    """The groups of a disclosure; an untouched one is its digest."""
    try:
        value = dcbor.decode(data)
    except dcbor.NotDeterministicError as error:
        raise RefusedError("malformed", "CBOR") from error
    if not isinstance(value, list) or not 2 <= len(value) <= 12:
        raise RefusedError("malformed", "the number of groups")
    return [_read_group(group) for group in value]


def _read_group(group: object) -> Read | bytes:
    if isinstance(group, bytes) and len(group) == 32:
        return group
    if not isinstance(group, list) or len(group) != 2:
        raise RefusedError("malformed", "a group")
    slots, names = group
    if not isinstance(slots, list) or len(slots) % 4 or not 4 <= len(slots) <= 80:
        raise RefusedError("malformed", "the slots")
    for slot in slots:
        if isinstance(slot, bytes) and len(slot) == 32:
            continue
        if not isinstance(slot, list) or len(slot) != 3:
            raise RefusedError("malformed", "a slot")
        salt, name, _ = slot
        if not isinstance(salt, bytes) or len(salt) != 16 or not isinstance(name, str):
            raise RefusedError("malformed", "a field")
    if names is not None and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        raise RefusedError("malformed", "the names")
    return slots, names


def group_of(group: Read | bytes) -> bytes:
    """The digest of a group, as far as it is shown."""
    if isinstance(group, bytes):
        return group
    return ev1.group_digest(
        slot if isinstance(slot, bytes) else ev1.field_digest(*slot)
        for slot in group[0]
    )


def place_of(group: int, slot: int) -> str | None:
    """The core name of a slot; "" where no field may stand, None for free ones."""
    if group == 0:
        return GROUP_0[slot] if slot < len(GROUP_0) else ""
    if slot == 0:
        return "actor" if group == 1 else "target"
    return "names" if slot == 1 else None


def _check_order(placed: list[tuple[int, str]], group: int) -> None:
    """Core names at their places and nowhere else, and free names that ascend."""
    free = []
    for slot, name in placed:
        expected = place_of(group, slot)
        if expected == "" or (expected is not None and name != expected):
            raise RefusedError("place", f"{name} at slot {slot} of group {group}")
        if expected is None:
            if not _is_free(name):
                raise RefusedError("place", f"{name} is no free name")
            free.append(dcbor.encode(name))
    if free != sorted(set(free)):
        raise RefusedError("order", "free names")


def _is_free(name: str) -> bool:
    if name in [f"targets/{at}" for at in range(10)]:
        return True
    root, *rest = name.split("/")
    escapes = re.findall("~.?", name, re.DOTALL)
    if root not in EXTRA_ROOTS or len(rest) > 3 or not set(escapes) <= {"~0", "~1"}:
        return False
    parts = [part.replace("~1", "/").replace("~0", "~") for part in rest]
    return all(_is_plain(part, 128) for part in parts)


def _is_plain(text: str, most: int) -> bool:
    """Whether a text may be a part of a name, or an id."""
    codes = [ord(one) for one in text]
    if not 1 <= len(codes) <= most or unicodedata.normalize("NFC", text) != text:
        return False
    return not any(low <= code <= high for code in codes for low, high in _UNSEEN)


def _is_value(value: Any, levels: int = 11) -> bool:  # noqa: ANN401 -- whatever was shown
    """Whether a value may stand in a free field."""
    if type(value) is int:
        return -(2**63) <= value <= 2**64 - 1
    if type(value) is list:
        return levels > 0 and all(_is_value(one, levels - 1) for one in value)
    if type(value) is dict:
        return levels > 0 and all(
            _is_plain(name, 128) and _is_value(one, levels - 1)
            for name, one in value.items()
        )
    return value is None or type(value) in (str, bool)


def _check_names(shown: list[Shown], names: list[str], group: int, slots: int) -> None:
    if [one.value for one in shown if one.slot == 1] != [ev1.names_digest(names)]:
        raise RefusedError("names", "another list than was committed")
    if len(names) < (11 if group == 0 else 2) or -(-len(names) // 4) * 4 != slots:
        raise RefusedError("names", "another number of slots")
    try:
        _check_order(list(enumerate(names)), group)
    except RefusedError as error:
        raise RefusedError("names", "a list that no event has") from error
    for one in shown:
        if one.slot >= len(names) or names[one.slot] != one.name:
            raise RefusedError("names", f"{one.name} is not where it is listed")


def _check_targets(shown: list[Shown], groups: int) -> None:
    announced: list[Any] = [one.value for one in shown if one.name == "targets"]
    targets = announced[0] if announced else []
    named = {entry[1] for entry in targets}
    types = {
        one.group: one.value[0] for one in shown if one.name in ("actor", "target")
    }
    if any(types.get(group, kind) != kind for kind, group in targets):
        raise RefusedError("targets", "another type")
    for one in shown:
        if one.name == "target" and one.group not in named:
            raise RefusedError("targets", f"group {one.group} is not announced")
        if one.name.startswith("targets/"):
            things = [
                f"targets/{at}" for at, entry in enumerate(targets) if not entry[1]
            ]
            if one.group != 1 or one.name not in things:
                raise RefusedError("targets", f"{one.name} is not announced")
    if announced and not named - {0, 1} == set(range(2, groups)):
        raise RefusedError("targets", "other groups than there are")


def _has_shape(name: str, value: Any) -> bool:  # noqa: ANN401 -- whatever was shown
    if name.startswith("targets/"):
        return type(value) is str and _is_plain(value, 256)
    if name in ("actor", "target"):
        return _kinds(value) == "str str" and _is_plain(value[1], 256)
    if name not in CORE:
        is_split = type(value) is dict and value and name.count("/") < 3
        return not is_split and _is_value(value)
    if name == "targets":
        return (
            type(value) is list
            and len(value) <= 10
            and all(_kinds(one) == "str int" and one[1] >= 0 for one in value)
        )
    if name in ("event_id", "corrects"):
        is_missing = name == "corrects" and value is None
        return is_missing or (type(value) is str and bool(_ID.fullmatch(value)))
    if name == "names":
        return type(value) is bytes and len(value) == 32
    if name == "outcome":
        results = ("success", "failure", "denied")
        is_pair = _kinds(value) in ("str str", "str NoneType")
        return is_pair and value[0] in results
    if name == "occurred_at":
        return type(value) is int and 0 <= value <= 253402300799999
    return _kinds(value) in _KINDS[name]


def _kinds(value: object) -> str:
    """The types of the items of a list; of anything else its own."""
    if type(value) is list:
        return " ".join(type(item).__name__ for item in value)
    return f"a {type(value).__name__}"


_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII
)
_KINDS = {
    "tenant": ("a str",),
    "action": ("a str",),
    "schema": ("str int", "a NoneType"),
    "producer": ("str str int int",),
    "region": ("a str", "a NoneType"),
}
_UNSEEN = [
    (0x0, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x600, 0x605), (0x61C, 0x61C),
    (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891), (0x8E2, 0x8E2), (0x180E, 0x180E),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064), (0x2066, 0x206F),
    (0xD800, 0xDFFF), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0x110BD, 0x110BD),
    (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),
    (0xE0001, 0xE0001), (0xE0020, 0xE007F),
]  # fmt: skip
"""Control characters, surrogates, and format characters as of Unicode 15."""
