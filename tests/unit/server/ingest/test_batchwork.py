"""What followers see of an event that came in a batch."""

from __future__ import annotations

import json

import pytest
from msgspec import msgpack

from tallystick_server.ingest.batchwork import (
    STRETCH,
    SealedItem,
    Work,
    finish_batch,
    open_batch,
    outline_of,
)
from tallystick_server.ingest.keys import KeyMemory, ReadyKey
from tallystick_server.ingest.schemas.registry import Registry
from tallystick_server.vault.memory import MemoryVault
from tests.fakes.intakes import TENANT, event_json


def sealed(raws: list[bytes], *, known: int = 0) -> list[SealedItem]:
    """A batch sealed; the keys of its first `known` events are in memory before."""
    rules = Registry(log_name="audit", unknown="allow")
    vault, memory = MemoryVault(), KeyMemory()
    items: list[SealedItem] = []
    for part in (raws[:known], raws):
        work = Work(part, False, "billing", TENANT, "2026-11/0")
        batch = open_batch(work, rules, memory, bytes)
        keys = vault.ensure(sorted(batch.missing))
        ready = {name: ReadyKey(key) for name, key in keys.items()}
        for name, key in ready.items():
            memory.keep(name, key)
        items = finish_batch(batch, ready, bytes)
    return items


@pytest.mark.parametrize("known", [0, 1, STRETCH, 2 * STRETCH + 3])
def test_a_batch_keeps_its_order_whatever_keys_are_there(known: int) -> None:
    raws = [
        json.dumps(
            event_json(n, actor={"type": "user", "id": f"user-{n % 7}-{n // 100}"})
        ).encode()
        for n in range(2 * STRETCH + 3)
    ]
    raws[5] = b"{}"

    items = sealed(raws, known=known)

    assert [one.position for one in items] == [
        n for n in range(2 * STRETCH + 3) if n != 5
    ]
    assert [one.sequence for one in items] == [one.position for one in items]


@pytest.mark.parametrize("result", ["success", "failure", "denied"])
@pytest.mark.parametrize("code", [None, "403"], ids=["no code", "code"])
def test_an_outline_says_how_it_went_and_nothing_of_anybody(
    result: str, code: str | None
) -> None:
    outcome = {"result": result} if code is None else {"result": result, "code": code}
    raw = json.dumps(event_json(1, outcome=outcome)).encode()
    (item,) = sealed([raw])

    carried = msgpack.decode(msgpack.encode(item), type=SealedItem)
    outline = outline_of(carried, service="billing")

    assert (outline.outcome, outline.code) == (result, code)
    assert (outline.actor.id, outline.targets, outline.extra) == ("", (), {})
