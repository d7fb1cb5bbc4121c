"""Targets: schemas as they are registered, and what a log says of those it has."""

from __future__ import annotations

import json
from contextlib import suppress

from tallystick_merkle.errors import KernelError, MalformedError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Response
from tallystick_merkle.exchange.schemas import (
    list_schemas,
    read_schema,
    register_schema,
)
from tallystick_merkle.schema import parse_schema
from tallystick_merkle.schema_compare import narrowings
from tallystick_server.ingest.schemas.compiling import compile_schema
from tests.fakes.driving import drive
from tests.fakes.intakes import event_json
from tests.fuzz.target import Target, check_spelling
from tests.unit.merkle.schemas import DEFS, details, document, schema

_LOG = LogAddress("", "https://log.example/v1/logs/audit", "")
_SCHEMA = schema()


def schema_document(data: bytes) -> None:
    """A document: what is taken has one text, is as wide as itself, and judges."""
    with suppress(MalformedError):
        taken = parse_schema(data)
        again = parse_schema(taken.text.encode())
        check_spelling(taken.text.encode(), again.text.encode())
        assert narrowings(taken.root, again.root) == ()
        assert taken.marks == again.marks
        where, why = compile_schema(taken).check(event_json()) or ("", "")
        assert "example.com" not in where + why


def schema_answer(data: bytes) -> None:
    """The answers of a log to whoever registers, lists and reads schemas."""

    def answer(_: object) -> Response:
        return Response(200, {"content-type": "application/json"}, data)

    with suppress(KernelError):
        registered, _ = drive(register_schema(_LOG, _SCHEMA), answer)
        assert registered.digest == _SCHEMA.digest
    with suppress(KernelError):
        drive(list_schemas(_LOG), answer)
    with suppress(KernelError):
        found = drive(read_schema(_LOG, _SCHEMA.id, _SCHEMA.version), answer)
        assert (found.id, found.version) == (_SCHEMA.id, _SCHEMA.version)


TARGETS: dict[str, Target] = {
    "schema": schema_document,
    "schema-answer": schema_answer,
}


def seeds() -> dict[str, list[bytes]]:
    """Good inputs, by target."""
    text = {"type": "string", "maxLength": 9, "pattern": "^[a-z]+$"}
    mark = {"subject": "target/0", "sensitive": True}
    documents = [
        document(
            title="A role was given",
            required=["before"],
            properties={"before": {"$ref": "#/$defs/pair"}},
            **{"$defs": DEFS},
        ),
        details(
            1,
            {
                "ip": {"format": "ipv4", "x-tallystick": mark},
                "id": {**text, "x-tallystick": {"indexed": True}},
            },
        ).document,
        document(
            anyOf=[{"properties": {"reason": text}}, {"minProperties": 3}],
            properties={
                "roles": {
                    "items": text,
                    "uniqueItems": True,
                    "contains": {"enum": [1]},
                },
                "after": {"patternProperties": {"^a": True}, "propertyNames": text},
            },
            **{"if": {"required": ["reason"]}, "then": {"not": {"const": None}}},
        ),
    ]
    row = {
        "id": _SCHEMA.id,
        "version": 1,
        "action": _SCHEMA.action,
        "digest": _SCHEMA.digest.hex(),
        "index": 7,
        "registered_at": "2026-11-23T12:00:00.000Z",
        "registered_by": "ops",
    }
    answers: list[object] = [row, {"log": "audit", "schemas": [row]}, document()]
    return {
        "schema": [json.dumps(one).encode() for one in documents],
        "schema-answer": [json.dumps(one).encode() for one in answers],
    }
