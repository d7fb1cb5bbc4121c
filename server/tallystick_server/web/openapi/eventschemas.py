"""The schemas of answers about events."""

from __future__ import annotations

from tallystick_merkle.event import (
    EVENT_ID,
    MAX_FIELDS,
    MAX_TARGETS,
    MAX_VERSION,
    SCHEMA_ID,
    SERVICE,
)
from tallystick_merkle.exchange.appending import MAX_BATCH
from tallystick_merkle.layout import MAX_GROUPS
from tallystick_merkle.sealing import SEED_SIZE
from tallystick_server.errors import EventError, EventReusedError, RequestError
from tallystick_server.web.eventanswers import ERASED
from tallystick_server.web.eventquery import MAX_EVENTS
from tallystick_server.web.openapi.schemas import (
    Node,
    number,
    record,
    ref,
    several,
    text,
    whole,
)
from tallystick_server.web.problems import TYPES


def event_schemas() -> dict[str, Node]:
    """Give the schemas by name."""
    return {
        "EventLeaf": text(
            "The entry of an event: 80 bytes in base64.",
            pattern=whole("[A-Za-z0-9+/]{107}="),
        ),
        "Opening": record(
            "What discloses an event, together with it: the submitter's secret.",
            **_opening(),
            tenant=text("The tenant of the log.", pattern=whole("[0-9a-f]{32}")),
            service=text("The principal of the token.", pattern=whole(SERVICE)),
        ),
        "BatchOpening": record(
            "An opening; its tenant and service stand once in the answer.",
            **_opening(),
        ),
        "EventAnswer": _with(
            record(
                "Where an event is in the log, its receipt and its opening.",
                index=ref("Index"),
                event_id=_event_id(),
                leaf=ref("EventLeaf"),
                leaf_hash=ref("LeafHash"),
                size=ref("Size"),
                received_at=ref("Time"),
                status=ref("Status"),
                witnessed=ref("Witnessed"),
                receipt=ref("Receipt"),
                opening=_opening_or_null("Opening"),
            ),
            content=_content(),
            warnings=_warnings(),
        ),
        "EventsAnswer": _batch(),
        "EventResult": {
            "oneOf": [_taken(), _repeated(), *map(_refused, _REFUSED)],
        },
        **_read(),
    }


_REFUSED = (EventReusedError, EventError)


def _batch() -> Node:
    return record(
        "What became of each event of a batch, and one proof of what is new.",
        size=ref("Size"),
        received_at=ref("Time"),
        status=ref("Status"),
        witnessed=ref("Witnessed"),
        checkpoint=ref("Checkpoint"),
        first_index=_or_null(
            ref("Index"), "The index of the first new event; null when none is new."
        ),
        count=number("How many events are new.", most=MAX_BATCH),
        proof=record(
            "The range proof of the new events: hashes to the left and to the right.",
            left=ref("Path"),
            right=ref("Path"),
        ),
        tenant=text("The tenant of the log.", pattern=whole("[0-9a-f]{32}")),
        service=text("The principal of the token.", pattern=whole(SERVICE)),
        results={
            **several(ref("EventResult"), least=1, most=MAX_BATCH),
            "description": "One result for each event that came, in order.",
        },
    )


