"""The `ev1` vectors that have to be accepted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tests.reference import dcbor, ev1
from tests.reference import ev1_disclosure as reference
from tests.unit.merkle.events import Json, example
from tests.vectors.ev1events import Sealed, base, seal

Case = dict[str, Any]
"""One vector, as it is written."""

KEYS = [bytes([number]) * 32 for number in range(12)]
"""Keys of the groups of a record."""


def accepted(desc: str, sealed: Sealed, disclosure: bytes) -> Case:
    """A disclosure that proves what it shows."""
    shown = reference.check(disclosure, sealed.leaf)
    slots = [
        slot
        for group in reference.read(disclosure)
        if not isinstance(group, bytes)
        for slot in group[0]
    ]
    fields = [[one.group, one.slot, one.name, one.value] for one in shown]
    return {
        "kind": "disclosure",
        "desc": desc,
        **sealed.origin,
        "seeds": [seed.hex() for seed in sealed.seeds],
        "groups": dcbor.encode(
            [list(map(list, group)) for group in sealed.groups]
        ).hex(),
        "leaf": sealed.leaf.hex(),
        "disclosure": disclosure.hex(),
        "verdict": "accepted",
        "fields": dcbor.encode(fields).hex(),
        "hidden": sum(isinstance(slot, bytes) for slot in slots),
        "single": reference.is_single(disclosure),
    }


def disclosures() -> dict[str, Case]:
    """All disclosures that are accepted, by name."""
    sealed = base()
    three = ["action", "actor", "after/role"]

    def some(desc: str, names: Collection[str], listed: Collection[int] = ()) -> Case:
        return accepted(desc, sealed, sealed.show(sealed.places(*names), listed))

    made = {
        "everything": accepted("all fields and all names", sealed, sealed.whole()),
        "three-fields": some("three of twenty, one of each group", three),
        "three-fields-with-names": some(
            "the same, and the names of both persons' groups", three, [1, 2]
        ),
        "names-of-one-group": some("a second value may be in group 1", three, [2]),
        "names-of-the-facts": some("the names of group 0, nothing else", [], [0]),
        "names-alone": some("which fields there are, no value", [], [0, 1, 2]),
        "nothing": some("three digests of groups that come to the leaf", []),
        "person-with-targets": some("a target's id, announced", ["targets", "target"]),
        "thing-with-targets": some("a thing's id, announced", ["targets", "targets/1"]),
        "names-digest-without-list": accepted(
            "slot 1 is a field too", sealed, sealed.show([(1, 1)])
        ),
    }
    return made | {
        name: accepted(desc, sealed, sealed.whole())
        for name, (desc, sealed) in _events().items()
    }


def record() -> Case:
    """The private record of the example."""
    sealed, time_ms = base(), 1_795_435_200_123
    event_id = bytes.fromhex(str(example()["event_id"]).replace("-", ""))
    groups = [
        ev1.seal_group(
            group,
            number=number,
            event_id=event_id,
            seed=sealed.seeds[number],
            key=(bytes([0xC0 + number]) * 8, KEYS[number]),
            iv=bytes([0xA0 + number]) * 12,
        )
        for number, group in enumerate(sealed.groups)
    ]
    return {
        "kind": "record",
        "desc": "each group under its own key; kid c0… and iv a0… count up",
        **sealed.origin,
        "seeds": [seed.hex() for seed in sealed.seeds],
        "keys": [key.hex() for key in KEYS[: len(groups)]],
        "time_ms": time_ms,
        "commitment": reference.leaf_parts(sealed.leaf)[1].hex(),
        "record": ev1.record(event_id, time_ms, groups).hex(),
        "verdict": "accepted",
    }


def _events() -> dict[str, tuple[str, Sealed]]:
    """Events that are all shown."""
    return {
        "least-event": ("no target, nothing optional", seal(_least())),
        "all-members": ("every optional member is there", seal(_most())),
        "first-moment": ("1970", _with(occurred_at="1970-01-01T00:00:00.000Z")),
        "last-moment": ("9999", _with(occurred_at="9999-12-31T23:59:59.999Z")),
        "target-is-the-actor": (
            "one group for both: targets says 1",
            _with(targets=[{"type": "user", "id": "alice@example.com"}]),
        ),
        "targets-are-things": (
            "ids stand with the actor, in order of their names",
            _with(targets=[{"type": "file", "id": f"f{at}"} for at in range(10)]),
        ),
        "one-person-twice": (
            "two targets, one group",
            _with(targets=[{"type": "user", "id": "bob"}] * 2),
        ),
        "person-by-word": (
            "the event says who is a person",
            _with(
                targets=[
                    {"type": "device", "id": "phone", "person": True},
                    {"type": "user", "id": "robot", "person": False},
                ]
            ),
        ),
        "ten-persons": (
            "twelve groups, the most",
            _with(targets=[{"type": "user", "id": f"u{at}"} for at in range(10)]),
        ),
        "most-fields": (
            "64 free fields and ten things: 76 slots",
            _with(
                targets=[{"type": "file", "id": f"f{at}"} for at in range(10)],
                details={f"field-{at:02}": at for at in range(64)},
            ),
        ),
        "places": ("the longest prefix counts, a thing leaves it", _placed()),
        "texts": ("texts are kept as they came", _with(details=TEXTS)),
        "integers": ("64 bits, beyond the numbers of JavaScript", _with(details=INTS)),
        "nested-values": ("what is deeper than four parts", _with(details=NESTED)),
        "names": ("names with escapes and of all lengths", _with(details=NAMES)),
    }


TEXTS = {
    "quotes": "\"'`\\/<>&",
    "controls": "\x00\x01\x1b[31m\x7f\u0085\r\n\t",
    "astral": "\U0001f600 \U0010ffff",
    "not-nfc": "e\u0301 \u212b",
    "marks": "\ufeff\u200b\u202e\u2028\ufffe\uffff",
    "long": "x" * 300,
    "empty": "",
}

INTS = {
    "least": -(2**63),
    "most": 2**64 - 1,
    "beyond-double": 2**53 + 1,
    "below-double": -(2**53) - 1,
    "heads": [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, -1, -24, -25, -257],
}

NESTED: Json = {
    "deep": {"a": {"b": {"c": {"z": 1, "aa": [None, True, False]}}}},
    "eleven": [[[[[[[[[[[1]]]]]]]]]]],
    "empty-map": {},
    "empty-list": [],
    "null": None,
    "maps-in-a-list": [{"b": 1, "a": 2, "aa": 3}, {}],
}

NAMES = {
    "a/b": 1,
    "a": {"b": 2},
    "~": 3,
    "~1": 4,
    "\u00e9": 5,
    "\U0001f600": 6,
    "zz": 7,
    "b": 8,
    "x" * 24: 9,
    "x" * 128: 10,
}


def _with(**members: object) -> Sealed:
    return seal(_least() | members)


def _least() -> Json:
    full = example()
    wanted = ("event_id", "action", "actor", "occurred_at", "outcome", "producer")
    return {name: full[name] for name in wanted} | {"targets": []}


def _most() -> Json:
    return example() | {
        "outcome": {"result": "denied", "code": "403:policy/9"},
        "region": "eu-central-1",
        "corrects": "01980f3a-0000-7000-8000-000000000000",
        "decision": {"effect": "deny", "policy": "p-1", "rule": "r.2"},
        "request": {"ip": "2001:db8::1", "user_agent": "x", "session": "s", "id": "7"},
        "correlation_id": "c",
        "trace_id": "t",
        "roles": ["admin", "auditor"],
        "details": {"count": 3},
    }


def _placed() -> Sealed:
    event = _least() | {
        "targets": [
            {"type": "user", "id": "bob"},
            {"type": "file", "id": "f"},
            {"type": "user", "id": "carol"},
            {"type": "user", "id": "alice@example.com"},
        ],
        "before": {"a": 1, "b": {"c": 2, "d": 3}},
        "after": {"a": 1},
        "details": {"self": 1, "far": 2, "free": 3},
        "reason": "r",
    }
    places = {
        "before": 0,
        "before/b": 2,
        "before/b/c": 1,
        "after": 2,
        "details/self": 3,
        "details/far": 9,
        "detail": 0,
        "targets": 0,
    }
    return seal(event, places=places)
