"""What the values of a disclosure may be: shapes, and how they fit together.

A value that no sealer of ours writes is refused, so that a reader can rely on the shape
of what was checked, and so that a free field is said in one way: a map that the layout
would have split into fields is none.  The ids of targets are believed only where
`targets` says that they belong (D17).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.event import (
    MAX_ID,
    MAX_NUMBER,
    MAX_PARTS,
    MAX_TARGETS,
    OUTCOMES,
    check_plain,
    check_value,
    is_event_id,
)
from tallystick_merkle.eventjson import MAX_TIME_MS
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.layout import ACTOR, NAMES, TARGET, THING

Groups = Sequence[Mapping[str, Any] | None]
"""The shown values of each group by name; None where a group shows nothing."""


def check_core(groups: Groups) -> None:
    """Raise ProofError for a value out of shape, or a target out of place."""
    for number, group in enumerate(groups):
        for name, value in (group or {}).items():
            check = _SHAPES.get(name)
            if name.startswith(THING):
                if not _is_id(value):
                    raise ProofError(f"group {number}: {name[:80]!r} is no id")
            elif not (check(value) if check else _is_free(name, value)):
                raise ProofError(
                    f"group {number}: {name[:80]!r} has a value out of shape"
                )
    _check_targets(groups)


def _check_targets(groups: Groups) -> None:
    """Hold the ids of targets against `targets`."""
    listed = (groups[0] or {}).get("targets")
    used = {group for _, group in listed} if listed is not None else set()
    if used and max(used) >= len(groups):
        raise ProofError("targets names a group that there is not")
    for kind, number in listed or ():
        person = (groups[number] or {}).get(ACTOR if number == 1 else TARGET)
        if person is not None and person[0] != kind:
            raise ProofError(f"targets has another type for group {number}")
    for number, group in enumerate(groups):
        for name in group or {}:
            if name == TARGET or name.startswith(THING):
                if listed is None:
                    raise ProofError(f"{name[:80]!r} is shown without targets")
                if name == TARGET and number not in used:
                    raise ProofError(f"group {number} is no target's")
                if name.startswith(THING) and not _is_thing(name, number, listed):
                    raise ProofError(f"{name[:80]!r} is not where targets has a thing")
    if listed is not None and not used.issuperset(range(2, len(groups))):
        raise ProofError("targets does not name every group")


def _is_thing(name: str, number: int, listed: Sequence[Sequence[Any]]) -> bool:
    """Whether `targets/i` stands with the actor, and target i is a thing."""
    things = [f"{THING}{at}" for at, (_, group) in enumerate(listed) if group == 0]
    return number == 1 and name in things


def _is_free(name: str, value: object) -> bool:
    """Whether a free field may have this value: what the layout splits is none."""
    if isinstance(value, dict) and value and name.count("/") < MAX_PARTS - 1:
        return False
    try:
        check_value(value, where="")
    except MalformedError:
        return False
    return True


def _is_id(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        check_plain(value, most=MAX_ID, where="")
    except MalformedError:
        return False
    return True


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: object, most: int = MAX_NUMBER) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_id_or_none(value: object) -> bool:
    return value is None or (isinstance(value, str) and is_event_id(value))


def _is_ref(value: object) -> bool:
    return isinstance(value, list) and _is_list(value, str, str) and _is_id(value[1])


def _is_outcome(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and value[0] in OUTCOMES
        and _is_text_or_none(value[1])
    )


def _is_schema(value: object) -> bool:
    return value is None or _is_list(value, str, int)


def _is_producer(value: object) -> bool:
    return _is_list(value, str, str, int, int)


def _is_targets(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_TARGETS
        and all(_is_list(one, str, int) and one[1] >= 0 for one in value)
    )


def _is_list(value: object, *types: type) -> bool:
    """Whether it is a list of exactly these types (a bool is no int)."""
    return (
        isinstance(value, list)
        and len(value) == len(types)
        and all(type(one) is kind for one, kind in zip(value, types, strict=True))
    )


_SHAPES: dict[str, Callable[[object], bool]] = {
    "event_id": lambda value: isinstance(value, str) and is_event_id(value),
    NAMES: lambda value: isinstance(value, bytes) and len(value) == HASH_SIZE,
    "tenant": _is_text,
    "action": _is_text,
    "outcome": _is_outcome,
    "occurred_at": lambda value: _is_number(value, MAX_TIME_MS),
    "schema": _is_schema,
    "producer": _is_producer,
    "targets": _is_targets,
    "region": _is_text_or_none,
    "corrects": _is_id_or_none,
    "actor": _is_ref,
    TARGET: _is_ref,
}
