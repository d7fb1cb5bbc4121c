"""Headers that stand on every answer."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web

COMMON = {
    "X-Content-Type-Options": "nosniff",
    hdrs.SERVER: "tallystick",  # else the HTTP library names itself and its version
}
"""On every answer."""

_SHARED = "Access-Control-Allow-Origin"

PUBLIC = {**COMMON, _SHARED: "*"}
"""On every answer that anybody may read, also a page of another site."""


def for_holder(headers: Mapping[str, str]) -> dict[str, str]:
    """Turn the headers of a public answer into those of one for a token's holder."""
    control = headers.get(hdrs.CACHE_CONTROL, "no-cache").removeprefix("public, ")
    vary = headers.get(hdrs.VARY)
    kept = {name: value for name, value in headers.items() if name != _SHARED}
    return {
        **kept,
        hdrs.CACHE_CONTROL: f"private, {control}",
        hdrs.VARY: f"{vary}, {hdrs.AUTHORIZATION}" if vary else hdrs.AUTHORIZATION,
    }


def is_held(request: web.Request, tag: str) -> bool:
    """Whether a request says that it has what `tag` names (RFC 9110 §13.1.2)."""
    held = ",".join(request.headers.getall(hdrs.IF_NONE_MATCH, ()))
    return held.strip() == "*" or tag in held
