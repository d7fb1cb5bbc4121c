"""Read requests strictly: one spelling, caps before bytes, and a time for each body."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from functools import lru_cache

from aiohttp import hdrs, web
from multidict import istr

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.appending import MAX_KEY
from tallystick_merkle.spelling import parse_decimal
from tallystick_server.errors import (
    BadRequestError,
    TimedOutError,
    TooLargeError,
    UnsupportedTypeError,
)

IDEMPOTENCY_KEY = istr("Idempotency-Key")
"""Header with the key under which a request may be repeated."""

BODY_TYPE = "application/octet-stream"
"""The one content type of entries and batches; it may be left out."""

KEY = re.compile(rf"[!-~]{{1,{MAX_KEY}}}", re.ASCII)
"""What an idempotency key may be."""

_PARAMETER = re.compile(r"([a-z_]{1,32})=([A-Za-z0-9._-]{0,64})", re.ASCII)
_MAX_QUERY = 512


def read_query(raw: str, *allowed: str) -> dict[str, str]:
    """Read a raw query; every parameter must be allowed, and stand once.

    Raises BadRequestError. No value of ours needs an escape, so none is taken.
    """
    found: dict[str, str] = {}
    if len(raw) > _MAX_QUERY:
        raise BadRequestError(f"a query has at most {_MAX_QUERY} characters")
    for part in raw.split("&") if raw else []:
        pair = _PARAMETER.fullmatch(part)
        if pair is None or pair[1] not in allowed or pair[1] in found:
            expected = ", ".join(allowed) or "none"
            raise BadRequestError(
                f"query parameter {part[:80]!r}: expected {expected}, each once"
            )
        found[pair[1]] = pair[2]
    return found


def read_number(query: dict[str, str], name: str) -> int:
    """Read a required decimal of the query; raise BadRequestError."""
    try:
        return parse_decimal(query[name].encode(), what="query", where=name)
    except KeyError as error:
        raise BadRequestError(f"query parameter {name} is required") from error
    except MalformedError as error:
        raise BadRequestError(str(error)) from error


@lru_cache(maxsize=256)
def read_wait(raw: str, most_s: float) -> float:
    """Read `wait` and `timeout` of a raw query: seconds to wait for witnesses, or 0.

    Raises BadRequestError. A wait that names no time, or more, is the longest.
    """
    query = read_query(raw, "wait", "timeout")
    wait = query.get("wait", "durable")
    if wait not in ("durable", "witnessed"):
        raise BadRequestError(f"wait={wait}: expected durable or witnessed")
    if "timeout" not in query:
        return most_s if wait == "witnessed" else 0.0
    if wait != "witnessed":
        raise BadRequestError("timeout is for wait=witnessed")
    timeout_s = read_number(query, "timeout")
    if not timeout_s:
        raise BadRequestError("timeout=0: expected at least 1 second")
    return min(float(timeout_s), most_s)


def read_key(request: web.Request) -> str:
    """Read the required Idempotency-Key; raise BadRequestError."""
    keys = request.headers.getall(IDEMPOTENCY_KEY, ())
    if len(keys) != 1 or KEY.fullmatch(keys[0]) is None:
        raise BadRequestError(
            f"one Idempotency-Key of 1 to {MAX_KEY} printable ASCII characters"
            " without spaces is required"
        )
    return keys[0]


def read_type(request: web.Request, types: Collection[str]) -> str:
    """Read the content type, one of `types`; a charset of UTF-8 may go with it.

    Raises UnsupportedTypeError.
    """
    said = request.headers.get(hdrs.CONTENT_TYPE, "").lower()
    media = said.removesuffix("; charset=utf-8").removesuffix(";charset=utf-8")
    if media not in types:
        expected = ", ".join(types)
        raise UnsupportedTypeError(f"the content type must be one of {expected}")
    return media


async def read_body(
    request: web.Request,
    *,
    most: int,
    timeout_s: float,
    types: Collection[str] | None = (BODY_TYPE,),
) -> bytes:
    """Read the body: at most `most` bytes, within the time, as it was sent.

    `types` are the content types that may be named, None where `read_type` has seen
    to it.  Raises UnsupportedTypeError, TooLargeError (before a byte is read when the
    length says so) or TimedOutError.
    """
    headers = request.headers
    named = headers.get(hdrs.CONTENT_TYPE, BODY_TYPE).lower()
    if types is not None and named not in types:
        raise UnsupportedTypeError(f"the content type must be {BODY_TYPE}")
    if hdrs.CONTENT_ENCODING in headers:
        raise UnsupportedTypeError("a content encoding is not taken")
    if (request.content_length or 0) > most:
        raise TooLargeError(f"the body may have {most} bytes")
    if request.content.is_eof():  # it came with the head: the common case
        body = request.content.read_nowait()
    else:
        try:
            async with asyncio.timeout(timeout_s):
                body = await _read_capped(request, most)
        except TimeoutError as error:
            raise TimedOutError("the body did not arrive in time") from error
    if len(body) > most:
        raise TooLargeError(f"the body may have {most} bytes")
    return body


async def _read_capped(request: web.Request, most: int) -> bytes:
    """Read until the end, or until there is more than `most`."""
    parts: list[bytes] = []
    size = 0
    while size <= most:
        part = await request.content.readany()
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)
