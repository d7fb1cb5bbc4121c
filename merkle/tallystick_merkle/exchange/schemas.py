"""Register schemas in a log of events, and read those that there are.

    POST <api>/schemas                   the document; 201 new, 200 there already
    GET  <api>/schemas
    GET  <api>/schemas/{id}/{version}

What is registered is an event of the log; the answers themselves prove nothing, but a
document is known by its digest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.answers import authorization, read_object
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Exchange, Request, Retry, persist, require
from tallystick_merkle.exchange.keeping import (
    Body,
    ask_log,
    number_of,
    rows_of,
    text_of,
)
from tallystick_merkle.schema import MAX_INPUT, Schema, parse_schema

SCHEMA_TYPE = "application/schema+json"
"""The content type of a document."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CREATED, _OK = 201, 200


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema as a log tells of it: its SHA-256, the entry that registered it, who.

    `registered_at` is RFC 3339; `registered_by` is a principal, or empty.
    """

    id: str
    version: int
    action: str
    digest: bytes
    index: int
    registered_at: str
    registered_by: str


def register_schema(
    log: LogAddress, schema: Schema, *, retry: Retry | None = None
) -> Exchange[tuple[Registered, bool]]:
    """Register a schema, and say whether it is new; a repeat does no harm.

    Raises RefusedError, UnreachableError, ExchangeError, and MalformedError for an
    answer about another schema.
    """
    request = Request(
        "POST",
        f"{log.api_url}/schemas",
        body=schema.text.encode(),
        headers={"Content-Type": SCHEMA_TYPE, **authorization(log.token)},
    )
    response = yield from persist(request, retry or Retry())
    registered = _read(read_object(require(response, _CREATED, _OK).body))
    if registered.digest != schema.digest:
        raise MalformedError("answer", "it is about another schema")
    return registered, response.status == _CREATED


def list_schemas(
    log: LogAddress, *, retry: Retry | None = None
) -> Exchange[tuple[Registered, ...]]:
    """Ask which schemas there are, by id and version.

    Raises RefusedError, UnreachableError, ExchangeError and MalformedError.
    """
    body = yield from ask_log(log, "GET", "/schemas", retry=retry)
    return tuple(map(_read, rows_of(body, "schemas")))


def read_schema(
    log: LogAddress, schema_id: str, version: int, *, retry: Retry | None = None
) -> Exchange[Schema]:
    """Fetch the document of one version, and check that it is one, and that one.

    Raises RefusedError, UnreachableError and MalformedError.
    """
    request = Request(
        "GET",
        f"{log.api_url}/schemas/{schema_id}/{version}",
        headers=authorization(log.token),
        limit=MAX_INPUT,
    )
    response = require((yield from persist(request, retry or Retry())), _OK)
    schema = parse_schema(response.body)
    if (schema.id, schema.version) != (schema_id, version):
        raise MalformedError("answer", "it is another schema")
    return schema


def _read(body: Body) -> Registered:
    digest = text_of(body, "digest")
    if _DIGEST.fullmatch(digest) is None:
        raise MalformedError("answer", "no digest")
    return Registered(
        id=text_of(body, "id"),
        version=number_of(body, "version"),
        action=text_of(body, "action"),
        digest=bytes.fromhex(digest),
        index=number_of(body, "index"),
        registered_at=text_of(body, "registered_at"),
        registered_by=text_of(body, "registered_by"),
    )
