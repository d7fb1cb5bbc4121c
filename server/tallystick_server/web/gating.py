"""Who may do what with a log: by its kind, and by his token.

A log of raw entries is for everybody to read.  What a log of events gives away is that
something happened, when, and how much: its tiles, proofs and receipts need a token with
the scope `read` or `audit`, unless the log was configured to be public (D21); proofs
and receipts are for those who `emit` as well.  Its checkpoint is open in any case:
witnesses and monitors compare it.

Whoever may not read is told the same as everybody without a token, and before it is
looked at whether what he asks for is there.  What was read with a token is for its
holder alone: no shared cache may keep it, and no page of another site is told that it
could read it.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web

from tallystick_merkle.genesis import EVENTS, RAW
from tallystick_server.errors import UnprocessableError
from tallystick_server.log.log import Log
from tallystick_server.log.tokens import SCOPE_AUDIT, SCOPE_READ
from tallystick_server.web.headers import for_holder
from tallystick_server.web.services import Hosted

_ROUTES = {RAW: "entries", EVENTS: "events"}


def admit(request: web.Request, hosted: Hosted, *scopes: str) -> str:
    """Give the principal of a request whose token has one of `scopes`.

    Raises UnauthorizedError.
    """
    return hosted.gate.admit(request.headers.get(hdrs.AUTHORIZATION), *scopes)


def require_kind(log: Log, kind: str) -> None:
    """Raise UnprocessableError for a log that takes other things than this route.

    What a log takes is no secret, so it is told before a token is asked for.
    """
    if log.kind != kind:
        raise UnprocessableError(
            f"the log {log.name} is of kind {log.kind}: it takes POST "
            f"/v1/logs/{log.name}/{_ROUTES[log.kind]}"
        )


def needs_token(hosted: Hosted) -> bool:
    """Whether a log's tiles, proofs and receipts are for holders of a token only."""
    return hosted.log.kind == EVENTS and not hosted.is_public


def admit_reader(request: web.Request, hosted: Hosted, *scopes: str) -> None:
    """Raise UnauthorizedError unless the caller may read the log.

    A token with one of `scopes` will do, too.
    """
    if needs_token(hosted):
        admit(request, hosted, SCOPE_READ, SCOPE_AUDIT, *scopes)


def read_headers(hosted: Hosted, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Give the headers of an answer from a log; `headers` are those of a public one."""
    return for_holder(headers) if needs_token(hosted) else headers
