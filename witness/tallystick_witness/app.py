"""The witness over HTTP: tlog-witness, its monitoring API, health and an about page.

    POST /add-checkpoint
    GET  /<hex SHA-256 of an origin>/checkpoint
    GET  /          who this is        GET /livez   GET /readyz

Bodies are bounded in size and in time, and never decompressed.  Errors are one line of
plain text; a 409 is text/x.tlog.size.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from tallystick_merkle.witnessing import MAX_REQUEST, SIZE_TYPE
from tallystick_witness.desk import Desk
from tallystick_witness.errors import (
    BodyError,
    EncodedError,
    TooLargeError,
    TooSlowError,
)
from tallystick_witness.framing import refuse_doubtful

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Face:
    """What the handlers share: the desk, how long a body may take, the about page."""

    desk: Desk
    body_timeout_s: float
    about: str


FACE = web.AppKey("face", Face)
"""Where an application keeps its Face."""


def make_app(face: Face) -> web.Application:
    """Make the application; it opens and closes nothing."""
    app = web.Application(
        middlewares=[answer_errors, refuse_doubtful], client_max_size=MAX_REQUEST
    )
    app[FACE] = face
    app.add_routes(
        [
            web.post("/add-checkpoint", add_checkpoint),
            web.get("/{origin_hash:[0-9a-f]{64}}/checkpoint", read_checkpoint),
            web.get("/", about),
            web.get("/livez", livez),
            web.get("/readyz", readyz),
        ]
    )
    return app


def format_about(name: str, vkeys: tuple[str, ...], url: str) -> str:
    """Write the about page: what a log and its clients need to know of a witness."""
    keys = "".join(f"vkey {vkey}\n" for vkey in vkeys)
    return (
        f"witness {name}\n{keys}"
        f"submission prefix {url}\nmonitoring prefix {url}\n"
        "protocol c2sp.org/tlog-witness\n"
    )


async def add_checkpoint(request: web.Request) -> web.Response:
    """Answer POST /add-checkpoint."""
    face = request.app[FACE]
    body = await _read_body(request, timeout_s=face.body_timeout_s)
    answer = await face.desk.add_checkpoint(body)
    charset = None if answer.content_type == SIZE_TYPE else "utf-8"
    return web.Response(
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type,
        charset=charset,
    )


async def read_checkpoint(request: web.Request) -> web.Response:
    """Answer GET /<origin hash>/checkpoint."""
    place = request.match_info["origin_hash"]
    note = request.app[FACE].desk.checkpoint(place)
    if note is None:
        return _text(404, "no checkpoint of this log was cosigned")
    headers = {"Cache-Control": "no-cache"}
    return web.Response(
        body=note, content_type="text/plain", charset="utf-8", headers=headers
    )


async def about(request: web.Request) -> web.Response:
    """Answer GET /."""
    return web.Response(text=request.app[FACE].about)


async def livez(_: web.Request) -> web.Response:
    """Answer GET /livez: the process runs."""
    return _text(200, "ok")


async def readyz(request: web.Request) -> web.Response:
    """Answer GET /readyz: a checkpoint could be cosigned now."""
    request.app[FACE].desk.witness.check_ready()
    return _text(200, "ok")


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into one line of text; no error tells of our insides."""
    try:
        response = await handler(request)
    except BodyError as error:
        response = _text(error.status, str(error))
        response.force_close()  # what is left of the body is not read
        if error.status in (429, 503):
            response.headers["Retry-After"] = "1"
    except web.HTTPException as error:
        response = _text(error.status, error.reason)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
    except Exception:  # noqa: BLE001 -- the top of a request, logged with its traceback
        _log.exception("request failed", extra={"fields": {"path": request.path}})
        response = _text(500, "internal error")
    return response


async def _read_body(request: web.Request, *, timeout_s: float) -> bytes:
    """Read at most 128 KiB in time; raise BodyError otherwise."""
    if set(request.headers.getall("Content-Encoding", ())) - {"identity"}:
        raise EncodedError("a content encoding is not taken")
    if (request.content_length or 0) > MAX_REQUEST:
        raise TooLargeError(f"a request has at most {MAX_REQUEST} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_REQUEST:
                    raise TooLargeError(f"a request has at most {MAX_REQUEST} bytes")
    except TimeoutError as error:
        raise TooSlowError(f"the body took over {timeout_s} s") from error
    except (web.PayloadAccessError, web.RequestPayloadError) as error:
        raise BodyError("the body is not a valid HTTP body") from error
    return bytes(body)


def _text(status: int, line: str) -> web.Response:
    """Make a one-line answer."""
    return web.Response(status=status, text=line + "\n")
