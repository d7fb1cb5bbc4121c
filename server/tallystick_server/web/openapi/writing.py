"""Operations that append raw entries; to a log of events they are refused."""

from __future__ import annotations

from aiohttp import hdrs

from tallystick_merkle.exchange.appending import MAX_BATCH, MAX_BATCH_BYTES
from tallystick_merkle.tile import MAX_ENTRY
from tallystick_server.errors import (
    DiskFullError,
    KeyReusedError,
    NotFoundError,
    QueueFullError,
    TimedOutError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnprocessableError,
    UnsupportedTypeError,
)
from tallystick_server.web.append import HEADERS
from tallystick_server.web.incoming import BODY_TYPE
from tallystick_server.web.openapi.parts import BEARER, answer, named, problems
from tallystick_server.web.openapi.schemas import Node, ref

_REFUSED = problems(
    UnauthorizedError,
    NotFoundError,
    TimedOutError,
    KeyReusedError,
    TooLargeError,
    UnsupportedTypeError,
    UnprocessableError,
    QueueFullError,
    UnavailableError,
    DiskFullError,
)
_LATE = named(hdrs.LOCATION)


def writing() -> dict[str, Node]:
    """Give the paths of appends."""
    return {
        "/v1/logs/{log}/entries": {"post": _append_entry()},
        "/v1/logs/{log}/entries:batch": {"post": _append_batch()},
    }


def _append_entry() -> Node:
    links = {
        "receipt": _link("getReceipt", index="$response.body#/index"),
        "inclusion": _link(
            "getInclusionProof",
            index="$response.body#/index",
            size="$response.body#/size",
        ),
        "consistency": _link(
            "getConsistencyProof", old="1", new="$response.body#/size"
        ),
    }
    schema = ref("EntryAnswer")
    return {
        "operationId": "appendEntry",
        "tags": ["write"],
        "summary": "Append one entry",
        "description": "Answered when the entry is durable, or with `wait=witnessed`"
        " when the quorum has cosigned it. The receipt in the answer proves that the"
        " entry is in the log.",
        "security": [{BEARER: []}],
        "parameters": _parameters(),
        "requestBody": _body(
            f"The entry: 1 to {MAX_ENTRY:,} bytes, kept as they are.",
            least=1,
            most=MAX_ENTRY,
            example="hello",
        ),
        "responses": {
            "201": answer(
                "The entry is in the log.",
                HEADERS,
                schema,
                extra=_LATE,
                example="entry",
                links=links,
            ),
            "200": answer(
                "The key stood for this entry already: it is the same one, at the same"
                " place.",
                HEADERS,
                schema,
                extra=_LATE,
                example="repeat",
                links=links,
            ),
            **_REFUSED,
        },
    }


def _append_batch() -> Node:
    schema = ref("BatchAnswer")
    receipt = _link("getReceipt", index="$response.body#/first_index")
    return {
        "operationId": "appendBatch",
        "tags": ["write"],
        "summary": "Append many entries at once",
        "description": "The entries become neighbours in the log, in order, under one"
        " key. An empty entry is refused alone. One range proof stands for all.",
        "security": [{BEARER: []}],
        "parameters": _parameters(),
        "requestBody": _body(
            f"1 to {MAX_BATCH:,} times: the length of an entry in two bytes, the high"
            " one first, and the entry.",
            least=2,
            most=MAX_BATCH_BYTES,
            example="\0\5hello\0\0\0\5again",
        ),
        "responses": {
            "201": answer(
                "The entries are in the log.",
                HEADERS,
                schema,
                extra=_LATE,
                example="batch",
                links={"receipt": receipt},
            ),
            "200": answer(
                "The key stood for this batch already; or every entry was empty, and"
                " none was taken.",
                HEADERS,
                schema,
                extra=_LATE,
                example="nothing",
            ),
            **_REFUSED,
        },
    }


def _parameters() -> list[Node]:
    names = ("log", "idempotency-key", "wait", "timeout", "request-id")
    return [ref(name, "parameters") for name in names]


def _body(description: str, *, least: int, most: int, example: str) -> Node:
    """A body of so many bytes: for bytes, the lengths of a schema count them."""
    schema = {"type": "string", "minLength": least, "maxLength": most}
    return {
        "required": True,
        "description": description,
        "content": {
            BODY_TYPE: {"schema": schema, "examples": {"real": {"value": example}}}
        },
    }


def _link(operation: str, **parameters: str) -> Node:
    """Lead from an answer to another operation of the same log."""
    values = {"log": "$request.path.log", **parameters}
    return {"operationId": operation, "parameters": values}
