"""Measure ways to decode events: one of about 500 bytes, and a batch of 1,000 lines.

    python -m tests.bench.decoding [--rounds 5] [--seconds 0.4]

Each row is the best of the rounds, in microseconds of processor time an event.  The
typed ways check types and bounds, pydantic the patterns too; only the last rows check
them all, refuse names that stand twice, and give the kernel's event, its fields
flattened and encoded.  docs/adr/0008-event-decoding.md quotes the figures.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pydantic
from msgspec.json import Decoder
from pydantic import BaseModel, ConfigDict, Field

from tallystick_merkle.event import ACTION, CODE, EVENT_ID, INSTANCE, TYPE
from tallystick_merkle.eventjson import parse_event
from tallystick_server.ingest import shapes
from tallystick_server.ingest.decoding import decode_event
from tests.bench.machine import describe
from tests.fakes.decoded import decode_batch

SERVICE = "billing"

EVENT: dict[str, Any] = {
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
    "request": {
        "ip": "203.0.113.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "id": "req-81723",
    },
    "correlation_id": "c-55120",
}
"""A usual event of twelve members."""

TEXT = json.dumps(EVENT, separators=(",", ":")).encode()
LINES = 1_000
BATCH = b"\n".join([TEXT] * LINES)


def _rule(pattern: str) -> Any:  # noqa: ANN401 -- as Field is typed
    """A field whose whole text matches; the engine of pydantic reads `$` so."""
    return Field(pattern=f"^(?:{pattern})$", max_length=256)


_Type = Annotated[str, _rule(TYPE)]
_Code = Annotated[str, _rule(CODE)]
_Instance = Annotated[str, _rule(INSTANCE)]
_EventId = Annotated[str, _rule(EVENT_ID)]
_Action = Annotated[str, _rule(ACTION)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Ref(_Model):
    type: _Type
    id: Annotated[str, Field(min_length=1, max_length=256)]
    person: bool | None = None


class _Outcome(_Model):
    result: Literal["success", "failure", "denied"]
    code: _Code | None = None


class _Producer(_Model):
    instance: _Instance
    sequence: Annotated[int, Field(ge=0, lt=2**53)]
    epoch: Annotated[int, Field(ge=0, lt=2**53)] = 0
    service: str | None = None


class _Event(_Model):
    event_id: _EventId
    action: _Action
    actor: _Ref
    targets: Annotated[list[_Ref], Field(max_length=10)]
    occurred_at: str
    outcome: _Outcome
    producer: _Producer
    reason: Annotated[str, Field(max_length=4096)] | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    request: dict[str, str] | None = None
    correlation_id: Annotated[str, Field(max_length=128)] | None = None
    details: dict[str, Any] | None = None


_plain = Decoder().decode
_typed = Decoder(shapes._Event).decode

SINGLE: dict[str, Callable[[], object]] = {
    "json: objects, nothing checked": lambda: json.loads(TEXT),
    "msgspec: objects, nothing checked": lambda: _plain(TEXT),
    "pydantic: typed": lambda: _Event.model_validate_json(TEXT),
    "msgspec: typed": lambda: _typed(TEXT),
    "json, then the kernel's parse_event": lambda: parse_event(
        json.loads(TEXT), service=SERVICE
    ),
    "decode_event: msgspec, names counted, kernel's event": lambda: decode_event(
        TEXT, "application/json", service=SERVICE
    ),
}
"""Ways to decode one event."""

MANY: dict[str, Callable[[], object]] = {
    "pydantic: typed, by line": lambda: [
        _Event.model_validate_json(line) for line in BATCH.split(b"\n")
    ],
    "msgspec: typed, by line": lambda: [_typed(line) for line in BATCH.split(b"\n")],
    "decode_batch": lambda: decode_batch(
        BATCH, "application/x-ndjson", service=SERVICE
    ),
}
"""Ways to decode a batch of lines."""


def measure(way: Callable[[], object], *, rounds: int, seconds: float) -> float:
    """Give the seconds of processor time of one call, in the best of the rounds."""
    best = float("inf")
    for _ in range(rounds):
        calls = 0
        start = now = time.process_time()
        while now - start < seconds:
            way()
            calls += 1
            now = time.process_time()
        best = min(best, (now - start) / calls)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4)
    options = parser.parse_args()
    print(describe(), f"pydantic {pydantic.VERSION}", f"{len(TEXT)} bytes", sep="\n")
    for ways, count in ((SINGLE, 1), (MANY, LINES)):
        print(f"\n| {'one event' if count == 1 else f'{count} lines'} | µs an event |")
        print("|---|---|")
        for name, way in ways.items():
            took = measure(way, rounds=options.rounds, seconds=options.seconds)
            print(f"| {name} | {took / count * 1e6:.1f} |")


if __name__ == "__main__":
    main()
