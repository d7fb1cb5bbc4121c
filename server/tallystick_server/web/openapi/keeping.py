"""Operations of whoever keeps a log of events: its producers, and refused events."""

from __future__ import annotations

from tallystick_merkle.event import INSTANCE, MAX_NUMBER, SERVICE
from tallystick_server.errors import (
    DiskFullError,
    EventError,
    EventReusedError,
    NotFoundError,
    QueueFullError,
    RequestError,
    UnauthorizedError,
    UnavailableError,
)
from tallystick_server.ingest.framing import EVENT_TYPES
from tallystick_server.ingest.sequences import MAX_RANGES
from tallystick_server.ingest.streams import MAX_HEARTBEAT_S
from tallystick_server.web.append import HEADERS
from tallystick_server.web.deadletters import MAX_LETTER_ID, MAX_LETTERS
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
from tallystick_server.web.producers import MAX_ROWS

_LETTER = "/v1/logs/{log}/dead-letters/{id}"


def keeping() -> dict[str, Node]:
    """Give the paths of administration."""
    return {
        "/v1/logs/{log}/producers": {"get": _list_producers()},
        "/v1/logs/{log}/dead-letters": {"get": _list_letters()},
        _LETTER: {"get": _get_letter(), "delete": _drop_letter()},
        f"{_LETTER}/redrive": {"post": _redrive_letter()},
    }


def kept() -> dict[str, Node]:
    """Give the schemas of their answers, by name."""
    letter = _letter_members()
    return {
        "Producer": _producer(),
        "Producers": record(
            "The producers of a log, from one index on.",
            log=ref("LogName"),
            as_of=ref("Time"),
            producers=several(ref("Producer"), most=MAX_ROWS),
            folded={
                "type": "array",
                "description": "Starts that are not followed any more, because there"
                " were too many.",
                "items": record(
                    "Those of one principal.",
                    principal=_principal(),
                    count=number("How many starts.", least=1),
                    missing=number("How many numbers these lacked."),
                ),
            },
            next_after=_or_null(
                ref("Index"), "Where the next page begins; null at the end."
            ),
        ),
        "DeadLetter": record("A refused event without what it says.", **letter),
        "DeadLetters": record(
            "Refused events, newest first.",
            log=ref("LogName"),
            letters=several(ref("DeadLetter"), most=MAX_LETTERS),
            count=number("How many are kept in all."),
            bytes=number("How many bytes they count for."),
            pushed_out=number(
                "How many went to make room, or for their age, since the start."
            ),
            not_kept=number("How many could not be kept since the start."),
            next_before=_or_null(
                _number_of_letter(), "Where the next page begins; null at the end."
            ),
        ),
        "WholeDeadLetter": record(
            "A refused event with what came.",
            **letter,
            body=_or_null(text("In base64."), "What came; null where it is not there."),
        ),
        "Redriven": record(
            "A refused event that is in the log now.",
            id=_number_of_letter(),
            index=ref("Index"),
            event_id=text("The id of the event."),
            leaf_hash=ref("LeafHash"),
            received_at=ref("Time"),
            is_repeat=_flag("Whether it was in the log already."),
            warnings=several(text("What was only just let through."), most=1),
        ),
        "Dropped": record(
            "A refused event that is gone.",
            id=_number_of_letter(),
            is_dropped={"const": True},
        ),
    }


def _list_producers() -> Node:
    return _operation(
        "listProducers",
        "What is known of the producers",
        "One row for each start of an instance, in the order of their first events:"
        " its numbers, what is missing of them, and its times.",
        "Producers",
        _page("after", "Only starts whose first event came after this index."),
        _limit(MAX_ROWS),
        example="producers",
    )


def _list_letters() -> Node:
    return _operation(
        "listDeadLetters",
        "Events that were refused",
        "Newest first, without what they say. A log keeps so many, and the oldest go.",
        "DeadLetters",
        _page("before", "Only those with a smaller id."),
        _limit(MAX_LETTERS),
        example="dead-letters",
    )


def _get_letter() -> Node:
    return _operation(
        "getDeadLetter",
        "One refused event, with what came",
        "The body is there unless it was too long, or its key is gone.",
        "WholeDeadLetter",
        _id(),
        example="dead-letter",
    )


def _drop_letter() -> Node:
    return _operation(
        "dropDeadLetter",
        "Drop a refused event",
        "For good.",
        "Dropped",
        _id(),
        example="dropped",
    )


