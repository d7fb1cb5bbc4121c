"""The front page: which logs are here, in plain text."""

from __future__ import annotations

from aiohttp import hdrs, web

from tallystick_merkle.keys import format_vkey
from tallystick_server.web.gating import needs_token
from tallystick_server.web.headers import COMMON
from tallystick_server.web.incoming import read_query
from tallystick_server.web.services import SERVICES, Hosted

HEADERS = {
    hdrs.CONTENT_TYPE: "text/plain; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-cache",
    **COMMON,
}
"""Headers of the front page."""


_ABOUT = """\
Tallystick log server

docs     /docs
openapi  /openapi.json
"""


async def get_index(request: web.Request) -> web.Response:
    """List the logs with their prefixes and public keys."""
    read_query(request.rel_url.raw_query_string)
    hosted = request.app[SERVICES].hosted.values()
    text = _ABOUT + "".join(map(_describe, hosted))
    return web.Response(body=text.encode(), headers=HEADERS)


def _describe(hosted: Hosted) -> str:
    log = hosted.log
    readers = "holders of a token" if needs_token(hosted) else "anybody"
    return (
        f"\nlog      {log.name}\n"
        f"kind     {log.kind}\n"
        f"readers  {readers}\n"
        f"origin   {log.origin}\n"
        f"vkey     {format_vkey(log.key)}\n"
        f"read     /t/{log.name}/checkpoint\n"
        f"api      /v1/logs/{log.name}\n"
    )
