"""The envelope: one JSON Schema (2020-12) of every event, whatever its action.

Made of the constants of the kernel.  What the kernel takes, the schema accepts; what it
cannot express is left to the kernel: normal form, how much all fields are together, how
deep values nest, names that stand twice, integers spelled as decimals (`1.0`), days
that there are not.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from tallystick_merkle.event import (
    ACTION,
    CODE,
    EVENT_ID,
    INSTANCE,
    MAX_ACTION,
    MAX_FIELDS,
    MAX_ID,
    MAX_NAME,
    MAX_NUMBER,
    MAX_TARGETS,
    MAX_VERSION,
    OUTCOMES,
    REGION,
    SCHEMA_ID,
    SERVICE,
    TYPE,
)
from tallystick_merkle.eventjson import (
    MAX_REASON,
    MAX_SHORT,
    REQUEST_MEMBERS,
    TIME,
)

ID = "urn:tallystick:event:1"
"""What names the schema: its major version changes with the meaning of an event."""

Node = dict[str, Any]

_PLAIN = r"^[^\u0000-\u001f\u007f-\u009f]+$"


@cache
def envelope() -> Node:
    """Give the schema; it must not be changed."""
    members = _members()
    optional = set(_OPTIONAL)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Tallystick audit event",
        "description": "Who did what to whom, when, with what outcome. Members that are"
        " not named here are refused; free ones go into details. Decimals are texts.",
        **_object(members, [name for name in members if name not in optional]),
        "$defs": _defs(),
    }


_OPTIONAL = (
    "schema",
    "region",
    "corrects",
    "reason",
    "before",
    "after",
    "decision",
    "request",
    "correlation_id",
    "trace_id",
    "roles",
    "details",
)


def _members() -> dict[str, Node]:
    """The members of an event."""
    return {
        "event_id": _said("eventId", "A UUIDv7 of the producer's: the event's name."),
        "action": _text(ACTION, "What was done: a stable verb.", most=MAX_ACTION),
        "actor": _said("reference", "Who acted."),
        "targets": {
            "description": "On what, in order; persons are data subjects.",
            "type": "array",
            "maxItems": MAX_TARGETS,
            "items": {"$ref": "#/$defs/target"},
        },
        "occurred_at": _text(TIME, "When, as the producer says (RFC 3339)."),
        "outcome": {
            "description": "What became of it.",
            **_object(
                {
                    "result": {"enum": list(OUTCOMES)},
                    "code": _text(CODE, "A stable code of the application."),
                },
                ["result"],
            ),
        },
        "producer": {"description": "Who says so.", **_producer()},
        "schema": {
            "description": "The registered schema of the rest.",
            **_object(
                {
                    "id": _text(SCHEMA_ID, "Its id."),
                    "version": _number("Its version.", least=1, most=MAX_VERSION),
                },
                ["id", "version"],
            ),
        },
        "region": _text(REGION, "Where it was processed."),
        "corrects": _said("eventId", "The event that this one corrects."),
        **_free(),
    }


def _free() -> dict[str, Node]:
    """The members whose contents become fields."""
    return {
        "reason": _sized("Why: the intent behind it.", MAX_REASON),
        "before": _said("values", "The fields that changed, as they were."),
        "after": _said("values", "The fields that changed, as they are."),
        "decision": _said("values", "The permission check: effect, policy, rule."),
        "request": {
            "description": "The request that led to it.",
            **_object(
                {name: _sized(f"Its {name}.", 1024) for name in REQUEST_MEMBERS}, []
            ),
        },
        "correlation_id": _sized("Links events of several services.", MAX_SHORT),
        "trace_id": _sized("The trace it belongs to.", MAX_SHORT),
        "roles": {
            "description": "Roles of the actor at the time.",
            "type": "array",
            "maxItems": MAX_FIELDS,
            "items": _sized("A role.", MAX_SHORT),
        },
        "details": _said("values", "Everything else."),
    }


def _producer() -> Node:
    return _object(
        {
            "service": _text(SERVICE, "The principal of the token; may be left out."),
            "instance": _text(INSTANCE, "Which of its processes."),
            "epoch": _number("Tells starts of the instance apart; 0 if left out."),
            "sequence": _number("Counts the instance's events up by one."),
        },
        ["instance", "sequence"],
    )


def _defs() -> dict[str, Node]:
    """What stands in more than one place."""
    plain = {"type": "string", "minLength": 1, "maxLength": MAX_ID, "pattern": _PLAIN}
    reference = {"type": _text(TYPE, "Of what kind."), "id": plain}
    names = {"minLength": 1, "maxLength": MAX_NAME, "pattern": _PLAIN}
    value = {"$ref": "#/$defs/value"}
    return {
        "eventId": {"type": "string", "pattern": _whole(EVENT_ID)},
        "reference": _object(reference, ["type", "id"]),
        "target": _object(
            {
                **reference,
                "person": {
                    "description": "Whether it is a data subject of its own; if left"
                    " out, its type says so.",
                    "type": "boolean",
                },
            },
            ["type", "id"],
        ),
        "values": {
            "type": "object",
            "maxProperties": MAX_FIELDS,
            "propertyNames": names,
            "additionalProperties": value,
        },
        "value": {
            "anyOf": [
                {"type": ["string", "boolean", "null"]},
                {"type": "integer", "minimum": -(2**63), "maximum": 2**64 - 1},
                {"type": "array", "items": value},
                {
                    "type": "object",
                    "propertyNames": names,
                    "additionalProperties": value,
                },
            ]
        },
    }


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _object(members: dict[str, Node], needed: list[str]) -> Node:
    return {
        "type": "object",
        "required": needed,
        "properties": members,
        "additionalProperties": False,
    }


def _said(name: str, description: str) -> Node:
    return {"description": description, "$ref": f"#/$defs/{name}"}


def _text(pattern: str, description: str, *, most: int | None = None) -> Node:
    bound = {} if most is None else {"maxLength": most}
    return {
        "description": description,
        "type": "string",
        "pattern": _whole(pattern),
        **bound,
    }


def _sized(description: str, most: int) -> Node:
    return {
        "description": description,
        "type": "string",
        "minLength": 1,
        "maxLength": most,
    }


def _number(description: str, *, least: int = 0, most: int = MAX_NUMBER) -> Node:
    return {
        "description": description,
        "type": "integer",
        "minimum": least,
        "maximum": most,
    }
