"""An event that is sent again is answered as it was, whatever came between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.server.web.keeping import KeptLog

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "x-tallystick": {"id": "role", "version": 1, "action": "user.role.updated"},
    "type": "object",
    "required": ["trace_id"],
}


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[KeptLog]:
    async with KeptLog(tmp_path) as made:
        yield made


async def test_a_schema_that_came_between_does_not_change_the_answer(
    kept: KeptLog,
) -> None:
    first = await kept.submit_event(1)
    registered = await kept.register(SCHEMA)

    again, other = await kept.submit_event(1), await kept.submit_event(2)

    assert (first.status, registered.status) == (201, 201)
    assert again.status == 200
    assert again.json()["leaf"] == first.json()["leaf"]
    assert again.json()["opening"] == first.json()["opening"]
    assert json.dumps(again.json()["receipt"])
    assert other.is_problem(422, "invalid-event")
