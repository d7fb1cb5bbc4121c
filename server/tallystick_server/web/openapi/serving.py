"""Serve the document and its page.

GET /openapi.json     the document
GET /docs             the same as a page
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256

from aiohttp import hdrs, web

from tallystick_server.web.headers import is_held
from tallystick_server.web.incoming import read_query
from tallystick_server.web.openapi.document import document
from tallystick_server.web.openapi.headers import DOCUMENT_HEADERS, PAGE_HEADERS
from tallystick_server.web.openapi.page import write_page


async def get_document(request: web.Request) -> web.Response:
    """Serve the document."""
    return _answer(request, _document(), DOCUMENT_HEADERS)


async def get_page(request: web.Request) -> web.Response:
    """Serve the page."""
    return _answer(request, _page(), PAGE_HEADERS)


@cache
def _document() -> tuple[bytes, str]:
    return _tagged(json.dumps(document(), ensure_ascii=False, indent=1).encode())


@cache
def _page() -> tuple[bytes, str]:
    return _tagged(write_page(document()).encode())


def _tagged(body: bytes) -> tuple[bytes, str]:
    """Give a body and its ETag."""
    return body, f'"{b64encode(sha256(body).digest()[:12]).decode()}"'


def _answer(
    request: web.Request, tagged: tuple[bytes, str], served: Mapping[str, str]
) -> web.Response:
    """Answer with a body, unless the request says that it is held already."""
    read_query(request.rel_url.raw_query_string)
    body, tag = tagged
    headers = {**served, hdrs.ETAG: tag}
    if is_held(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)
