"""A registry beside a log that only counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tallystick_merkle.event import Event, Producer, Ref, Target, Value
from tallystick_server.ingest.own import SERVICE
from tallystick_server.ingest.schemas.registry import Registry, Unknown
from tests.unit.merkle.schemas import document

NOW_MS = 1_700_000_000_000


class Log:
    """Writes the server's events, and tells the registry of them as the intake does."""

    def __init__(self, unknown: Unknown = "allow") -> None:
        self.registry = Registry(log_name="audit", unknown=unknown)
        self.events: list[Event] = []

    async def emit(
        self, action: str, details: Mapping[str, Value], targets: Sequence[Target] = ()
    ) -> int:
        index = len(self.events) + 1
        self.events.append(own_event(action, details, targets))
        self.registry.observe(index, self.events[-1], NOW_MS + index)
        return index

    async def register(self, version: int = 1, /, **keywords: Any) -> bool:  # noqa: ANN401 -- JSON
        body = json.dumps(document(version, **keywords)).encode()
        _, is_new = await self.registry.register(body, self.emit, by="ops")
        return is_new


def own_event(
    action: str,
    details: Mapping[str, Value],
    targets: Sequence[Target] = (),
    *,
    service: str = SERVICE,
) -> Event:
    """An event of the server, or of somebody who would like to be it."""
    return Event(
        event_id="0197f0c2-7a11-7abc-8def-000000000000",
        action=action,
        actor=Ref("service", service),
        targets=tuple(targets),
        occurred_ms=NOW_MS,
        outcome="success",
        code=None,
        producer=Producer(service, "server", 0, 1),
        extra={"details": dict(details)},
    )
