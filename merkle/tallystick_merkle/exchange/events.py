"""Submit audit events to a Tallystick log, and believe only what was checked.

    POST <api>/events         one event, application/json
    POST <api>/events:batch   one event a line, application/x-ndjson

An event's own id makes a repeat safe: the log takes it once (D14).  The answer brings
the leaf and its opening, from which the leaf is derived again out of our own event: so
the log committed to what we said and to nothing else.  Only then is the receipt, or the
range proof of a batch, checked to lead from that leaf to the signed head.

Events of a batch that were in the log before are outside of its range proof; submitted
alone, each gets a receipt of its own.

Where part of an event was erased since, the log has no opening left, and nothing in its
answer ties the leaf to our event: any leaf of any log would do.  Such an answer is a
claim, given apart from what was checked.  It is worth what the reader remembers: only
who has checked this leaf for this event before may take it for a repeat.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tallystick_merkle.errors import (
    ExchangeError,
    MalformedError,
    ProofError,
    RefusedError,
)
from tallystick_merkle.event import Event
from tallystick_merkle.eventjson import format_event, parse_event
from tallystick_merkle.exchange.answers import (
    hashes_of,
    number_of,
    octets_of,
    read_object,
    text_of,
)
from tallystick_merkle.exchange.appending import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    LogAddress,
    writing_request,
)
from tallystick_merkle.exchange.base import (
    Exchange,
    Response,
    Retry,
    clean_text,
    persist,
    require,
)
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.leaf import SIZE, parse_leaf
from tallystick_merkle.note import MAX_NOTE
from tallystick_merkle.opening import Opening, check_opening, parse_opening
from tallystick_merkle.policy import Policy, judge
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.receipt import (
    MAX_RECEIPT,
    Receipt,
    Status,
    check_receipt,
    parse_receipt,
)
from tallystick_merkle.spelling import parse_base64

_ITEM_BYTES = 6 * 1024
_MOST_ERRORS = 16
_PROBLEMS = (409, 422)
_ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Kept:
    """One event in the log: its place, its leaf, and its opening.

    The opening is secret.  It is None only in what the log merely claims, since part of
    the event was erased: then nothing here was checked against our event.
    """

    event_id: str
    index: int
    leaf: bytes
    time_ms: int
    is_repeat: bool
    opening: Opening | None = field(repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Emitted:
    """One event in the log, with its checked receipt."""

    kept: Kept
    receipt: Receipt
    status: Status
    size: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The log's word that it had an event of ours, and has erased part of it since.

    `emitted` is what holds if its leaf was checked for this event before; its receipt
    proves that the leaf is in the log, and not whose it is.
    """

    emitted: Emitted


