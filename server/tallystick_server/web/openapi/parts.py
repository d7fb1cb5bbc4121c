"""Parameters, headers and answers: what operations are made of."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs

from tallystick_server.errors import (
    BadRequestError,
    DiskFullError,
    EventError,
    EventReusedError,
    KeyReusedError,
    NotFoundError,
    QueueFullError,
    RequestError,
    SchemaTakenError,
    TimedOutError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnprocessableError,
    UnsupportedTypeError,
)
from tallystick_server.web.headers import COMMON, for_holder
from tallystick_server.web.incoming import IDEMPOTENCY_KEY, KEY
from tallystick_server.web.openapi.examples import EXAMPLES
from tallystick_server.web.openapi.schemas import Node, number, ref, text, whole
from tallystick_server.web.problems import (
    INTERNAL,
    METHOD_NOT_ALLOWED,
    REQUEST_ID,
    SANE_ID,
    TYPES,
    Kind,
)

BEARER = "token"
"""The name of the security scheme."""

FOR_READERS: list[Node] = [{}, {BEARER: []}]
"""Security of what is for everybody, or of some logs for holders of a token."""

PROBLEM_TYPE = "application/problem+json"
"""The content type of every refusal."""

REFUSALS: tuple[type[RequestError], ...] = (
    BadRequestError,
    UnauthorizedError,
    NotFoundError,
    TimedOutError,
    KeyReusedError,
    EventReusedError,
    SchemaTakenError,
    TooLargeError,
    UnsupportedTypeError,
    UnprocessableError,
    EventError,
    QueueFullError,
    UnavailableError,
    DiskFullError,
)
"""Refusals that are the answer to a request."""


def parameters() -> dict[str, Node]:
    """Give the parameters that operations share, by name."""
    return {
        "log": parameter(
            "path", "log", "The log's name.", ref("LogName"), example="events"
        ),
        "index": parameter(
            "path", "index", "The entry's index.", ref("Index"), example=1
        ),
        "wait": parameter(
            "query",
            "wait",
            "What to wait for: until the entry is durable, or until the quorum of the"
            " policy has cosigned a head that holds it.",
            {"type": "string", "enum": ["durable", "witnessed"], "default": "durable"},
        ),
        "timeout": parameter(
            "query",
            "timeout",
            "Only with `wait=witnessed`: how many seconds to wait at most; more than"
            " the server grants is cut. When they run out, the answer is the promised"
            " receipt.",
            number("Seconds.", least=1),
        ),
        "idempotency-key": {
            **parameter(
                "header",
                str(IDEMPOTENCY_KEY),
                "Names this append, for good: the same key with the same body is the"
                " same entry, with another body it is refused. A key belongs to the"
                " token's principal.",
                text("Drawn by the client.", pattern=whole(KEY.pattern)),
            ),
            "required": True,
        },
        "request-id": parameter(
            "header",
            REQUEST_ID,
            f"Names the request; echoed if it matches `{SANE_ID.pattern}`, else no"
            " notice is taken of it.",
            {"type": "string"},
        ),
        "if-none-match": parameter(
            "header",
            hdrs.IF_NONE_MATCH,
            "The ETag of what is held already: the answer is 304 if it is still that.",
            {"type": "string"},
        ),
        "accept-encoding": parameter(
            "header",
            hdrs.ACCEPT_ENCODING,
            "With `gzip` the answer may be compressed.",
            {"type": "string"},
        ),
    }


def parameter(
    place: str, name: str, description: str, schema: Node, *, example: object = None
) -> Node:
    """A parameter; those of a path are required."""
    found: Node = {"name": name, "in": place, "description": description}
    if place == "path":
        found["required"] = True
    if example is not None:
        found["example"] = example
    return {**found, "schema": schema}


def headers() -> dict[str, Node]:
    """Give the headers of answers, by name."""
    return {
        REQUEST_ID: header(
            "The name of the request: the client's, or one that was drawn.",
            {"type": "string", "pattern": whole(SANE_ID.pattern)},
        ),
        hdrs.ETAG: header(
            "Names what was answered; for If-None-Match.",
            {"type": "string", "pattern": '^"[!#-~]+"$'},
            is_always=True,
        ),
        hdrs.LOCATION: header(
            "Where to ask for the witnessed receipt, when a wait has run out.",
            {"type": "string"},
        ),
        hdrs.CONTENT_ENCODING: header("Whether it is compressed.", {"const": "gzip"}),
    }


def header(description: str, schema: Node, *, is_always: bool = False) -> Node:
    """A header; it may be absent unless it `is_always` there."""
    found: Node = {"description": description, "schema": schema}
    return {**found, "required": True} if is_always else found


def named(name: str) -> dict[str, Node]:
    """A header that the components describe."""
    return {name: ref(name, "headers")}


def fixed(*served: Mapping[str, str]) -> dict[str, Node]:
    """Headers that an answer has, with these values; or with one of several sets."""
    described = {
        "X-Content-Type-Options": "The content type is to be believed.",
        "Access-Control-Allow-Origin": "Pages of any site may read it.",
        hdrs.CACHE_CONTROL: "Who may keep it, and for how long.",
        hdrs.VARY: "What it depends on.",
        "Content-Security-Policy": "The page loads nothing and runs nothing.",
    }
    found: dict[str, Node] = {}
    for name, about in described.items():
        values = list(dict.fromkeys(one[name] for one in served if name in one))
        if values:
            schema = {"const": values[0]} if len(values) == 1 else {"enum": values}
            is_always = all(name in one for one in served)
            found[name] = header(about, schema, is_always=is_always)
    return found


def answer(
    description: str,
    served: Mapping[str, str],
    schema: Node | None,
    *,
    extra: Mapping[str, Node] | None = None,
    example: str | None = None,
    links: Mapping[str, Node] | None = None,
    is_guarded: bool = False,
) -> Node:
    """A good answer; `served` are the headers that the code sends with it.

    `example` names one of `EXAMPLES`; an answer without a schema is bytes.  Of a log
    that is not for everybody, one that `is_guarded` has the headers for a holder.
    """
    content_type = served[hdrs.CONTENT_TYPE].partition(";")[0]
    media: Node = {} if schema is None else {"schema": schema}
    if example is not None:
        media["examples"] = {"real": {"value": EXAMPLES[example]}}
    found: Node = {
        "description": description,
        "headers": {
            **(fixed(served, for_holder(served)) if is_guarded else fixed(served)),
            **named(REQUEST_ID),
            **(extra or {}),
        },
        "content": {content_type: media},
    }
    return {**found, "links": dict(links)} if links else found


def unchanged(served: Mapping[str, str]) -> Node:
    """The answer to a request that has what is there already."""
    return {
        "description": "It is still what the request says it has.",
        "headers": {**fixed(served), **named(hdrs.ETAG)},
    }


def problems(*kinds: type[RequestError]) -> dict[str, Node]:
    """Refusals of an operation, by status; every one may be malformed, or fail."""
    by_status: dict[int, list[type[RequestError]]] = {}
    every: list[type[RequestError]] = [BadRequestError, *kinds]
    for kind in every:
        by_status.setdefault(kind.status, []).append(kind)
    found = {
        str(status): ref(same[0].code, "responses") if len(same) == 1 else _either(same)
        for status, same in by_status.items()
    }
    return {**found, str(INTERNAL.status): ref(INTERNAL.code, "responses")}


def _either(kinds: list[type[RequestError]]) -> Node:
    """The answer to several kinds of problem of one status."""
    members = {
        "type": {"enum": [TYPES + kind.code for kind in kinds]},
        "title": {"enum": [kind.title for kind in kinds]},
        "status": {"const": kinds[0].status},
    }
    described = _problem(
        Kind(kinds[0].status, "", ""),
        " Or: ".join((kind.__doc__ or "").split("\n")[0] for kind in kinds),
    )
    (media,) = described["content"].values()
    media["schema"] = {**ref("Problem"), "properties": members}
    return described


def responses() -> dict[str, Node]:
    """Give the answer to each kind of problem, by its code."""
    found = {
        kind.code: _problem(
            Kind(kind.status, kind.code, kind.title),
            (kind.__doc__ or "").split("\n")[0],
            **_EXTRA.get(kind, {}),
        )
        for kind in REFUSALS
    }
    allowed = header(
        "The methods that the path takes.", {"type": "string"}, is_always=True
    )
    return {
        **found,
        METHOD_NOT_ALLOWED.code: _problem(
            METHOD_NOT_ALLOWED, "A method that the path does not take.", Allow=allowed
        ),
        INTERNAL.code: _problem(INTERNAL, "A bug; the log of the server has it."),
    }


_SECONDS: Node = {"type": "integer", "minimum": 1}
_LATER = header("Seconds after which to try again.", _SECONDS, is_always=True)
_EXTRA: dict[type[RequestError], dict[str, Node]] = {
    UnauthorizedError: {
        hdrs.WWW_AUTHENTICATE: header(
            "The scheme that is asked for.", {"const": "Bearer"}, is_always=True
        )
    },
    QueueFullError: {hdrs.RETRY_AFTER: _LATER},
    DiskFullError: {hdrs.RETRY_AFTER: _LATER},
    UnavailableError: {
        hdrs.RETRY_AFTER: header(
            "Seconds after which to try again, where that is known.", _SECONDS
        )
    },
}


def _problem(kind: Kind, description: str, **extra: Node) -> Node:
    """The answer to one kind of problem."""
    members = {
        "type": {"const": TYPES + kind.code},
        "title": {"const": kind.title},
        "status": {"const": kind.status},
    }
    schema: Node = {**ref("Problem"), "properties": members}
    if kind.code == EventError.code:
        schema["required"] = ["errors"]
    example = EXAMPLES.get(kind.code)
    media: Node = {"schema": schema}
    if example is not None:
        media["examples"] = {"real": {"value": example}}
    named = {**headers()[REQUEST_ID], "required": True}
    return {
        "description": description,
        "headers": {
            **fixed({**COMMON, hdrs.CACHE_CONTROL: "no-store"}),
            REQUEST_ID: named,
            **extra,
        },
        "content": {PROBLEM_TYPE: media},
    }
