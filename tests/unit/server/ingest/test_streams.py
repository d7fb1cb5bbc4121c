"""Heartbeats: what announces one, and what a log says of one that does not."""

from __future__ import annotations

import json

import pytest

from tallystick_merkle.event import Event, Value
from tallystick_server.ingest.schemas.registry import Registry, Unknown
from tallystick_server.ingest.streams import HEARTBEAT, MAX_HEARTBEAT_S, heartbeat_of
from tests.fakes.intakes import make_event
from tests.unit.merkle.schemas import document
from tests.unit.server.ingest.schemas.registering import Log

WRONG: list[Value] = [-1, MAX_HEARTBEAT_S + 1, "30", True, None, [30]]
DOUBT = f"details/heartbeat_s is no integer from 0 to {MAX_HEARTBEAT_S}: no heartbeat"


def heartbeat(said: Value) -> Event:
    return make_event(1, action=HEARTBEAT, details={"heartbeat_s": said})


@pytest.mark.parametrize("said", [0, 30, MAX_HEARTBEAT_S])
def test_a_heartbeat_is_a_number_of_seconds(said: int) -> None:
    assert heartbeat_of(heartbeat(said)) == said


@pytest.mark.parametrize("said", WRONG, ids=repr)
def test_anything_else_is_no_heartbeat(said: Value) -> None:
    assert heartbeat_of(heartbeat(said)) is None


def test_no_other_action_announces_one() -> None:
    assert heartbeat_of(make_event(1, details={"heartbeat_s": 30})) is None


@pytest.mark.parametrize("unknown", ["allow", "warn", "refuse"])
def test_a_heartbeat_needs_no_schema_whatever_the_log_says_of_others(
    unknown: Unknown,
) -> None:
    registry = Registry(log_name="audit", unknown=unknown)

    admitted = registry.admit(heartbeat(30))

    assert (admitted.event, admitted.warning) == (heartbeat(30), "")


@pytest.mark.parametrize("said", WRONG, ids=repr)
def test_a_heartbeat_that_announces_nothing_is_taken_with_a_warning(
    said: Value,
) -> None:
    registry = Registry(log_name="audit", unknown="refuse")

    assert registry.admit(heartbeat(said)).warning == DOUBT
    assert registry.admit(make_event(1, action=HEARTBEAT)).warning == DOUBT


async def test_a_heartbeat_that_has_a_schema_is_doubted_all_the_same() -> None:
    log = Log()
    head = {"x-tallystick": {"action": HEARTBEAT, "version": 1}}
    body = json.dumps(document(**head)).encode()
    await log.registry.register(body, log.emit, by="ops")

    assert log.registry.admit(heartbeat("30")).warning == DOUBT
    assert log.registry.admit(heartbeat(30)).warning == ""
