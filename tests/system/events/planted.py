"""Events made for the scan: odd values that are taken, and secrets that are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from typing import Any

from tallystick_client.idempotency import format_uuid7

VALUES = (
    "asa.ohman@example.org",
    "Åsa Öhman, Malmö",
    "秘密の値段です",
    'quoted "words" and a back\\slash',
    "two lines\nof one value\t\x1b[31m",
    "4111111111111111",
    "c2VjcmV0IHZhbHVl+/==",
    "DEADBEEFcafe12345678",
    "198.51.100.77",
    "2001:db8::dead:beef",
    "a long story " * 500,
    "🔑 under the mat",
    "sixsix",
)
"""Texts that are taken: in every alphabet, with what formats have to escape."""

NUMBER = 4_111_222_233_334_444
"""An integer that is taken."""

_CLOCK_MS = 1_790_000_000_000


class Maker:
    """Makes events, each with an id and a sequence number of its own."""

    def __init__(self, instance: str) -> None:
        """Count from 1."""
        self._instance = instance
        self._numbers = count(1)

    def event(self, subject: str) -> dict[str, Any]:
        """Make an event with every member there is; its actor is `subject`."""
        number = next(self._numbers)
        return {
            "event_id": format_uuid7(_CLOCK_MS + number, number.to_bytes(10, "big")),
            "action": "user.role.updated",
            "actor": {"type": "user", "id": subject[:256]},
            "targets": [
                {"type": "user", "id": f"target of {number:06}"},
                {"type": "project", "id": f"project of {number:06}"},
            ],
            "occurred_at": "2026-09-21T12:13:14.156Z",
            "outcome": {"result": "denied", "code": "E-17"},
            "producer": {"instance": self._instance, "epoch": 0, "sequence": number},
            "region": "eu-north-1",
            "reason": f"reason {number:06}",
            "before": {"role": "viewer of all", "since": NUMBER},
            "after": {"role": ["admin of some", {"deep": "deeper than fields"}]},
            "decision": {"effect": "refuse it", "policy": f"policy {number:06}"},
            "request": {
                "ip": "203.0.113.123",
                "user_agent": "Mozilla/5.0 (planted)",
                "session": f"session {number:06}",
                "id": f"request {number:06}",
            },
            "correlation_id": f"correlated {number:06}",
            "trace_id": f"traced {number:06}",
            "roles": ["role of roles", "second role"],
            "details": {"note": f"note {number:06}"},
        }

    def taken(self) -> Iterator[dict[str, Any]]:
        """Make an event for each odd value, which stands in places of all kinds."""
        for value in VALUES:
            plain = "".join(mark if mark.isprintable() else "?" for mark in value)
            event = self.event(plain)
            event["details"] = {"odd": value, "listed": [[value], {"in": value}]}
            event["targets"].append({"type": "customer", "id": plain[::-1][:256]})
            yield event

    def refused(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Put a secret wherever an event has a value: as it is, and in wrong shapes.

        Gives the secret and the event.  Some are no wrong events after all.
        """
        numbers = count(1)
        for path in list(_paths(self.event("somebody"))):
            for shape in range(_SHAPES):
                secret = f"hidden-{next(numbers):05}-for-all"
                event = self.event("somebody")
                _put(event, path, _shaped(secret, shape))
                yield secret, event

    def broken(self) -> Iterator[tuple[str, bytes]]:
        """Make bodies that are no events, each with a secret in it."""
        for number, (before, after) in enumerate(_BROKEN):
            secret = f"broken-{number:05}-secret"
            yield secret, before + secret.encode() + after
        secret = "repeated-00001-secret"
        text = json.dumps(self.event(secret))
        yield secret, text.replace('"actor"', '"reason": "x", "actor"').encode()

    def named(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Make events with a member that there is not; its name is a secret."""
        for number, path in enumerate([(), *_paths(self.event("somebody"))]):
            name = f"named-{number:05}-secret"
            event = self.event("somebody")
            holder = _at(event, path)
            if path and not isinstance(holder, dict):
                _put(event, path, {name: 1})
            else:
                holder[name] = 1
            yield name, event
        name = "named-99999-secret"
        yield name, {name: float("nan")}


_SHAPES = 5
_BROKEN = (
    (b'{"event_id": "', b""),
    (b'{"event_id": "', b'", "event_id": "twice"}'),
    (b"", b""),
    (b'["', b'"]'),
    (b'"', b'"'),
    (b'{"details": {"x": "', b'\xff\xfe"}}'),
    (b'{"details": "', b'\\ud800"}'),
    (b'{"details": "', b'\n\x00"}'),
    (b"[" * 5000 + b'"', b'"'),
)


def _paths(value: object) -> Iterator[tuple[str | int, ...]]:
    """Give the path of everything in a document, containers too, but for the top."""
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for name, item in items:
        yield (name,)
        yield from ((name, *path) for path in _paths(item))


def _at(event: dict[str, Any], path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 -- whatever stands there
    place: Any = event
    for name in path:
        place = place[name]
    return place


def _put(event: dict[str, Any], path: tuple[str | int, ...], value: object) -> None:
    _at(event, path[:-1])[path[-1]] = value


def _shaped(secret: str, shape: int) -> object:
    """Give a secret alone, among control characters, too long, in a list, too deep."""
    deep: object = secret
    for _ in range(20):
        deep = [deep]
    shapes = (secret, f"{secret}\x00\x1b", f"{secret}," * 2000, [secret], deep)
    return deepcopy(shapes[shape])
