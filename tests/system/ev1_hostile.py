"""Disclosures that nobody would write, out of those that somebody did.

Structure is changed, and bits; the leaf is made for what comes out of it, as a log that
lies would have done, so that more than the commitment stands in the way.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.reference import dcbor, ev1
from tests.reference import ev1_disclosure as reference
from tests.vectors.ev1events import TIME_MS

Group = list[Any]

NAMES = (
    "event_id", "names", "tenant", "action", "outcome", "targets", "actor", "target",
    "targets/0", "targets/1", "targets/9", "targets/", "reason", "reason/x", "details",
    "details/a", "detail", "request/ip", "before/role", "after/role", "",
    "details/a/b/c", "details/e\u0301", "details/a\u200b", "details/", "reason/x~",
)  # fmt: skip

VALUES: tuple[object, ...] = (
    None, 0, 1, -1, 2**53, 2**64 - 1, True, "x", b"", bytes(32), [], {}, ["user", 2],
    [["user", 2]], [["user", 0], ["file", 0]], [["user", 1]],
    [["user", 2], ["user", 3]],
    ["success", None], ["user", "x"], "01980f3a-5c2e-7d41-9b6a-0123456789ab",
    {"a": 1}, [{"a\u200b": 1}], [b""], -(2**63), -(2**63) - 1, ["user", "x\u200b"],
)  # fmt: skip


def hostile(seed: str, good: list[bytes]) -> tuple[bytes, bytes]:
    """A disclosure and a leaf that commits to it where anything can."""
    rng = Random(seed)
    data = rng.choice(good)
    data = _bend(rng, data) if rng.random() < 0.7 else _flip(rng, data)
    return data, ev1.leaf(TIME_MS, _commitment(data), bytes(32))


def _commitment(data: bytes) -> bytes:
    try:
        return ev1.commitment(map(reference.group_of, reference.read(data)))
    except reference.RefusedError:
        return bytes(32)


def _flip(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _bend(rng: Random, data: bytes) -> bytes:
    try:
        groups = dcbor.decode(data)
    except dcbor.NotDeterministicError:
        return data
    if not isinstance(groups, list):
        return data
    for _ in range(rng.randint(1, 3)):
        shown = [at for at, group in enumerate(groups) if _is_shown(group)]
        if shown:
            rng.choice(_EDITS)(rng, groups, rng.choice(shown))
    return dcbor.encode(groups)


def _is_shown(group: object) -> bool:
    """Whether slots of a group can be edited."""
    return isinstance(group, list) and len(group) == 2 and isinstance(group[0], list)


def _shuffle(rng: Random, groups: Group, at: int) -> None:
    rng.shuffle(groups)


def _replace(rng: Random, groups: Group, at: int) -> None:
    slots = groups[at][0]
    field = [bytes(16), rng.choice(NAMES), rng.choice(VALUES)]
    if slots:
        slots[rng.randrange(len(slots))] = field


def _rename(rng: Random, groups: Group, at: int) -> None:
    fields = [slot for slot in groups[at][0] if isinstance(slot, list)]
    if fields and len(fields[0]) == 3:
        place = rng.choice((1, 2))
        fields[0][place] = rng.choice(NAMES if place == 1 else VALUES)


def _swap(rng: Random, groups: Group, at: int) -> None:
    slots = groups[at][0]
    if slots:
        one, two = rng.randrange(len(slots)), rng.randrange(len(slots))
        slots[one], slots[two] = slots[two], slots[one]


def _hide(rng: Random, groups: Group, at: int) -> None:
    groups[at] = bytes(32)


def _unlist(rng: Random, groups: Group, at: int) -> None:
    groups[at][1] = None


def _relist(rng: Random, groups: Group, at: int) -> None:
    slots, names = groups[at]
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        return
    where = rng.randrange(len(names) + 1)
    names[where : where + rng.randint(0, 1)] = [rng.choice(NAMES)]
    if rng.random() < 0.8 and len(slots) > 1 and isinstance(slots[1], list):
        slots[1][-1] = ev1.names_digest(names)


_EDITS: tuple[Callable[[Random, Group, int], None], ...] = (
    _shuffle, _replace, _rename, _swap, _hide, _unlist, _relist,
)  # fmt: skip