def _redrive_letter() -> Node:
    return _operation(
        "redriveDeadLetter",
        "Submit a refused event again",
        "In the name of the principal that sent it, as it came. When the event is in"
        " the log, it is dropped here; refused again, it stays, with the new reason.",
        "Redriven",
        _id(),
        example="redriven",
        refusals=(EventReusedError, EventError, QueueFullError, DiskFullError),
    )


def _operation(
    name: str,
    summary: str,
    description: str,
    schema: str,
    *more: Node,
    example: str,
    refusals: tuple[type[RequestError], ...] = (),
) -> Node:
    """An operation of whoever may administer the log."""
    refused = problems(
        UnauthorizedError,
        NotFoundError,
        UnavailableError,
        *refusals,
    )
    return {
        "operationId": name,
        "tags": ["keep"],
        "summary": summary,
        "description": description,
        "security": [{BEARER: []}],
        "parameters": [ref("log", "parameters"), *more, _request_id()],
        "responses": {
            "200": answer("As asked for.", HEADERS, ref(schema), example=example),
            **refused,
        },
    }


def _request_id() -> Node:
    return ref("request-id", "parameters")


def _id() -> Node:
    return parameter(
        "path", "id", "The number of the letter.", _number_of_letter(), example=1
    )


def _page(name: str, description: str) -> Node:
    return parameter("query", name, description, number("The last of a page."))


def _limit(most: int) -> Node:
    return parameter(
        "query",
        "limit",
        "Most rows of the answer.",
        {**number("Rows.", least=1, most=most), "default": most},
    )


def _number_of_letter() -> Node:
    return number("The number of a letter; never used twice.", most=MAX_LETTER_ID)


def _principal() -> Node:
    return text("The principal of its token.", pattern=whole(SERVICE))


def _flag(description: str) -> Node:
    return {"type": "boolean", "description": description}


def _or_null(schema: Node, description: str) -> Node:
    return {"description": description, "anyOf": [schema, {"type": "null"}]}


def _count(description: str) -> Node:
    return number(description, most=MAX_NUMBER)


def _letter_members() -> dict[str, Node]:
    return {
        "id": _number_of_letter(),
        "received_at": ref("Time"),
        "principal": _principal(),
        "content_type": text("How the body is written.", enum=list(EVENT_TYPES)),
        "code": text("The code of the refusal, as in its `type`."),
        "pointer": text("The place in the event, a JSON Pointer; empty for all of it."),
        "detail": text("What was expected."),
        "size": number("Bytes of the body as it came."),
        "is_kept": _flag("Whether the body was short enough to be kept."),
        "is_readable": _flag(
            "Whether it opens; if not, its key is gone or it is damaged, and pointer"
            " and detail are empty."
        ),
    }


def _producer() -> Node:
    """One start of one instance."""
    gap = record(
        "Numbers [start, stop), of which so many are missing; fewer than it spans"
        f" where ranges were joined, because a start has at most {MAX_RANGES}.",
        start=_count("The first."),
        stop=number("The one after the last.", most=MAX_NUMBER + 1),
        missing=_count("How many are missing."),
    )
    return record(
        "One start of one instance of a producer.",
        principal=_principal(),
        instance=text("The instance.", pattern=whole(INSTANCE)),
        epoch=_count("Which start of the instance."),
        is_over=_flag(
            "Whether a later start was seen. What this one sent after its last number"
            " cannot be known."
        ),
        events=number("How many events came."),
        first_sequence=_count("The lowest number of the present run."),
        last_sequence=_count("The highest one."),
        missing=number("How many numbers between them have not come."),
        overdue=number("How many of these are late by more than the grace."),
        gaps=several(gap, most=MAX_RANGES),
        lost=number("Numbers that lacked in runs before the last reset but one."),
        filled=number("How many came late."),
        duplicates=number("How many came under a number that was used."),
        resets=number("How often it began to count anew within one epoch."),
        late=number("How many came long after they happened."),
        max_late_ms=number("The longest of these times."),
        ahead=number("How many came before they happened: its clock is off."),
        max_ahead_ms=number("The longest of these times."),
        heartbeat_s=number(
            "Seconds between the heartbeats it announced; 0 for none.",
            most=MAX_HEARTBEAT_S,
        ),
        is_silent=_flag("Whether three of them are missing."),
        first_index=ref("Index"),
        last_index=ref("Index"),
        last_occurred_at=ref("Time"),
        last_received_at=ref("Time"),
    )