@dataclass(frozen=True, slots=True)
class EventRefusal:
    """An event that the log did not take: why, and where in it (JSON Pointers)."""

    status: int
    code: str
    detail: str
    errors: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Say it in one line."""
        places = [f"{place or '/'}: {why}" for place, why in self.errors]
        return "; ".join([self.detail, *places])


class EmittedBatch:
    """A batch: what was taken, by position, and one checked range proof of what is new.

    `repeats` were in the log before; no receipt of theirs came with this answer.
    `claims` are those of which the log says so and proves nothing (see the module).
    """

    def __init__(
        self,
        *,
        kept: Mapping[int, Kept],
        claims: Mapping[int, Kept],
        refusals: Mapping[int, EventRefusal],
        tree: RangeTree | None,
        checkpoint: bytes,
        status: Status,
    ) -> None:
        """Hold the checked parts."""
        self.kept = dict(kept)
        self.claims = dict(claims)
        self.refusals = dict(refusals)
        self.checkpoint = checkpoint
        self.status = status
        self._tree = tree

    @property
    def fresh(self) -> tuple[int, ...]:
        """Positions of the events that are new in the log, ascending."""
        return tuple(at for at, one in self.kept.items() if not one.is_repeat)

    @property
    def repeats(self) -> tuple[int, ...]:
        """Positions of the events that were there before, ascending."""
        return tuple(at for at, one in self.kept.items() if one.is_repeat)

    def receipt(self, position: int) -> Receipt:
        """Receipt of a new event; ProofError for one that came with no proof."""
        kept = self.kept.get(position)
        if kept is None or kept.is_repeat or self._tree is None:
            raise ProofError(f"the answer proves nothing of event {position}")
        path = self._tree.inclusion_path(kept.index)
        return Receipt(kept.index, path, self.checkpoint)


def draft(data: object) -> Event:
    """Read an event of our own, whose service the log knows by our token.

    Raises MalformedError with the JSON Pointer of what is wrong, before it is sent.
    """
    return parse_event(data, service=None if _says_service(data) else "")


def encode_event(event: Event) -> bytes:
    """Write an event as it is sent: JSON on one line."""
    body = format_event(event)
    if not event.producer.service:
        producer: dict[str, Any] = body["producer"]
        del producer["service"]
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def submit_event(
    log: LogAddress,
    event: Event,
    *,
    policy: Policy,
    wait: str = "durable",
    timeout_s: float = 30.0,
    retry: Retry | None = None,
) -> Exchange[Emitted | Claim]:
    """Submit one event; return its place with the checked receipt.

    A Claim where the log says that it was erased since.  `wait` as for `append_entry`.
    Raises MalformedError, RefusedError (naming the places in the event),
    UnreachableError, and ProofError or whatever `check_receipt` raises where the
    answer does not prove that this event is in the log.
    """
    request = writing_request(
        log,
        "/events",
        encode_event(event),
        {"Content-Type": "application/json"},
        wait=wait,
        timeout_s=timeout_s,
        limit=2 * MAX_RECEIPT + _ITEM_BYTES,
    )
    response = yield from persist(request, retry or Retry())
    body = read_object(_require_taken(response).body)
    kept = _read_kept(body, event, body, is_repeat=response.status == 200)
    receipt = parse_receipt(octets_of(body, "receipt"))
    verdict = check_receipt(
        receipt, leaf=leaf_hash(kept.leaf), policy=policy, origin=log.origin
    )
    if receipt.index != kept.index:
        raise MalformedError("event answer", "index and receipt disagree")
    size = verdict.judged.opened.checkpoint.size
    emitted = Emitted(kept, receipt, verdict.status, size)
    return Claim(emitted) if kept.opening is None else emitted


def submit_events(
    log: LogAddress,
    events: Sequence[Event],
    *,
    policy: Policy,
    wait: str = "durable",
    timeout_s: float = 60.0,
    retry: Retry | None = None,
) -> Exchange[EmittedBatch]:
    """Submit 1 to 10,000 events, in order; see `submit_event`.

    Each is answered for itself: a refused one keeps none of the others out.
    """
    request = writing_request(
        log,
        "/events:batch",
        encode_events(events),
        {"Content-Type": "application/x-ndjson"},
        wait=wait,
        timeout_s=timeout_s,
        limit=MAX_NOTE + 64 * 1024 + _ITEM_BYTES * len(events),
    )
    response = require((yield from persist(request, retry or Retry())), 200)
    return _open_batch(log, events, policy, read_object(response.body))


def encode_events(events: Sequence[Event]) -> bytes:
    """Frame a batch; raise MalformedError for one the log would refuse whole."""
    if not 1 <= len(events) <= MAX_BATCH:
        raise MalformedError(
            "batch", f"{len(events)} events, expected 1 to {MAX_BATCH}"
        )
    body = b"".join(encode_event(event) + b"\n" for event in events)
    if len(body) > MAX_BATCH_BYTES:
        raise MalformedError("batch", f"{len(body)} bytes, at most {MAX_BATCH_BYTES}")
    return body


def _says_service(data: object) -> bool:
    producer = data.get("producer") if isinstance(data, dict) else None
    return isinstance(producer, dict) and "service" in producer


def _read_kept(
    item: Mapping[str, object],
    event: Event,
    shared: Mapping[str, object],
    *,
    is_repeat: bool,
) -> Kept:
    """Check that the leaf of an answer is that of our event, unless it is a claim.

    Raises ProofError when the log has committed to something else.
    """
    if text_of(item, "event_id") != event.event_id:
        raise MalformedError("event answer", "of another event")
    leaf = _leaf_of(item)
    parsed = parse_leaf(leaf)
    is_erased = item.get("content") == _ERASED
    opening = None
    if not (is_repeat and is_erased and item.get("opening") is None):
        opening = parse_opening(_whole_opening(item, shared))
        check_opening(event, opening, parsed)
    warnings = item.get("warnings", [])
    listed = warnings if isinstance(warnings, list) else []
    texts = [clean_text(one) for one in listed[:_MOST_ERRORS] if isinstance(one, str)]
    return Kept(
        event.event_id,
        number_of(item, "index"),
        leaf,
        parsed.time_ms,
        is_repeat,
        opening,
        tuple(texts),
    )


def _leaf_of(item: Mapping[str, object]) -> bytes:
    text = octets_of(item, "leaf")
    return parse_base64(text, what="event answer", where="leaf", longest=SIZE)


def _whole_opening(
    item: Mapping[str, object], shared: Mapping[str, object]
) -> dict[str, object]:
    """Add to an opening what a batch says once for all."""
    opening = item.get("opening")
    if not isinstance(opening, dict):
        raise MalformedError("event answer", "no opening")
    common = {name: shared[name] for name in ("tenant", "service") if name in shared}
    return {**common, **opening}


def _open_batch(
    log: LogAddress,
    events: Sequence[Event],
    policy: Policy,
    body: dict[str, object],
) -> EmittedBatch:
    """Check the answer to a batch whole."""
    read, refusals = _read_results(body, events)
    kept = {at: one for at, one in read.items() if one.opening is not None}
    checkpoint = octets_of(body, "checkpoint")
    judged = judge(checkpoint, policy, origin=log.origin)
    head = judged.opened.checkpoint
    fresh = [one for one in kept.values() if not one.is_repeat]
    tree = None
    if fresh:
        start, stop = fresh[0].index, fresh[-1].index + 1
        if [one.index for one in fresh] != list(range(start, start + len(fresh))):
            raise MalformedError("batch answer", "the indexes are not neighbours")
        proof = body.get("proof")
        proof = proof if isinstance(proof, dict) else {}
        tree = RangeTree(
            range_shape(start=start, stop=stop, size=head.size),
            leaves=[leaf_hash(one.leaf) for one in fresh],
            left=hashes_of(proof, "left"),
            right=hashes_of(proof, "right"),
            root=head.root,
        )
    return EmittedBatch(
        kept=kept,
        claims={at: one for at, one in read.items() if at not in kept},
        refusals=refusals,
        tree=tree,
        checkpoint=checkpoint,
        status=Status.WITNESSED if judged.is_witnessed else Status.PROMISED,
    )


def _read_results(
    body: dict[str, object], events: Sequence[Event]
) -> tuple[dict[int, Kept], dict[int, EventRefusal]]:
    """Read the result of each event: those taken, and those refused."""
    results = body.get("results")
    if not isinstance(results, list) or len(results) != len(events):
        raise MalformedError("batch answer", f"expected {len(events)} results")
    kept: dict[int, Kept] = {}
    refusals: dict[int, EventRefusal] = {}
    for position, (item, event) in enumerate(zip(results, events, strict=True)):
        if not isinstance(item, dict):
            raise MalformedError("batch answer", f"result {position} is no object")
        status = number_of(item, "status")
        if "index" in item:
            is_repeat = status != 201
            kept[position] = _read_kept(item, event, body, is_repeat=is_repeat)
        else:
            refusals[position] = _read_refusal(status, item)
    return kept, refusals


def _read_refusal(status: int, item: Mapping[str, object]) -> EventRefusal:
    errors = item.get("errors", [])
    places: list[tuple[str, str]] = []
    for one in errors[:_MOST_ERRORS] if isinstance(errors, list) else []:
        if isinstance(one, dict):
            place, why = one.get("pointer", ""), one.get("detail", "")
            if isinstance(place, str) and isinstance(why, str):
                places.append((clean_text(place), clean_text(why)))
    return EventRefusal(
        status,
        clean_text(text_of(item, "type")),
        clean_text(text_of(item, "detail")),
        tuple(places),
    )


def _require_taken(response: Response) -> Response:
    """Return the response of an event that was taken, else raise RefusedError.

    A refusal of the event itself names the places in it.
    """
    if response.status not in _PROBLEMS:
        return require(response, 200, 201)
    try:
        refusal = _read_refusal(response.status, read_object(response.body))
    except (MalformedError, ExchangeError):
        return require(response, 200, 201)
    raise RefusedError(response.status, str(refusal), code=refusal.code)
