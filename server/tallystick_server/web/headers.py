"""Headers that stand on every answer."""

from __future__ import annotations

from aiohttp import hdrs, web

COMMON = {
    "X-Content-Type-Options": "nosniff",
    hdrs.SERVER: "tallystick",  # else the HTTP library names itself and its version
}
"""On every answer."""

PUBLIC = {**COMMON, "Access-Control-Allow-Origin": "*"}
"""On every answer that anybody may read, also a page of another site."""


def is_held(request: web.Request, tag: str) -> bool:
    """Whether a request says that it has what `tag` names (RFC 9110 §13.1.2)."""
    held = ",".join(request.headers.getall(hdrs.IF_NONE_MATCH, ()))
    return held.strip() == "*" or tag in held
