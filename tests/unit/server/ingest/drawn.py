"""Events in their JSON shape: one of twelve fields, one of everything, drawn ones."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tallystick_merkle.event import Event
from tallystick_merkle.eventjson import parse_event

Json = dict[str, Any]

SERVICE = "billing"


def usual() -> Json:
    """An event of twelve fields or so, as most are."""
    return {
        "event_id": "0197a3b2-7c11-7d4e-8f00-0123456789ab",
        "action": "user.role.updated",
        "actor": {"type": "user", "id": "alice"},
        "targets": [{"type": "user", "id": "bob"}],
        "occurred_at": "2026-11-23T12:00:00.000Z",
        "outcome": {"result": "success", "code": "ok"},
        "producer": {"instance": "web-1", "epoch": 1, "sequence": 17},
        "reason": "ticket 4711",
        "before": {"role": "viewer"},
        "after": {"role": "admin"},
        "request": {"ip": "203.0.113.7", "id": "req-81723"},
    }


def full() -> Json:
    """An event with every member there is."""
    return {
        **usual(),
        "targets": [
            {"type": "user", "id": "bob", "person": False},
            {"type": "invoice", "id": "F/2026~1: Ä"},
        ],
        "producer": {"service": SERVICE, "instance": "a", "epoch": 0, "sequence": 0},
        "schema": {"id": "user.role", "version": 3},
        "region": "eu-central-1",
        "corrects": "0197a3b2-7c11-7d4e-8f00-0123456789aa",
        "decision": {"effect": "allow", "policy": "p:7", "rule": ["a", {"b": None}]},
        "correlation_id": "c-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "roles": ["editor", "on call"],
        "details": {"": 1} | {"a": {"b": {"c": {"d": [1, -5, True]}}}, "n": 2**64 - 1},
    }


FULL = full() | {"details": {"a/b": {"b": {"c": {"d": [1, -5, True]}}}, "n": 2**63}}
"""The event with every member, all of them right."""

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
NAMES = st.text('abcé/~: "\\\u0301', max_size=4) | st.sampled_from(["type", "id"])
ODD = (
    st.integers(-(2**65), 2**65)
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(
        [
            "",
            "\n",
            "a\n",
            "\x7f",
            "e\u0301",
            ":",
            '":',
            '\\":',
            "x" * 129,
            "x" * 257,
            "y" * 4097,
            "0197a3b2-7c11-7d4e-8f00-0123456789ab\n",
            "0197A3B2-7C11-7D4E-8F00-0123456789AB",
            "2026-11-23t12:00:00.123456789z",
            "2026-11-23T12:00:00+01:30",
            "2026-11-23T12:00:60.000Z",
            "2026-02-29T12:00:00.000Z",
            "0001-01-01T00:00:00.000Z",
            "٢٠٢٦-11-23T12:00:00.000Z",
            "2026-11-23T12:00:٠٠.000Z",
            2**53,
            2**53 - 1,
            2**31,
            -1,
        ]
    )
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    ODD,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
    ),
    max_leaves=8,
)


def places(data: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 -- any JSON
    """Every object or array in a value, with each of its names or numbers."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(pairs):
        yield data, key
        if isinstance(value, dict | list):
            yield from places(value)


@st.composite
def shapes(draw: st.DrawFn) -> Json:
    """Draw the JSON shape of an event, right or with up to three things changed."""
    data = deepcopy(draw(st.sampled_from([usual(), FULL, full()])))
    for _ in range(draw(st.integers(0, 3))):
        within, key = draw(st.sampled_from(list(places(data))))
        change = draw(st.sampled_from(["put", "put", "cut", "add"]))
        if change == "put":
            within[key] = draw(VALUES)
        elif change == "cut":
            del within[key]
        elif isinstance(within, dict):
            within[draw(NAMES)] = draw(VALUES)
        else:
            within.append(draw(VALUES))
    return data


def made(data: Json, *, service: str = SERVICE) -> Event:
    """The event of a shape that is right."""
    return parse_event(data, service=service)
