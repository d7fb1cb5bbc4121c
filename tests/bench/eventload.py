"""Events to be measured: twelve fields, three data subjects, a busy service's mix.

Actors are 300 persons, targets 1,000, so that a run makes keys in the vault at first
and finds them afterwards; ids are UUIDv7 of now.
"""

from __future__ import annotations

import json
import os
import random
import time

from tallystick_merkle.event import id_text

_ACTORS, _TARGETS = 300, 1_000
_ACTIONS = (
    "user.role.updated",
    "user.profile.updated",
    "session.login",
    "data.exported",
)


def make_event(number: int) -> bytes:
    """Write one event as JSON: about 550 bytes."""
    noise = bytearray(os.urandom(10))
    noise[0] = 0x70 | (noise[0] & 0x0F)
    noise[2] = 0x80 | (noise[2] & 0x3F)
    now_ms = time.time_ns() // 1_000_000
    event = {
        "event_id": id_text(now_ms.to_bytes(6, "big") + bytes(noise)),
        "action": random.choice(_ACTIONS),
        "actor": {"type": "user", "id": f"user-{random.randrange(_ACTORS):06d}"},
        "targets": [{"type": "user", "id": f"user-{random.randrange(_TARGETS):06d}"}],
        "occurred_at": "2026-11-23T12:00:00.000Z",
        "outcome": {"result": "success", "code": "200"},
        "producer": {"instance": "bench-1", "sequence": number},
        "region": "eu-central-1",
        "before": {"role": "viewer"},
        "after": {"role": "administrator"},
        "request": {
            "ip": "203.0.113.77",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145",
        },
        "reason": "quarterly review of the access rights of the department",
    }
    return json.dumps(event).encode()
