"""The schema of the envelope accepts what the decoder takes, and refuses the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from jsonschema_rs import Draft202012Validator
from jsonschema_rs import meta as jsonschema_meta

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import EXTRA_ROOTS
from tallystick_merkle.eventjson import format_event, parse_event
from tallystick_server.ingest.envelope import envelope
from tests.unit.server.ingest.drawn import FULL, SERVICE, Json, made, shapes, usual

ACCEPTS = Draft202012Validator(json.loads(json.dumps(envelope())))


def accepts(data: object) -> bool:
    return bool(ACCEPTS.is_valid(data))


def test_the_schema_is_one() -> None:
    jsonschema_meta.validate(envelope())


def test_the_schema_has_no_address() -> None:
    written = json.dumps({**envelope(), "$schema": ""})

    assert envelope()["$id"].startswith("urn:")
    assert "//" not in written


def test_the_schema_describes_every_member() -> None:
    members = envelope()["properties"]

    assert set(members) == set(FULL)
    assert set(members) >= EXTRA_ROOTS
    assert all("description" in member for member in members.values())


def test_the_schema_accepts_what_is_right() -> None:
    for data in (usual(), FULL, format_event(made(FULL))):
        assert accepts(data)


@given(shapes())
def test_the_schema_accepts_whatever_the_decoder_takes(data: Json) -> None:
    try:
        parse_event(data, service=SERVICE)
    except MalformedError:
        return
    assert accepts(data)


@pytest.mark.parametrize("name", list(usual()))
def test_the_schema_finds_a_member_that_is_missing(name: str) -> None:
    data = usual()
    del data[name]

    assert accepts(data) == (name in EXTRA_ROOTS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": 1},
        {"event_id": "0197A3B2-7C11-7D4E-8F00-0123456789AB"},
        {"event_id": "0197a3b2-7c11-4d4e-8f00-0123456789ab"},
        {"event_id": "0197a3b2-7c11-7d4e-8f00-0123456789ab\n"},
        {"action": "login"},
        {"action": ".".join(["a" * 64] * 3)},
        {"actor": {"type": "user"}},
        {"actor": {"type": "user", "id": ""}},
        {"actor": {"type": "user", "id": "x" * 257}},
        {"actor": {"type": "user", "id": "a\x7f"}},
        {"actor": {"type": "User", "id": "a"}},
        {"actor": {"type": "user", "id": "a", "name": "b"}},
        {"targets": {}},
        {"targets": [{"type": "file", "id": "f"}] * 11},
        {"targets": [{"type": "file", "id": "f", "person": 1}]},
        {"occurred_at": "yesterday"},
        {"occurred_at": "2026-11-23T12:00:00"},
        {"occurred_at": 1795435200000},
        {"outcome": {}},
        {"outcome": {"result": "ok"}},
        {"outcome": {"result": "success", "code": "no such code"}},
        {"producer": {"instance": "a"}},
        {"producer": {"instance": "a", "sequence": -1}},
        {"producer": {"instance": "a", "sequence": 2**53}},
        {"producer": {"instance": "a", "sequence": "1"}},
        {"schema": {"id": "a"}},
        {"schema": {"id": "a", "version": 0}},
        {"region": None},
        {"corrects": "that one"},
        {"reason": ""},
        {"reason": "x" * 4097},
        {"before": []},
        {"details": {"": 1}},
        {"details": {"a": 1.5}},
        {"details": {"a": [{"b": [2**64]}]}},
        {"details": {str(number): number for number in range(65)}},
        {"request": {"host": "a"}},
        {"request": {"ip": "x" * 1025}},
        {"roles": ["a"] * 65},
        {"roles": "a"},
        {"correlation_id": "x" * 129},
    ],
    ids=lambda wrong: str(wrong)[:50],
)
def test_the_schema_and_the_decoder_refuse_what_is_wrong(wrong: dict[str, Any]) -> None:
    data = {**usual(), **wrong}

    assert not accepts(data)
    with pytest.raises(MalformedError):
        parse_event(data, service=SERVICE)
