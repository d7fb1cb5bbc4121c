"""Requests, replies, and the small steps that all exchanges are made of.

    exchange:  yields  tuple[Request, ...]  and is sent  tuple[Reply, ...]
               yields  Pause                and is sent  ()

A driver makes the requests of one step in any order or at once, answers each with a
Response or, when none came, with a Failure; it never raises into the exchange.  It
reads at most `Request.limit` bytes of a decoded body (more is a Failure) and follows
no redirect.  For a Pause it sleeps `least_s` plus a random share of `spread_s` (full
jitter): chance and clocks are the driver's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tallystick_merkle.errors import RefusedError, UnreachableError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `headers` may hold a secret and are never shown.

    `limit` is the longest decoded body that is of use, in bytes; `timeout_s` bounds
    the whole request.
    """

    method: str
    url: str
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    limit: int = 64 * 1024
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer; header names are lower case, the body is decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, and why in one line. The request may have been carried out."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Sleep `least_s` seconds plus a random share of `spread_s` seconds."""

    least_s: float
    spread_s: float


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long to try again: full jitter over a doubling spread."""

    attempts: int = 6
    spread_s: float = 0.1
    most_s: float = 10.0


Step = tuple[Request, ...] | Pause
Reply = Response | Failure
Exchange = Generator[Step, tuple[Reply, ...], T]

NO_RETRY = Retry(attempts=1)
"""One attempt and no more."""

RETRYABLE = frozenset({429, 502, 503, 504})
"""Statuses that say: later, the same request may pass."""

MAX_WISH_S = 60.0
"""Longest Retry-After that is honoured in full, in seconds."""

_NOT_ASKED = Failure("a retry of no attempts")
_SECONDS = re.compile(r"[0-9]{1,6}", re.ASCII)
_MAX_DETAIL = 500


def ask(request: Request) -> Exchange[Response]:
    """Make one request; raise UnreachableError when no answer came."""
    (reply,) = yield (request,)
    return _answered(request, reply)


def persist(request: Request, retry: Retry) -> Exchange[Response]:
    """Make a request that may safely be repeated until it is answered for good.

    Tries again when no answer came or the status is 429, 502, 503 or 504, waiting at
    least what Retry-After asks for.  Returns the last answer, whatever its status;
    raises UnreachableError when the last attempt had none.
    """
    (response,) = yield from persist_all((request,), retry)
    return response


def persist_all(
    requests: tuple[Request, ...], retry: Retry
) -> Exchange[tuple[Response, ...]]:
    """Do what `persist` does for several requests at once, in one step a round.

    Only those not yet answered for good are made again, after one pause for all.
    """
    replies: dict[int, Reply] = {}
    waiting = list(range(len(requests)))
    spread_s = retry.spread_s
    for attempt in range(retry.attempts):
        if not waiting:
            break
        if attempt:
            wished_s = max(_wished_s(replies[place]) for place in waiting)
            yield Pause(min(wished_s, MAX_WISH_S), spread_s)
            spread_s = min(spread_s * 2, retry.most_s)
        answers = yield tuple(requests[place] for place in waiting)
        replies.update(zip(waiting, answers, strict=True))
        waiting = [place for place in waiting if _may_pass_later(replies[place])]
    return tuple(
        _answered(request, replies.get(place, _NOT_ASKED))
        for place, request in enumerate(requests)
    )


def retry_after_s(response: Response) -> float | None:
    """Read Retry-After in whole seconds; a date or nonsense is None."""
    text = response.headers.get("retry-after", "")
    return float(text) if _SECONDS.fullmatch(text) else None


def require(response: Response, *statuses: int) -> Response:
    """Return the response if its status is one of `statuses`, else raise RefusedError.

    The detail and the code come from a problem+json body (RFC 9457) where there is
    one; both are capped and stripped of control characters.
    """
    if response.status in statuses:
        return response
    code, detail = _read_problem(response)
    raise RefusedError(
        response.status,
        detail,
        code=code,
        retry_after_s=retry_after_s(response),
    )


def clean_text(text: str) -> str:
    """Keep the printable characters of a peer's text, at most 500 of them."""
    return "".join(mark for mark in text[:_MAX_DETAIL] if mark.isprintable())


def _may_pass_later(reply: Reply) -> bool:
    return isinstance(reply, Failure) or reply.status in RETRYABLE


def _wished_s(reply: Reply) -> float:
    """Seconds a reply asks to wait; 0 where it asks for nothing."""
    return 0.0 if isinstance(reply, Failure) else retry_after_s(reply) or 0.0


def _answered(request: Request, reply: Reply) -> Response:
    """Turn a Failure into UnreachableError."""
    if isinstance(reply, Failure):
        raise UnreachableError(f"{request.method} {request.url}: {reply.reason}")
    return reply


def _read_problem(response: Response) -> tuple[str, str]:
    """Read type and detail of a problem document, or the first line of a text."""
    kind = response.headers.get("content-type", "")
    if kind.startswith("application/problem+json"):
        try:
            problem = json.loads(response.body)
        except (ValueError, RecursionError):
            problem = None
        if isinstance(problem, dict):
            code, detail, title = (
                value if isinstance(value := problem.get(name), str) else ""
                for name in ("type", "detail", "title")
            )
            return clean_text(code), clean_text(detail or title) or "no detail"
    text = response.body[:_MAX_DETAIL].decode("utf-8", "replace")
    return "", clean_text(text.partition("\n")[0]) or "no detail"
