"""Serve what every producer has to know: the schema of events, and the taxonomy.

GET /v1/schemas/event.json     the JSON Schema of the envelope
GET /v1/taxonomy               the actions that have a meaning of their own
"""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from hashlib import sha256

from aiohttp import hdrs, web

from tallystick_server.ingest.envelope import envelope
from tallystick_server.ingest.taxonomy import format_taxonomy
from tallystick_server.web.headers import PUBLIC, is_held
from tallystick_server.web.incoming import read_query

SCHEMA_HEADERS = {
    hdrs.CONTENT_TYPE: "application/schema+json",
    hdrs.CACHE_CONTROL: "no-cache",
    **PUBLIC,
}
"""Headers of the schema."""

TAXONOMY_HEADERS = {**SCHEMA_HEADERS, hdrs.CONTENT_TYPE: "application/json"}
"""Headers of the taxonomy."""


async def get_envelope(request: web.Request) -> web.Response:
    """Serve the JSON Schema of the envelope."""
    return _answer(request, *_envelope(), SCHEMA_HEADERS)


async def get_taxonomy(request: web.Request) -> web.Response:
    """Serve the taxonomy."""
    return _answer(request, *_taxonomy(), TAXONOMY_HEADERS)


@cache
def _envelope() -> tuple[bytes, str]:
    return _tagged(envelope())


@cache
def _taxonomy() -> tuple[bytes, str]:
    return _tagged(format_taxonomy())


def _tagged(document: object) -> tuple[bytes, str]:
    """Give a document's body and its ETag."""
    body = json.dumps(document, ensure_ascii=False, indent=1).encode()
    return body, f'"{b64encode(sha256(body).digest()[:12]).decode()}"'


def _answer(
    request: web.Request, body: bytes, tag: str, served: dict[str, str]
) -> web.Response:
    """Answer with a body, unless the request says that it is held already."""
    read_query(request.rel_url.raw_query_string)
    headers = {**served, hdrs.ETAG: tag}
    if is_held(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)
