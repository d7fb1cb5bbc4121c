"""Look at refused events, submit them again, or drop them.

    GET    /v1/logs/{log}/dead-letters?before=ID&limit=N   newest first, without bodies
    GET    /v1/logs/{log}/dead-letters/{id}                one, with what came
    POST   /v1/logs/{log}/dead-letters/{id}/redrive        submit it again
    DELETE /v1/logs/{log}/dead-letters/{id}                drop it

All need a token that may administer the log.  A letter is submitted again as what it
was: in the name of the principal whose event it is, as it came.  Once it is in the log,
it is dropped; refused again, it stays, with the new reason.  The opening belongs to the
producer alone (D15) and is in no answer here.  Where the log is read-only, letters can
be looked at and nothing else (503).
"""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from typing import Any

from aiohttp import web

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.spelling import parse_decimal
from tallystick_server.errors import (
    EventError,
    EventReusedError,
    NotFoundError,
)
from tallystick_server.ingest.decoding import decode_event
from tallystick_server.ingest.intake import Intake
from tallystick_server.ingest.letters import Letter
from tallystick_server.ingest.results import Refused, Taken
from tallystick_server.log.tokens import SCOPE_ADMIN
from tallystick_server.ops.times import format_time
from tallystick_server.web.append import HEADERS
from tallystick_server.web.events import intake_of
from tallystick_server.web.gating import admit
from tallystick_server.web.incoming import read_query
from tallystick_server.web.producers import find_keeping, read_page

MAX_LETTERS = 1000
"""Most letters in one answer, and how many where nothing is said."""

MAX_LETTER_ID = 2**53 - 1
"""Largest number of a letter."""

_log = logging.getLogger(__name__)


async def list_letters(request: web.Request) -> web.Response:
    """List letters, newest first, those below an id."""
    intake, _ = _admit(request)
    before, limit = read_page(request, "before", most=MAX_LETTERS)
    page = await intake.letters.newest(before=before, limit=limit)
    return _answer(
        {
            "log": intake.log.name,
            "letters": [describe(letter) for letter in page.letters],
            "count": page.count,
            "bytes": page.bytes,
            "pushed_out": page.pushed_out,
            "not_kept": page.not_kept,
            "next_before": page.after,
        }
    )


async def get_letter(request: web.Request) -> web.Response:
    """Show a letter with its body."""
    intake, _ = _admit(request)
    letter, body = await _find(request, intake)
    text = None if body is None else b64encode(body).decode()
    return _answer({**describe(letter), "body": text})


async def redrive_letter(request: web.Request) -> web.Response:
    """Submit a letter again, in the name of its principal."""
    intake, admin = _admit(request)
    intake.letters.check_changeable()
    letter, body = await _find(request, intake)
    if body is None:
        raise EventError("what came is not there any more: drop the letter")
    try:
        taken = await _submit(intake, letter, body)
    except (EventError, EventReusedError) as error:
        await intake.letters.refused_again(letter.id, error)
        raise
    await intake.letters.drop(letter.id)
    _log.info(
        "dead letter redriven",
        extra={**_facts(intake, letter, admin), "index": taken.index},
    )
    return _answer(
        {
            "id": letter.id,
            "index": taken.index,
            "event_id": taken.event_id,
            "leaf_hash": leaf_hash(taken.leaf).hex(),
            "received_at": format_time(taken.time_ms),
            "is_repeat": taken.is_repeat,
            "warnings": [taken.warning] if taken.warning else [],
        }
    )


async def drop_letter(request: web.Request) -> web.Response:
    """Drop a letter for good."""
    intake, admin = _admit(request)
    intake.letters.check_changeable()
    letter, _ = await _find(request, intake)
    await intake.letters.drop(letter.id)
    _log.info("dead letter dropped", extra=_facts(intake, letter, admin))
    return _answer({"id": letter.id, "is_dropped": True})


def describe(letter: Letter) -> dict[str, Any]:
    """Say all of a letter but its body."""
    return {
        "id": letter.id,
        "received_at": format_time(letter.received_ms),
        "principal": letter.principal,
        "content_type": letter.content_type,
        "code": letter.code,
        "pointer": letter.pointer,
        "detail": letter.detail,
        "size": letter.size,
        "is_kept": letter.is_kept,
        "is_readable": letter.is_readable,
    }


def _admit(request: web.Request) -> tuple[Intake, str]:
    """Give the intake of the log, and who asks."""
    hosted = find_keeping(request)
    admin = admit(request, hosted, SCOPE_ADMIN)
    return intake_of(hosted), admin


async def _find(request: web.Request, intake: Intake) -> tuple[Letter, bytes | None]:
    """Find the letter that the path names; these paths take no query."""
    read_query(request.rel_url.raw_query_string)
    try:
        number = parse_decimal(
            request.match_info["id"].encode(),
            what="path",
            where="id",
            ceiling=MAX_LETTER_ID,
        )
    except (MalformedError, UnicodeEncodeError) as error:
        raise NotFoundError("no such letter") from error
    found = await intake.letters.find(number)
    if found is None:
        raise NotFoundError("no such letter")
    return found


async def _submit(intake: Intake, letter: Letter, body: bytes) -> Taken:
    """Submit what a letter holds; raise what it is refused for."""
    event = decode_event(body, letter.content_type, service=letter.principal)
    submitted = await intake.submit(letter.principal, [event])
    result = submitted.results[0]
    if isinstance(result, Refused):
        raise result.error
    return result


def _facts(intake: Intake, letter: Letter, admin: str) -> dict[str, object]:
    """Name a letter and who asked, for the log of the server."""
    return {
        "log": intake.log.name,
        "letter": letter.id,
        "principal": letter.principal,
        "admin": admin,
    }


def _answer(body: dict[str, Any]) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), headers=HEADERS)
