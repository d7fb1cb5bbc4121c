"""Show events to readers: whole, one after the other, or some fields with a proof.

    GET /v1/logs/{log}/events/{event_id}              the event and its receipt
    GET /v1/logs/{log}/events/{event_id}?fields=…     evidence: these fields, proven
    GET /v1/logs/{log}/events?after=INDEX&limit=N     in the order of the log

A value that its schema calls sensitive is left out and named, unless the reader asks
for it.  What was erased stays erased; the leaf and its proofs stand.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Collection
from typing import Any

from aiohttp import web

from tallystick_merkle.disclosure import check_disclosure, disclose
from tallystick_merkle.errors import KernelError, ProofError
from tallystick_merkle.event import id_bytes, id_text, is_event_id
from tallystick_merkle.evidence import Evidence, format_evidence
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.layout import assemble
from tallystick_merkle.leaf import parse_leaf
from tallystick_server.errors import (
    BadRequestError,
    IntegrityError,
    NotFoundError,
    UnprocessableError,
)
from tallystick_server.ingest.intake import Intake
from tallystick_server.ingest.opened import Opened
from tallystick_server.log import answers
from tallystick_server.log.log import Log
from tallystick_server.log.tokens import SCOPE_READ
from tallystick_server.ops.times import format_time
from tallystick_server.web.append import HEADERS
from tallystick_server.web.eventquery import read_event_query
from tallystick_server.web.events import intake_of
from tallystick_server.web.gating import admit
from tallystick_server.web.incoming import read_number, read_query
from tallystick_server.web.proofs import witnessed_head
from tallystick_server.web.services import find_log

MAX_EVENTS = 1000
"""Most events in one answer."""

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes after which an answer ends early; the next one goes on from there."""

_DEFAULT_EVENTS = 100


async def get_event(request: web.Request) -> web.Response:
    """Show one event, or prove some of its fields."""
    hosted = find_log(request)
    admit(request, hosted, SCOPE_READ)
    intake = intake_of(hosted)
    query = read_event_query(request.rel_url.raw_query_string)
    event_id = request.match_info["event_id"]
    opened = None
    if is_event_id(event_id):
        opened = await intake.records.find(id_bytes(event_id))
    if opened is None:
        raise NotFoundError("no such event")
    receipt, size, is_witnessed = _receipt(hosted.log, opened)
    standing = {
        "size": size,
        "status": "witnessed" if is_witnessed else "promised",
    }
    if query.fields:
        body = _evidence(opened, receipt, query.fields, show_names=query.show_names)
    else:
        body = describe(intake, opened, is_sensitive=query.is_sensitive)
        body["receipt"] = receipt.decode()
    return _answer({**body, **standing})


async def list_events(request: web.Request) -> web.Response:
    """Show events in the order of the log, after an index."""
    hosted = find_log(request)
    admit(request, hosted, SCOPE_READ)
    intake = intake_of(hosted)
    query = read_query(request.rel_url.raw_query_string, "after", "limit", "sensitive")
    after = read_number(query, "after") if "after" in query else -1
    limit = read_number(query, "limit") if "limit" in query else _DEFAULT_EVENTS
    if not 1 <= limit <= MAX_EVENTS:
        raise BadRequestError(f"limit: expected 1 to {MAX_EVENTS}")
    is_sensitive = query.get("sensitive", "hidden") == "shown"
    size = hosted.log.head.size
    stop = max(after + 1, min(after + 1 + limit, size))
    events: list[str] = []
    spent, last = 0, stop - 1
    for opened in await intake.records.read(after + 1, stop):
        text = json.dumps(describe(intake, opened, is_sensitive=is_sensitive))
        spent += len(text)
        if events and spent > MAX_ANSWER:
            last = opened.index - 1
            break
        events.append(text)
    body = (
        f'{{"events":[{",".join(events)}],"next_after":{last},"size":{size},'
        f'"has_more":{"true" if last + 1 < size else "false"}}}'
    )
    return web.Response(body=body.encode(), headers=HEADERS)


def describe(intake: Intake, opened: Opened, *, is_sensitive: bool) -> dict[str, Any]:
    """Give what a reader is shown of an event."""
    facts = opened.groups[0]
    schema = None if facts is None else facts.fields["schema"]
    sensitive = (
        frozenset()
        if is_sensitive or schema is None
        else intake.registry.sensitive((schema[0], schema[1]))
    )
    hidden: list[str] = []
    known: list[dict[str, Any] | None] = []
    for group in opened.groups:
        fields = None if group is None else group.fields
        for name in [one for one in fields or () if _is_below(one, sensitive)]:
            hidden.append(name)
            del (fields or {})[name]
        known.append(fields)
    return {
        "index": opened.index,
        "event_id": id_text(opened.record.event_id),
        "received_at": format_time(opened.received_ms),
        "leaf": b64encode(opened.leaf).decode(),
        "leaf_hash": leaf_hash(opened.leaf).hex(),
        "event": assemble(known),
        "hidden": sorted(hidden),
        "erased": opened.erased,
    }


def _is_below(name: str, sensitive: Collection[str]) -> bool:
    """Whether a field is one of the sensitive ones, or lies below one."""
    return any(name == one or name.startswith(f"{one}/") for one in sensitive)


def _evidence(
    opened: Opened, receipt: bytes, fields: tuple[str, ...], *, show_names: bool
) -> dict[str, Any]:
    """Make evidence that shows these fields, and check it as its reader will."""
    try:
        disclosure = disclose(opened.shown, fields, show_names=show_names)
    except ProofError as error:
        raise UnprocessableError(str(error)) from error
    try:
        shown = check_disclosure(disclosure, parse_leaf(opened.leaf))
        data = format_evidence(Evidence(opened.leaf, receipt, disclosure))
    except KernelError as error:
        raise IntegrityError(f"the disclosure of entry {opened.index}") from error
    return {
        "index": opened.index,
        "event_id": id_text(opened.record.event_id),
        "evidence": b64encode(data).decode(),
        "fields": shown.fields,
        "is_single": shown.is_single,
    }


def _receipt(log: Log, opened: Opened) -> tuple[bytes, int, bool]:
    """Give the best receipt that there is: its bytes, its size, whether witnessed."""
    index, leaf = opened.index, leaf_hash(opened.leaf)
    published = witnessed_head(log)
    if published is not None and index < published.size:
        receipt = answers.witnessed(log, published, index, leaf)
        return receipt, published.size, True
    head = log.head
    receipt = log.reader.receipt(
        index=index, size=head.size, root=head.root, note=head.note
    )
    return receipt, head.size, False


def _answer(body: dict[str, Any]) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), headers=HEADERS)
