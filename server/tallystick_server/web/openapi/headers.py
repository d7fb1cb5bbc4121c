"""Headers of the document and of its page, and the page's style.

The page is allowed its one style by hash, and nothing else: no script, no font, no
picture, no form, no frame.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from aiohttp import hdrs

from tallystick_server.web.headers import COMMON, PUBLIC

STYLE = files(__package__).joinpath("style.css").read_text("utf-8")
"""The style of the page."""

_STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()

DOCUMENT_HEADERS = {
    hdrs.CONTENT_TYPE: "application/json",
    hdrs.CACHE_CONTROL: "no-cache",
    **PUBLIC,
}
"""Headers of the document."""

PAGE_HEADERS = {
    hdrs.CONTENT_TYPE: "text/html; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-cache",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    **COMMON,
}
"""Headers of the page."""