def _read() -> dict[str, Node]:
    """What readers are shown."""
    shown = {
        "index": ref("Index"),
        "event_id": _event_id(),
        "received_at": ref("Time"),
        "leaf": ref("EventLeaf"),
        "leaf_hash": ref("LeafHash"),
        "event": {
            "type": "object",
            "description": "The event, as far as it is shown and can be read.",
        },
        "hidden": {
            "type": "array",
            "description": "Names of fields that are sensitive and not shown.",
            "items": text("The name of a field."),
            "maxItems": MAX_FIELDS,
        },
        "erased": {
            "type": "array",
            "description": "Numbers of groups of fields that cannot be read any more.",
            "items": number("0 the facts, 1 the actor's.", most=MAX_GROUPS - 1),
            "maxItems": MAX_GROUPS,
        },
    }
    standing = {"size": ref("Size"), "status": ref("Status")}
    return {
        "EventShown": record(
            "An event and the best receipt of its leaf.",
            **shown,
            receipt=ref("Receipt"),
            **standing,
        ),
        "ListedEvent": record("An event of a page.", **shown),
        "EventPage": record(
            "Events in the order of the log.",
            events=several(ref("ListedEvent"), most=MAX_EVENTS),
            next_after=number("The index after which the next page begins."),
            size=ref("Size"),
            has_more={
                "type": "boolean",
                "description": "Whether the log has entries beyond this page.",
            },
        ),
        "EvidenceAnswer": record(
            "Evidence that shows some fields of an event.",
            index=ref("Index"),
            event_id=_event_id(),
            evidence=text("The evidence file, in base64."),
            fields={
                "type": "object",
                "description": "The values that it shows, by name.",
            },
            is_single={
                "type": "boolean",
                "description": "Whether it shows that there is no second value of any"
                " of these names in the event.",
            },
            **standing,
        ),
    }


def _opening() -> dict[str, Node]:
    return {
        "seeds": several(
            text("In hex.", pattern=whole(f"[0-9a-f]{{{2 * SEED_SIZE}}}")),
            least=2,
            most=MAX_GROUPS,
        ),
        "index_entry": text("In hex.", pattern=whole("(?:[0-9a-f]{2})+")),
        "schema": _or_null(
            record(
                "The schema that the log applied.",
                id=text("Its id.", pattern=whole(SCHEMA_ID)),
                version=number("Its version.", least=1, most=MAX_VERSION),
            ),
            "The schema that the log applied; null for none.",
        ),
        "places": {
            "type": "object",
            "description": "Which fields the schema gave to which target.",
            "additionalProperties": number("Which.", most=MAX_TARGETS - 1),
        },
    }


def _taken() -> Node:
    return _with(
        record(
            "An event that is new in the log.",
            status={"const": 201},
            index=ref("Index"),
            event_id=_event_id(),
            leaf=ref("EventLeaf"),
            opening=ref("BatchOpening"),
        ),
        warnings=_warnings(),
    )


def _repeated() -> Node:
    return _with(
        record(
            "An event that was there already; it is not in the range proof.",
            status={"const": 200},
            index=ref("Index"),
            event_id=_event_id(),
            leaf=ref("EventLeaf"),
            opening=_opening_or_null("BatchOpening"),
            received_at=ref("Time"),
        ),
        content=_content(),
        warnings=_warnings(),
    )


def _refused(kind: type[RequestError]) -> Node:
    """A result of the kinds of refusals that are one event's alone."""
    refusal = record(
        (kind.__doc__ or "").split("\n")[0],
        status={"const": kind.status},
        type={"const": TYPES + kind.code},
        detail=text("What was expected."),
    )
    if kind is EventError:
        refusal = record(
            refusal["description"], **refusal["properties"], errors=ref("Faults")
        )
    return _with(refusal, event_id=_event_id())


def _with(described: Node, **optional: Node) -> Node:
    """An object that may have more members."""
    return {**described, "properties": {**described["properties"], **optional}}


def _event_id() -> Node:
    return text("The event's id.", pattern=whole(EVENT_ID))


def _content() -> Node:
    return {
        "const": ERASED,
        "description": "Only on a repeat of an event of which something was erased: it"
        " could not be compared whole.",
    }


def _warnings() -> Node:
    return several(text("What was only just let through."), least=1, most=1)


def _opening_or_null(name: str) -> Node:
    return _or_null(ref(name), "Null where something of the event was erased.")


def _or_null(schema: Node, description: str) -> Node:
    return {"description": description, "anyOf": [schema, {"type": "null"}]}
