"""Headers that stand on every answer."""

from __future__ import annotations

from aiohttp import hdrs

COMMON = {
    "X-Content-Type-Options": "nosniff",
    hdrs.SERVER: "tallystick",  # else the HTTP library names itself and its version
}
"""On every answer."""

PUBLIC = {**COMMON, "Access-Control-Allow-Origin": "*"}
"""On every answer that anybody may read, also a page of another site."""
