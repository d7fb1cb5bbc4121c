"""What followers see of an event that came in a batch."""

from __future__ import annotations

import json

import pytest
from msgspec import msgpack

from tallystick_server.ingest.batchwork import (
    SealedItem,
    Work,
    open_batch,
    outline_of,
    seal_batch,
)
from tallystick_server.ingest.keys import ReadyKey
from tallystick_server.ingest.schemas.registry import Registry
from tallystick_server.vault.memory import MemoryVault
from tests.fakes.intakes import TENANT, event_json


@pytest.mark.parametrize("result", ["success", "failure", "denied"])
@pytest.mark.parametrize("code", [None, "403"], ids=["no code", "code"])
def test_an_outline_says_how_it_went_and_nothing_of_anybody(
    result: str, code: str | None
) -> None:
    outcome = {"result": result} if code is None else {"result": result, "code": code}
    raw = json.dumps(event_json(1, outcome=outcome)).encode()
    work = Work([raw], False, "billing", TENANT, "2026-11/0")
    batch = open_batch(work, Registry(log_name="audit", unknown="allow"))
    keys = MemoryVault().ensure(sorted(batch.names))
    ready = {name: ReadyKey(key) for name, key in keys.items()}
    (item,) = seal_batch(batch, ready, bytes)

    carried = msgpack.decode(msgpack.encode(item), type=SealedItem)
    outline = outline_of(carried, service="billing")

    assert (outline.outcome, outline.code) == (result, code)
    assert (outline.actor.id, outline.targets, outline.extra) == ("", (), {})
