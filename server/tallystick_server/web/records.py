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
from tallystick_merkle.event import EXTRA_ROOTS, id_bytes, id_text, is_event_id
from tallystick_merkle.evidence import Evidence, format_evidence
from tallystick_merkle.genesis import EVENTS
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.layout import assemble
from tallystick_merkle.leaf import parse_leaf
from tallystick_server.errors import (
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
from tallystick_server.web.eventquery import (
    EventQuery,
    PageQuery,
    read_event_query,
    read_page_query,
)
from tallystick_server.web.events import intake_of
from tallystick_server.web.gating import admit, require_kind
from tallystick_server.web.proofs import witnessed_head
from tallystick_server.web.services import find_log

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes after which an answer ends early; the next one goes on from there."""

_STEP = 32
"""Events that are opened at a time."""


async def get_event(request: web.Request) -> web.Response:
    """Show one event, or prove some of its fields."""
    hosted = find_log(request)
    require_kind(hosted.log, EVENTS)
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
        body = _evidence(opened, receipt, query)
    else:
        body = describe(intake, opened, is_sensitive=query.is_sensitive)
        body["receipt"] = receipt.decode()
    return _answer({**body, **standing})


async def list_events(request: web.Request) -> web.Response:
    """Show events in the order of the log, after an index."""
    hosted = find_log(request)
    require_kind(hosted.log, EVENTS)
    admit(request, hosted, SCOPE_READ)
    intake = intake_of(hosted)
    query = read_page_query(request.rel_url.raw_query_string)
    size = hosted.log.head.size
    events, after = await _read_page(intake, query, size)
    body = (
        f'{{"events":[{",".join(events)}],"next_after":{after},"size":{size},'
        f'"has_more":{"true" if after + 1 < size else "false"}}}'
    )
    return web.Response(body=body.encode(), headers=HEADERS)


async def _read_page(
    intake: Intake, query: PageQuery, size: int
) -> tuple[list[str], int]:
    """Give a page of events, as JSON, and the index after which the next begins.

    They are read a few at a time: what does not go into the answer is not opened.
    Entries without a record, such as the first one, are passed over.
    """
    at, spent = query.start, 0
    events: list[str] = []
    while at < size and len(events) < query.limit:
        stop = min(at + _STEP, size)
        for opened in await intake.records.read(at, stop):
            body = describe(intake, opened, is_sensitive=query.is_sensitive)
            text = json.dumps(body)
            spent += len(text)
            if events and (spent > MAX_ANSWER or len(events) == query.limit):
                return events, opened.index - 1
            events.append(text)
        at = stop
    return events, at - 1


def describe(intake: Intake, opened: Opened, *, is_sensitive: bool) -> dict[str, Any]:
    """Give what a reader is shown of an event."""
    sensitive = frozenset() if is_sensitive else _sensitive(intake, opened)
    hidden: list[str] = []
    known: list[dict[str, Any] | None] = []
    for group in opened.groups:
        if group is None:
            known.append(None)
            continue
        fields = group.fields
        closed = [name for name in fields if _is_below(name, sensitive)]
        hidden += closed
        known.append({name: fields[name] for name in fields if name not in closed})
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


def _sensitive(intake: Intake, opened: Opened) -> Collection[str]:
    """Name what is sensitive in an event, by its schema.

    Where the group that names the schema is gone, any free field may be.
    """
    facts = opened.groups[0]
    if facts is None:
        return EXTRA_ROOTS
    schema = facts.fields["schema"]
    if schema is None:
        return frozenset()
    return intake.registry.sensitive((schema[0], schema[1]))


def _is_below(name: str, sensitive: Collection[str]) -> bool:
    """Whether a field is one of the sensitive ones, or lies below one."""
    return any(name == one or name.startswith(f"{one}/") for one in sensitive)


def _evidence(opened: Opened, receipt: bytes, query: EventQuery) -> dict[str, Any]:
    """Make evidence that shows what is asked for; check it as its reader will."""
    try:
        disclosure = disclose(
            opened.shown,
            query.fields,
            show_names=query.show_names,
            all_names=query.all_names,
        )
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
