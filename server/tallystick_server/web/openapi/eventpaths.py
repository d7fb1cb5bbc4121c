"""Operations that submit events to a log of events, and show and prove them."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import hdrs

from tallystick_merkle.event import EVENT_ID, MAX_FIELDS
from tallystick_merkle.exchange.appending import MAX_BATCH, MAX_BATCH_BYTES
from tallystick_server.errors import (
    DiskFullError,
    EventError,
    EventReusedError,
    NotFoundError,
    QueueFullError,
    RequestError,
    TimedOutError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnprocessableError,
    UnsupportedTypeError,
)
from tallystick_server.ingest.decoding import MAX_EVENT_BYTES
from tallystick_server.ingest.framing import CBOR, CBOR_SEQ, JSON, NDJSON
from tallystick_server.web.append import HEADERS
from tallystick_server.web.eventquery import DEFAULT_EVENTS, MAX_EVENTS
from tallystick_server.web.openapi.examples import EXAMPLES
from tallystick_server.web.openapi.parts import (
    BEARER,
    answer,
    named,
    parameter,
    problems,
)
from tallystick_server.web.openapi.schemas import Node, number, ref, text, whole

_EVENTS = "/v1/logs/{log}/events"
_LATE = named(hdrs.LOCATION)


def event_paths() -> dict[str, Node]:
    """Give the paths of events."""
    return {
        _EVENTS: {"post": _submit_event(), "get": _list_events()},
        f"{_EVENTS}:batch": {"post": _submit_batch()},
        f"{_EVENTS}/{{event_id}}": {"get": _get_event()},
    }


def _submit_event() -> Node:
    links = {
        "event": _link("getEvent", event_id="$response.body#/event_id"),
        "receipt": _link("getReceipt", index="$response.body#/index"),
    }
    schema = ref("EventAnswer")
    body = {"schema": ref("Event")}
    shown = {"examples": {"real": {"value": EXAMPLES["event-sent"]}}}
    return _operation(
        "submitEvent",
        "Submit an event",
        "Answered when the event is durable, or with `wait=witnessed` when the quorum"
        " has cosigned it. Its `event_id` is what makes a repeat safe: the same event"
        " again is the same entry, another one under that id is refused. The opening in"
        " the answer is the submitter's secret, with which the event is disclosed; no"
        " other answer has it. Needs a token that may emit.",
        _parameters("wait", "timeout"),
        {
            "201": answer(
                "The event is in the log.",
                HEADERS,
                schema,
                extra=_LATE,
                example="event",
                links=links,
            ),
            "200": answer(
                "It was there already: the same event, at the same place.",
                HEADERS,
                schema,
                extra=_LATE,
                example="event-repeated",
                links=links,
            ),
        },
        TimedOutError,
        EventReusedError,
        TooLargeError,
        UnsupportedTypeError,
        UnprocessableError,
        EventError,
        QueueFullError,
        DiskFullError,
        body=_body(
            f"The event: at most {MAX_EVENT_BYTES:,} bytes. `producer.service` is the"
            " principal of the token; it may be left out. CBOR is the deterministic"
            " encoding of the same members.",
            {JSON: {**body, **shown}, CBOR: body},
        ),
    )


def _submit_batch() -> Node:
    items: Node = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_BATCH,
        "items": {"description": "An event; what is none is refused alone."},
    }
    sent = [EXAMPLES["event-sent"], {"action": "…"}]
    return _operation(
        "submitBatch",
        "Submit many events at once",
        "Each is answered for itself, in order; one that is refused keeps none of the"
        " others out, and is kept with the refused events. What is new stands in the"
        " log side by side, and one range proof stands for all of it. Needs a token"
        " that may emit.",
        _parameters("wait", "timeout"),
        {
            "200": answer(
                "What became of each event.",
                HEADERS,
                ref("EventsAnswer"),
                extra=_LATE,
                example="events",
            )
        },
        TimedOutError,
        TooLargeError,
        UnsupportedTypeError,
        UnprocessableError,
        QueueFullError,
        DiskFullError,
        body=_body(
            f"1 to {MAX_BATCH:,} events of at most {MAX_EVENT_BYTES:,} bytes,"
            f" {MAX_BATCH_BYTES:,} bytes together: an array, an event a line, or in"
            " CBOR one after the other (RFC 8742).",
            {
                JSON: {"schema": items, "examples": {"real": {"value": sent}}},
                NDJSON: {"schema": text("An event a line.", minLength=1)},
                CBOR: {"schema": items},
                CBOR_SEQ: {},
            },
        ),
    )


def _get_event() -> Node:
    event_id = parameter(
        "path",
        "event_id",
        "The event's id.",
        text("A UUIDv7.", pattern=whole(EVENT_ID)),
        example=EXAMPLES["event-sent"]["event_id"],
    )
    names: Node = {
        "type": "array",
        "items": text("The name of a field.", minLength=1),
        "minItems": 1,
        "maxItems": MAX_FIELDS,
        "uniqueItems": True,
    }
    fields = {
        **parameter(
            "query",
            "fields",
            "Asks for evidence that shows these fields, each with all below it:"
            " `action,details/ticket`. A name is escaped, the commas between are not.",
            names,
            example=["action"],
        ),
        "style": "form",
        "explode": False,
    }
    shown = answer("As asked for.", HEADERS, _ONE, example="event-shown")
    media = shown["content"]["application/json"]
    media["examples"]["evidence"] = {"value": EXAMPLES["evidence"]}
    return _operation(
        "getEvent",
        "One event, or evidence of some of its fields",
        "Values that the event's schema calls sensitive are left out and named, unless"
        " they are asked for. Evidence is a file that anybody can check, without this"
        " server, against the key of the log. Needs a token that may read.",
        [
            ref("log", "parameters"),
            event_id,
            fields,
            _shown(
                "names",
                "shown",
                "Only with `fields`: whether the names of the other fields are shown"
                " beside those of the free members, or all names of the event, so that"
                " no field of the same name can be elsewhere.",
                more=["all"],
            ),
            _shown("sensitive", "hidden", "Not with `fields`: whether they are shown."),
            ref("request-id", "parameters"),
        ],
        {"200": shown},
        UnprocessableError,
    )


def _list_events() -> Node:
    return _operation(
        "listEvents",
        "Events in the order of the log",
        "A page may end before its limit: `next_after` is where the next one goes on,"
        " while `has_more`. Needs a token that may read.",
        [
            ref("log", "parameters"),
            parameter(
                "query",
                "after",
                "Only events after this index; else from the first on.",
                number("The last of a page."),
            ),
            parameter(
                "query",
                "limit",
                "Most events of the answer.",
                {
                    **number("Events.", least=1, most=MAX_EVENTS),
                    "default": DEFAULT_EVENTS,
                },
            ),
            _shown("sensitive", "hidden", "Whether sensitive values are shown."),
            ref("request-id", "parameters"),
        ],
        {"200": answer("A page.", HEADERS, ref("EventPage"), example="events-listed")},
        UnprocessableError,
    )


_ONE: Node = {"oneOf": [ref("EventShown"), ref("EvidenceAnswer")]}


def _operation(
    name: str,
    summary: str,
    description: str,
    parameters: list[Node],
    replies: dict[str, Node],
    *refusals: type[RequestError],
    body: Node | None = None,
) -> Node:
    refused = problems(UnauthorizedError, NotFoundError, UnavailableError, *refusals)
    return {
        "operationId": name,
        "tags": ["events"],
        "summary": summary,
        "description": description,
        "security": [{BEARER: []}],
        "parameters": parameters,
        **({} if body is None else {"requestBody": body}),
        "responses": {**replies, **refused},
    }


def _parameters(*names: str) -> list[Node]:
    return [ref(name, "parameters") for name in ("log", *names, "request-id")]


def _shown(
    name: str, usual: str, description: str, *, more: Sequence[str] = ()
) -> Node:
    words = ["shown", *more, "hidden"]
    schema = {"type": "string", "enum": words, "default": usual}
    return parameter("query", name, description, schema)


def _body(description: str, content: dict[str, Node]) -> Node:
    return {"required": True, "description": description, "content": content}


def _link(operation: str, **parameters: str) -> Node:
    """Lead from an answer to another operation of the same log."""
    values = {"log": "$request.path.log", **parameters}
    return {"operationId": operation, "parameters": values}
