"""Say what is known of the producers of a log of events.

    GET /v1/logs/{log}/producers?after=INDEX&limit=N

One row for each start of an instance, in the order of their first events; a page ends
with the index to go on after.  Needs a token that may administer the log.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from tallystick_merkle.genesis import EVENTS
from tallystick_server.errors import BadRequestError, NotFoundError
from tallystick_server.ingest.producers import ProducerState
from tallystick_server.log.tokens import SCOPE_ADMIN
from tallystick_server.ops.times import format_time
from tallystick_server.web.append import HEADERS
from tallystick_server.web.events import intake_of
from tallystick_server.web.gating import admit
from tallystick_server.web.incoming import read_number, read_query
from tallystick_server.web.services import SERVICES, Hosted, find_log

MAX_ROWS = 1000
"""Most rows in one answer, and how many where nothing is said."""


async def list_producers(request: web.Request) -> web.Response:
    """List the starts of instances whose first events came after an index."""
    hosted = find_keeping(request)
    admit(request, hosted, SCOPE_ADMIN)
    intake = intake_of(hosted)
    after, limit = read_page(request, "after", most=MAX_ROWS)
    now_ms = request.app[SERVICES].clock.now_ms()
    states = [
        state
        for state in intake.producers.states(now_ms)
        if after is None or state.stream.first_index > after
    ]
    shown = states[:limit]
    body = {
        "log": hosted.log.name,
        "as_of": format_time(now_ms),
        "producers": [describe(state) for state in shown],
        "folded": [
            {"principal": principal, "count": count, "missing": missing}
            for principal, (count, missing) in intake.producers.folded.items()
        ],
        "next_after": (
            shown[-1].stream.first_index if len(shown) < len(states) else None
        ),
    }
    return web.Response(body=json.dumps(body).encode(), headers=HEADERS)


def find_keeping(request: web.Request) -> Hosted:
    """Find the log that a path names; only one of events keeps more than its entries.

    Raises NotFoundError.
    """
    hosted = find_log(request)
    if hosted.log.kind != EVENTS:
        raise NotFoundError("no log of events")
    return hosted


def read_page(
    request: web.Request, cursor: str, *, most: int
) -> tuple[int | None, int]:
    """Read where a page begins and how long it may be; raise BadRequestError."""
    query = read_query(request.rel_url.raw_query_string, cursor, "limit")
    start = read_number(query, cursor) if cursor in query else None
    limit = read_number(query, "limit") if "limit" in query else most
    if not 1 <= limit <= most:
        raise BadRequestError(f"limit={limit}: expected 1 to {most}")
    return start, limit


def describe(state: ProducerState) -> dict[str, Any]:
    """Give one row."""
    stream, sequence = state.stream, state.stream.sequence
    return {
        "principal": state.principal,
        "instance": stream.instance,
        "epoch": stream.epoch,
        "is_over": stream.is_over,
        "events": sequence.events,
        "first_sequence": sequence.run.first,
        "last_sequence": sequence.run.next - 1,
        "missing": sequence.missing,
        "overdue": state.open,
        "gaps": [
            {"start": one.start, "stop": one.stop, "missing": one.count}
            for run in sequence.runs
            for one in run.missing.ranges
        ],
        "lost": sequence.lost,
        "filled": sequence.filled,
        "duplicates": sequence.duplicates,
        "resets": sequence.resets,
        "late": stream.late,
        "max_late_ms": stream.max_late_ms,
        "ahead": stream.ahead,
        "max_ahead_ms": stream.max_ahead_ms,
        "heartbeat_s": stream.heartbeat_s,
        "is_silent": state.is_silent,
        "first_index": stream.first_index,
        "last_index": stream.last_index,
        "last_occurred_at": format_time(stream.last_occurred_ms),
        "last_received_at": format_time(stream.last_received_ms),
    }
