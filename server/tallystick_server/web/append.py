"""Append one entry, or a batch of them.

    POST /v1/logs/{log}/entries         1 to 65,535 bytes
    POST /v1/logs/{log}/entries:batch   u16be length || entry, repeated

Nothing is answered with 201 or 200 before it is durable (the log's promise), and what
is answered was checked.  A wait for witnesses that runs out is no error: the answer is
the promised receipt, with a Location to ask again (D4).

An idempotency key belongs to a principal; what it stands for is the digest of the body
(see `log.digests`), which for one entry is its leaf hash.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.appending import MAX_BATCH, MAX_BATCH_BYTES
from tallystick_merkle.genesis import RAW
from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.tile import MAX_ENTRY, parse_bundle
from tallystick_server.errors import BadRequestError
from tallystick_server.log import answers
from tallystick_server.log.commit import Placed, Submission
from tallystick_server.log.digests import batch_digest, entry_digest
from tallystick_server.log.log import Log
from tallystick_server.log.sequencer import Ack
from tallystick_server.log.tokens import SCOPE_APPEND
from tallystick_server.storage.base import Published
from tallystick_server.web.answering import batch_answer, entry_answer
from tallystick_server.web.gating import admit, require_kind
from tallystick_server.web.headers import COMMON
from tallystick_server.web.incoming import read_body, read_key, read_wait
from tallystick_server.web.services import SERVICES, Services, find_log

HEADERS = {
    hdrs.CONTENT_TYPE: "application/json",
    hdrs.CACHE_CONTROL: "no-store",
    **COMMON,
}
"""Headers of every answer to an append."""


async def append_entry(request: web.Request) -> web.Response:
    """Append one entry."""
    services = request.app[SERVICES]
    log, key, wait_s = _admit(request, services)
    entry = await read_body(
        request, most=MAX_ENTRY, timeout_s=services.limits.body_timeout_s
    )
    if not entry:
        raise BadRequestError(f"an entry has 1 to {MAX_ENTRY} bytes")
    leaf = entry_digest(entry)
    ack = await log.append(Submission(key, leaf, (entry,)))
    published = await log.witnessed(_stop(ack), wait_s) if wait_s else None
    return _answer_entry(log, ack, published, leaf, is_late=bool(wait_s))


async def append_batch(request: web.Request) -> web.Response:
    """Append a batch; an empty entry is refused alone."""
    services = request.app[SERVICES]
    log, key, wait_s = _admit(request, services)
    body = await read_body(
        request, most=MAX_BATCH_BYTES, timeout_s=services.limits.body_timeout_s
    )
    entries = _parse_batch(body)
    taken = tuple(filter(None, entries))
    if not taken:
        return _answer_nothing(log, entries, services.clock.now_ms())
    leaves = leaf_hashes(list(taken))
    ack = await log.append(Submission(key, batch_digest(body), taken))
    published = await log.witnessed(_stop(ack), wait_s) if wait_s else None
    return _answer_batch(
        log, ack, published, entries=entries, leaves=leaves, is_late=bool(wait_s)
    )


def _admit(request: web.Request, services: Services) -> tuple[Log, bytes, float]:
    """Find the log, admit the caller, and read the parameters, in this order.

    A log of events takes no entry by this way: whatever is in it was sealed here.
    """
    hosted = find_log(request)
    require_kind(hosted.log, RAW)
    principal = admit(request, hosted, SCOPE_APPEND)
    wait_s = read_wait(request.rel_url.raw_query_string, services.limits.wait_max_s)
    key = f"{principal}\0{read_key(request)}".encode()
    return hosted.log, key, wait_s


def _parse_batch(body: bytes) -> list[bytes]:
    """Split a batch; raise BadRequestError for one that is refused whole."""
    try:
        entries = parse_bundle(body, most=MAX_BATCH)
    except MalformedError as error:
        raise BadRequestError(
            f"{error}; a batch is u16be length || entry, 1 to {MAX_BATCH} times"
        ) from error
    if not entries:
        raise BadRequestError("the batch is empty")
    return entries


def _answer_entry(
    log: Log, ack: Ack, published: Published | None, leaf: bytes, *, is_late: bool
) -> web.Response:
    """Answer with the witnessed receipt if there is one, else the promised one."""
    placed = ack.placed
    if published is None:
        size, receipt = ack.head.size, answers.single(log, ack, leaf)
    else:
        size = published.size
        receipt = answers.witnessed(log, published, placed.first, leaf)
    body = entry_answer(
        placed,
        leaf=leaf,
        receipt=receipt,
        size=size,
        is_witnessed=published is not None,
    )
    headers = _headers(log, placed, is_late=is_late and published is None)
    return web.Response(body=body, status=_status(placed), headers=headers)


def _answer_batch(
    log: Log,
    ack: Ack,
    published: Published | None,
    *,
    entries: list[bytes],
    leaves: list[bytes],
    is_late: bool,
) -> web.Response:
    """Answer with one checkpoint and one range proof."""
    placed = ack.placed
    if published is None:
        proof = answers.batch(log, ack, leaves)
    else:
        proof = answers.witnessed_batch(log, published, placed.first, leaves)
    body = batch_answer(
        placed,
        entries=entries,
        leaves=leaves,
        proof=proof,
        time_ms=placed.time_ms,
        is_witnessed=published is not None,
    )
    headers = _headers(log, placed, is_late=is_late and published is None)
    return web.Response(body=body, status=_status(placed), headers=headers)


def _headers(log: Log, placed: Placed, *, is_late: bool) -> Mapping[str, str]:
    """Give the headers; whoever waited in vain is told where to ask again (D4).

    Of a batch it is the receipt of the last entry: once that one is witnessed, all are.
    """
    if not is_late:
        return HEADERS
    last = placed.first + placed.count - 1
    return {**HEADERS, hdrs.LOCATION: f"/v1/logs/{log.name}/receipts/{last}"}


def _answer_nothing(log: Log, entries: list[bytes], time_ms: int) -> web.Response:
    """Answer a batch of which nothing could be taken."""
    head = log.head
    body = batch_answer(
        None,
        entries=entries,
        leaves=[],
        proof=answers.BatchProof(head.size, head.note, (), ()),
        time_ms=time_ms,
        is_witnessed=False,
    )
    return web.Response(body=body, status=200, headers=HEADERS)


def _stop(ack: Ack) -> int:
    """Size that a head must have to hold the entries."""
    return ack.placed.first + ack.placed.count


def _status(placed: Placed) -> int:
    return 200 if placed.is_repeat else 201
