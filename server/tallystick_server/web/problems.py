"""The only place that turns errors into responses (RFC 9457).

    {"type": "https://tallystick.dev/problems/<code>", "title", "status", "detail",
     "request_id", "errors"? [{"pointer", "detail"}]}

`type` is stable.  Whatever is not there, or not the caller's, has one body.  An error
nobody expected is logged with its traceback and answered without detail.  A cancelled
request stays cancelled.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from aiohttp import hdrs, web
from aiohttp.web_request import BaseRequest

from tallystick_server.errors import (
    BadRequestError,
    EventError,
    NotFoundError,
    RequestError,
    SigningStoppedError,
    StoreError,
    TimedOutError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from tallystick_server.ops.logging import clean
from tallystick_server.web.headers import COMMON

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TYPES = "https://tallystick.dev/problems/"
"""What every problem type begins with; the code follows."""

REQUEST_ID = "X-Request-ID"
"""Header that names a request, in both directions."""

MAX_DETAIL = 500
"""Longest detail, in characters; what is longer is cut."""

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
"""What a request may be named; another wish is not echoed."""


class Kind(NamedTuple):
    """A kind of problem; the refusals of `errors` are kinds too."""

    status: int
    code: str
    title: str


METHOD_NOT_ALLOWED = Kind(405, "method-not-allowed", "Method not allowed")
"""The path is there, but takes other methods."""

INTERNAL = Kind(500, "internal", "Internal error")
"""An error that nobody expected."""

_NOTHING_HERE = "there is nothing here"
_CUT = (TimedOutError, TooLargeError)


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever a handler raises, and echo a sane request id.

    No path of ours needs an escape, and one that a proxy would not read as we do could
    get past its rules: there is nothing behind any.
    """
    try:
        if "%" in request.rel_url.raw_path:
            raise NotFoundError(_NOTHING_HERE)  # noqa: TRY301 -- answered below
        response = await handler(request)
    except RequestError as error:
        return refusal(request, error)
    except web.HTTPException as error:  # the router: no such path, no such method
        return routed(request, error)
    except StoreError:
        log.exception("store failed", extra={"path": request.rel_url.raw_path})
        return refusal(request, UnavailableError("the store of the log failed"))
    except SigningStoppedError as error:
        return refusal(request, UnavailableError(f"the log does not sign: {error}"))
    except web.RequestPayloadError:
        return refusal(request, BadRequestError("malformed body"))
    except Exception:
        response = unexpected(request)
        if request.transport is not None:  # else the client went away, and that is all
            log.exception("request failed", extra=_facts(request, response))
        return response
    wished = request.headers.get(REQUEST_ID)
    if wished is not None and SANE_ID.fullmatch(wished):
        response.headers[REQUEST_ID] = wished
    return response


def refusal(request: BaseRequest, error: RequestError) -> web.Response:
    """Answer a refusal with its status, its code and its detail."""
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
    if isinstance(error, UnauthorizedError):
        headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    detail = _NOTHING_HERE if isinstance(error, NotFoundError) else error.detail
    kind = Kind(error.status, error.code, error.title)
    response = problem(request, kind, detail, headers=headers, errors=errors_of(error))
    if isinstance(error, _CUT):
        response.force_close()  # the rest of the body is not wanted
    return response


def errors_of(error: RequestError) -> list[dict[str, str]]:
    """Say what is wrong with an event, and where: a JSON Pointer (RFC 6901)."""
    if not isinstance(error, EventError):
        return []
    return [{"pointer": error.pointer, "detail": printable(error.detail)}]


def printable(detail: str) -> str:
    """Give a detail as it may be shown: printable, and cut where it is too long."""
    return clean(detail, longest=MAX_DETAIL)


def problem(
    request: BaseRequest,
    kind: Kind,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> web.Response:
    """Write a problem document; `errors` say what is wrong at which JSON Pointer."""
    request_id = _request_id(request)
    body = {
        "type": TYPES + kind.code,
        "title": kind.title,
        "status": kind.status,
        "detail": printable(detail),
        "request_id": request_id,
        **({"errors": list(errors)} if errors else {}),
    }
    return web.Response(
        status=kind.status,
        body=json.dumps(body).encode(),
        headers={
            hdrs.CONTENT_TYPE: "application/problem+json",
            hdrs.CACHE_CONTROL: "no-store",
            **COMMON,
            REQUEST_ID: request_id,
            **(headers or {}),
        },
    )


def routed(request: BaseRequest, error: web.HTTPException) -> web.Response:
    """Answer what the router or the HTTP library refused.

    It refuses a path, a method, or an expectation on a path that is not there.
    """
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"this takes {allowed}"
        headers: dict[str, str] = {hdrs.ALLOW: allowed}
        return problem(request, METHOD_NOT_ALLOWED, detail, headers=headers)
    return refusal(request, NotFoundError(_NOTHING_HERE))


def unexpected(request: BaseRequest) -> web.Response:
    """Answer an error that nobody expected, without a word about it."""
    return problem(request, INTERNAL, "the server failed to answer")


def _facts(request: web.Request, response: web.Response) -> dict[str, str]:
    """Name a request in the log: never its headers or its body."""
    return {
        "method": request.method,
        "path": request.rel_url.raw_path,
        "request_id": response.headers[REQUEST_ID],
    }


def _request_id(request: BaseRequest) -> str:
    """Take the client's request id if it is sane, else draw one."""
    wished = request.headers.get(REQUEST_ID)
    if wished is not None and SANE_ID.fullmatch(wished):
        return wished
    return secrets.token_hex(8)
