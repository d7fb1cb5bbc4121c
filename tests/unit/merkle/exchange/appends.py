"""Appending to a log in memory, honestly and with lies."""

import json
from collections.abc import Callable
from typing import Any

from tallystick_merkle.exchange.appending import (
    Appended,
    AppendedBatch,
    append_batch,
    append_entry,
)
from tallystick_merkle.exchange.base import Reply, Request, Response
from tests.fakes.driving import drive
from tests.fakes.memory_log import MemoryLog
from tests.unit.merkle.exchange.logs import POLICY

Answer = Callable[[Request], Reply]
Change = Callable[[dict[str, Any]], object]


def append(
    log: MemoryLog, entry: bytes = b"event", *, key: str = "k1", wait: str = "durable"
) -> Appended:
    """Append one entry."""
    return drive(
        append_entry(log.address, entry, policy=POLICY, key=key, wait=wait), log.answer
    )


def batch(
    log: MemoryLog, entries: list[bytes], *, key: str = "k1", wait: str = "durable"
) -> AppendedBatch:
    """Append a batch."""
    return drive(
        append_batch(log.address, entries, policy=POLICY, key=key, wait=wait),
        log.answer,
    )


def lying(honest: Answer, change: Change) -> Answer:
    """Answer as the log does, but with a changed body."""

    def answer(request: Request) -> Reply:
        reply = honest(request)
        assert isinstance(reply, Response)
        body = json.loads(reply.body)
        change(body)
        return Response(reply.status, reply.headers, json.dumps(body).encode())

    return answer
