"""The schemas of a log of events.

    POST /v1/logs/{log}/schemas                  register one; scope admin
    GET  /v1/logs/{log}/schemas                  list all; scope emit, read or admin
    GET  /v1/logs/{log}/schemas/{id}/{version}   one document, for good; the same

A registration is an event of the log: 201 says that it is durable and in use.  The same
document again is 200, and nothing is written.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import hdrs, web

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.schema import MAX_INPUT
from tallystick_merkle.spelling import parse_decimal
from tallystick_server.errors import NotFoundError
from tallystick_server.ingest.intake import Intake
from tallystick_server.ingest.schemas.registry import Entry
from tallystick_server.log.tokens import SCOPE_ADMIN, SCOPE_EMIT, SCOPE_READ
from tallystick_server.ops.times import format_time
from tallystick_server.web.append import HEADERS
from tallystick_server.web.events import intake_of
from tallystick_server.web.gating import admit
from tallystick_server.web.incoming import read_body, read_query, read_type
from tallystick_server.web.producers import find_keeping
from tallystick_server.web.services import SERVICES

SCHEMA_TYPE = "application/schema+json"
"""The content type of schema documents; application/json is taken too."""

TYPES = (SCHEMA_TYPE, "application/json")
"""Content types of a document that is to be registered."""

DOCUMENT_HEADERS = {
    **HEADERS,
    hdrs.CONTENT_TYPE: SCHEMA_TYPE,
    hdrs.CACHE_CONTROL: "private, max-age=31536000, immutable",
    hdrs.VARY: hdrs.AUTHORIZATION,
}
"""Headers of a registered document: it never changes."""


async def register_schema(request: web.Request) -> web.Response:
    """Register a schema."""
    hosted = find_keeping(request)
    principal = admit(request, hosted, SCOPE_ADMIN)
    intake = intake_of(hosted)
    read_query(request.rel_url.raw_query_string)
    read_type(request, TYPES)
    document = await read_body(
        request,
        most=MAX_INPUT,
        timeout_s=request.app[SERVICES].limits.body_timeout_s,
        types=None,
    )
    entry, is_new = await intake.registry.register(
        document, intake.emit_own, by=principal
    )
    status = 201 if is_new else 200
    return web.Response(
        body=json.dumps(describe(entry)).encode(), status=status, headers=HEADERS
    )


async def list_schemas(request: web.Request) -> web.Response:
    """List the schemas of a log."""
    intake = _admit_any(request)
    read_query(request.rel_url.raw_query_string)
    entries = intake.registry.entries()
    body = {"log": intake.log.name, "schemas": [describe(one) for one in entries]}
    return web.Response(body=json.dumps(body).encode(), headers=HEADERS)


async def get_schema(request: web.Request) -> web.Response:
    """Give the document of one version of a schema."""
    intake = _admit_any(request)
    read_query(request.rel_url.raw_query_string)
    version = _read_version(request.match_info["version"])
    entry = intake.registry.entry(request.match_info["id"], version)
    return web.Response(body=entry.text.encode(), headers=DOCUMENT_HEADERS)


def describe(entry: Entry) -> dict[str, Any]:
    """Give what is said of a schema without its document."""
    return {
        "id": entry.id,
        "version": entry.version,
        "action": entry.action,
        "digest": entry.digest.hex(),
        "index": entry.index,
        "registered_at": format_time(entry.registered_ms),
        "registered_by": entry.registered_by,
    }


def _admit_any(request: web.Request) -> Intake:
    """Admit whoever has to do with the events of a log; give its intake."""
    hosted = find_keeping(request)
    admit(request, hosted, SCOPE_EMIT, SCOPE_READ, SCOPE_ADMIN)
    return intake_of(hosted)


def _read_version(text: str) -> int:
    """Read a version of a path; another spelling is not there."""
    try:
        return parse_decimal(text.encode(), what="path", where="version")
    except (MalformedError, UnicodeEncodeError) as error:
        raise NotFoundError("no such schema") from error
