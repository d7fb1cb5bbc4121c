"""Submit one event, or a batch of them.

    POST /v1/logs/{log}/events         application/json or application/cbor
    POST /v1/logs/{log}/events:batch   application/json (array), application/x-ndjson,
                                       application/cbor (array), application/cbor-seq

The token's principal is the producer (D19).  The event id is what makes a repeat safe:
no Idempotency-Key is needed.  In a batch every event is answered for itself; what is
refused there keeps none of its neighbours out, and lies with the dead letters.
"""

from __future__ import annotations

from aiohttp import hdrs, web

from tallystick_merkle.exchange.appending import MAX_BATCH_BYTES
from tallystick_merkle.genesis import EVENTS
from tallystick_merkle.hashing import leaf_hash
from tallystick_server.errors import UnavailableError
from tallystick_server.ingest.decoding import (
    MAX_EVENT_BYTES,
)
from tallystick_server.ingest.framing import (
    BATCH_TYPES,
    CBOR,
    CBOR_SEQ,
    EVENT_TYPES,
    split_batch,
)
from tallystick_server.ingest.intake import Intake
from tallystick_server.ingest.results import Refused, Submitted, Taken
from tallystick_server.log import answers
from tallystick_server.log.events import EventPlace, PlacedEvents
from tallystick_server.log.log import Log
from tallystick_server.log.sequencer import EventAck
from tallystick_server.log.tokens import SCOPE_EMIT
from tallystick_server.web.append import HEADERS
from tallystick_server.web.eventanswers import many_answer, one_answer
from tallystick_server.web.gating import admit, require_kind
from tallystick_server.web.incoming import read_body, read_type, read_wait
from tallystick_server.web.services import SERVICES, Hosted, find_log

_SHORT = 64 * 1024
"""Longest body, in bytes, whose events are told apart on the loop."""


_NOTHING_NEW = PlacedEvents((), 0, 0)


async def submit_event(request: web.Request) -> web.Response:
    """Take one event."""
    services = request.app[SERVICES]
    hosted = find_log(request)
    require_kind(hosted.log, EVENTS)
    principal = admit(request, hosted, SCOPE_EMIT)
    intake = intake_of(hosted)
    wait_s = read_wait(request.rel_url.raw_query_string, services.limits.wait_max_s)
    media = read_type(request, EVENT_TYPES)
    body = await read_body(
        request,
        most=MAX_EVENT_BYTES,
        timeout_s=services.limits.body_timeout_s,
        types=None,
    )
    submitted = await intake.submit_one(principal, body, is_cbor=media == CBOR)
    result = submitted.results[0]
    if isinstance(result, Refused):
        await intake.turned_away(principal, media, [(body, result.error)])
        raise result.error
    ack = submitted.ack or EventAck(_NOTHING_NEW, hosted.log.head, None)
    return await answer_event(hosted.log, result, ack, wait_s=wait_s)


async def submit_batch(request: web.Request) -> web.Response:
    """Take a batch of events, each for itself."""
    services = request.app[SERVICES]
    hosted = find_log(request)
    require_kind(hosted.log, EVENTS)
    principal = admit(request, hosted, SCOPE_EMIT)
    intake = intake_of(hosted)
    wait_s = read_wait(request.rel_url.raw_query_string, services.limits.wait_max_s)
    media = read_type(request, BATCH_TYPES)
    body = await read_body(
        request,
        most=MAX_BATCH_BYTES,
        timeout_s=services.limits.body_timeout_s,
        types=None,
    )
    raws = await _split(intake, body, media)
    is_cbor = media in (CBOR, CBOR_SEQ)
    submitted = await intake.submit_batch(principal, raws, is_cbor=is_cbor)
    refused = [
        (raw, result.error)
        for raw, result in zip(raws, submitted.results, strict=True)
        if isinstance(result, Refused)
    ]
    if refused:
        await intake.turned_away(principal, media, refused)
    return await _answer_batch(
        hosted.log, intake, submitted, principal, services.clock.now_ms(), wait_s
    )


def intake_of(hosted: Hosted) -> Intake:
    """Give the intake of a log of events; raise UnavailableError without one."""
    if hosted.intake is None:
        raise UnavailableError("the vault of this log is not open")
    return hosted.intake


async def _split(intake: Intake, body: bytes, media: str) -> list[bytes]:
    """Tell the events of a batch apart; what may take long is not for the loop."""
    if len(body) <= _SHORT:
        return split_batch(body, media)
    return await intake.off_loop(lambda: split_batch(body, media))


async def answer_event(
    log: Log, taken: Taken, ack: EventAck, *, wait_s: float
) -> web.Response:
    """Answer with the witnessed receipt if there is one, else the promised one."""
    leaf = leaf_hash(taken.leaf)
    published = await log.witnessed(taken.index + 1, wait_s) if wait_s else None
    if published is None:
        place = EventPlace(taken.index, taken.time_ms, taken.leaf, taken.is_repeat)
        size, receipt = ack.head.size, answers.single_event(log, ack, place, leaf)
    else:
        size = published.size
        receipt = answers.witnessed(log, published, taken.index, leaf)
    body = one_answer(
        taken, receipt=receipt, size=size, is_witnessed=published is not None
    )
    headers = HEADERS
    if wait_s and published is None:  # where to ask again (D4)
        location = f"/v1/logs/{log.name}/receipts/{taken.index}"
        headers = {**HEADERS, hdrs.LOCATION: location}
    status = 200 if taken.is_repeat else 201
    return web.Response(body=body, status=status, headers=headers)


async def _answer_batch(  # all that an answer says
    log: Log,
    intake: Intake,
    submitted: Submitted,
    principal: str,
    now_ms: int,
    wait_s: float,
) -> web.Response:
    """Answer with one checkpoint and one range proof of what is new."""
    results, ack = submitted.results, submitted.ack
    taken = [one for one in results if isinstance(one, Taken)]
    fresh = [one for one in taken if not one.is_repeat]
    first, count = (fresh[0].index, len(fresh)) if fresh else (None, 0)
    last = max((one.index for one in taken), default=-1)
    published = await log.witnessed(last + 1, wait_s) if wait_s and taken else None
    leaves = [leaf_hash(one.leaf) for one in fresh]
    if first is None:
        head = log.head if ack is None else ack.head
        note = head.note if published is None else published.note
        size = head.size if published is None else published.size
        proof = answers.BatchProof(size, note, (), ())
    elif published is not None:
        proof = answers.witnessed_batch(log, published, first, leaves)
    else:
        assert ack is not None  # something is new
        proof = answers.event_batch(log, ack, leaves)
    body = many_answer(
        results,
        proof=proof,
        first=first,
        count=count,
        time_ms=fresh[0].time_ms if fresh else now_ms,
        service=principal,
        tenant=intake.tenant,
        is_witnessed=published is not None,
    )
    headers = HEADERS
    if wait_s and published is None and taken:
        headers = {**HEADERS, hdrs.LOCATION: f"/v1/logs/{log.name}/receipts/{last}"}
    return web.Response(body=body, status=200, headers=headers)
