"""Operations on the schemas of a log of events."""

from __future__ import annotations

from tallystick_merkle.event import ACTION, MAX_VERSION, SCHEMA_ID, SERVICE
from tallystick_merkle.schema import DIALECT
from tallystick_server.errors import (
    DiskFullError,
    NotFoundError,
    QueueFullError,
    SchemaTakenError,
    TimedOutError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnprocessableError,
    UnsupportedTypeError,
)
from tallystick_server.ingest.schemas.registry import MAX_SCHEMAS
from tallystick_server.web.append import HEADERS
from tallystick_server.web.openapi.parts import BEARER, answer, parameter, problems
from tallystick_server.web.openapi.schemas import (
    Node,
    number,
    record,
    ref,
    several,
    text,
    whole,
)
from tallystick_server.web.schemas import DOCUMENT_HEADERS, SCHEMA_TYPE

_PATH = "/v1/logs/{log}/schemas"
_DOCUMENT: Node = {
    "type": "object",
    "description": "JSON Schema 2020-12, with `x-tallystick` at the root.",
    "required": ["$schema", "type", "x-tallystick"],
}

EXAMPLE: Node = {
    "$schema": DIALECT,
    "x-tallystick": {"action": "invoice.approved", "version": 1},
    "type": "object",
    "required": ["details"],
    "properties": {
        "details": {
            "type": "object",
            "required": ["invoice"],
            "properties": {
                "invoice": {"type": "string", "x-tallystick": {"indexed": True}},
                "note": {"type": "string", "x-tallystick": {"sensitive": True}},
            },
        }
    },
}
"""A document as it is registered."""


def registering() -> dict[str, Node]:
    """Give the paths of schemas."""
    return {
        _PATH: {"get": _list(), "post": _register()},
        f"{_PATH}/{{id}}/{{version}}": {"get": _get()},
    }


def registered() -> dict[str, Node]:
    """Give the schemas of their answers, by name."""
    return {
        "RegisteredSchema": record(
            "A schema of events, without its document.",
            id=_id(),
            version=_version(),
            action=text("The action of its events.", pattern=whole(ACTION)),
            digest=text(
                "SHA-256 of the document in its one spelling, in hex.",
                pattern=whole("[0-9a-f]{64}"),
            ),
            index=ref("Index"),
            registered_at=ref("Time"),
            registered_by=text(
                "The principal of the token; empty where the entry names none.",
                pattern=whole(f"(?:{SERVICE})?"),
            ),
        ),
        "RegisteredSchemas": record(
            "All schemas of a log, by id and version.",
            log=ref("LogName"),
            schemas=several(ref("RegisteredSchema"), most=MAX_SCHEMAS),
        ),
    }


def _list() -> Node:
    return _operation(
        "listSchemas",
        "Which schemas there are",
        "For every token of the log.",
        {
            "200": answer("All.", HEADERS, ref("RegisteredSchemas"), example="schemas"),
            **problems(UnauthorizedError, NotFoundError, UnavailableError),
        },
    )


def _register() -> Node:
    described = _operation(
        "registerSchema",
        "Register a schema, or its next version",
        "Versions count up from 1, and each takes every event that the one before took."
        " The registration is an event of the log.",
        {
            "201": answer(
                "It is in use.", HEADERS, ref("RegisteredSchema"), example="schema"
            ),
            "200": answer("It was already.", HEADERS, ref("RegisteredSchema")),
            **problems(
                UnauthorizedError,
                NotFoundError,
                TimedOutError,
                SchemaTakenError,
                TooLargeError,
                UnsupportedTypeError,
                UnprocessableError,
                QueueFullError,
                UnavailableError,
                DiskFullError,
            ),
        },
    )
    media = {"schema": _DOCUMENT}
    shown = {**media, "examples": {"real": {"value": EXAMPLE}}}
    return {
        **described,
        "requestBody": {
            "required": True,
            "description": "The document; spaces and the order of names do not count.",
            "content": {SCHEMA_TYPE: shown, "application/json": media},
        },
    }


def _get() -> Node:
    return _operation(
        "getSchema",
        "The document of a schema",
        "For every token of the log. It never changes or goes away.",
        {
            "200": answer("The document.", DOCUMENT_HEADERS, _DOCUMENT),
            **problems(UnauthorizedError, NotFoundError, UnavailableError),
        },
        parameter("path", "id", "The schema's id.", _id(), example="user.created"),
        parameter("path", "version", "Its version.", _version(), example=1),
    )


def _operation(
    name: str, summary: str, description: str, responses: dict[str, Node], *more: Node
) -> Node:
    return {
        "operationId": name,
        "tags": ["keep"],
        "summary": summary,
        "description": description,
        "security": [{BEARER: []}],
        "parameters": [
            ref("log", "parameters"),
            *more,
            ref("request-id", "parameters"),
        ],
        "responses": responses,
    }


def _id() -> Node:
    return text("The id of the schema.", pattern=whole(SCHEMA_ID))


def _version() -> Node:
    return number("Counts up from 1.", least=1, most=MAX_VERSION)
