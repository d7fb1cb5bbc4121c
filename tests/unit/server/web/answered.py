"""What tests of events over HTTP share: bodies as they are sent, and as described."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.intakes import event_json
from tests.fakes.openapi import described, faults, strict
from tests.fakes.web import Reply
from tests.unit.server.web.keeping import KeptLog

STRICT = strict(described())


def sent(number: int, **members: Any) -> bytes:  # noqa: ANN401 -- any member
    """An event in JSON; `members` replace those of the default."""
    return json.dumps(event_json(number, **members)).encode()


def array(*numbers: int) -> bytes:
    """A batch in JSON."""
    return json.dumps([event_json(number) for number in numbers]).encode()


def fits(reply: Reply, schema: str) -> bool:
    """Whether an answer is as described, without a member more."""
    return faults(STRICT, STRICT["components"]["schemas"][schema], reply.json()) == []


def path_of(number: int) -> str:
    """What follows the path of all events to one of them."""
    return f"/{event_json(number)['event_id']}"


async def submit(log: KeptLog, *numbers: int) -> None:
    """Submit events as one batch."""
    assert (await log.submit_batch(array(*numbers))).status == 200


async def lose(log: KeptLog, index: int, *groups: int) -> None:
    """Destroy the keys of some groups of an event, as an erasure does."""
    (opened,) = await log.intake.records.read(index, index + 1)
    log.bench.reading.lost |= {opened.record.groups[one].kid for one in groups}
