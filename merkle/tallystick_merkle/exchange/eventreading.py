"""Read events of a Tallystick log: whole, one after the other, or some fields proven.

    GET <api>/events/{event_id}               the event, and a receipt for its leaf
    GET <api>/events/{event_id}?fields=a,b    evidence: these fields, proven
    GET <api>/events?after=INDEX&limit=N      events in the order of the log

A receipt proves that the leaf is in the log; what a reader is shown of the event is
the log's word, until evidence proves it field by field.  Evidence is believed only
when it was checked as whoever receives it will check it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.event import EVENT_ID, MAX_EVENT, is_event_id
from tallystick_merkle.eventjson import parse_time
from tallystick_merkle.evidence import (
    MAX_EVIDENCE,
    Found,
    check_evidence,
    parse_evidence,
)
from tallystick_merkle.exchange.answers import (
    authorization,
    number_of,
    octets_of,
    read_object,
    text_of,
)
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Exchange, Request, Retry, persist, require
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.leaf import SIZE, parse_leaf
from tallystick_merkle.policy import Policy
from tallystick_merkle.receipt import (
    Receipt,
    Status,
    check_receipt,
    parse_receipt,
)
from tallystick_merkle.spelling import parse_base64

MAX_LISTED = 1000
"""Most events asked for at once."""

_EVENT_BYTES = 8 * MAX_EVENT
_LIST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event as the log shows it.

    `hidden` names fields that are there and were not shown, `erased` the numbers of
    groups whose keys are gone.
    """

    index: int
    event_id: str
    received_ms: int
    leaf: bytes
    event: Mapping[str, Any] = field(repr=False)
    hidden: tuple[str, ...]
    erased: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One event with the checked receipt of its leaf."""

    read: ReadEvent
    receipt: Receipt
    status: Status


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order of the log; `next_after` goes on, while `has_more`."""

    events: tuple[ReadEvent, ...]
    next_after: int
    has_more: bool
    size: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Evidence of one event, checked: the file's bytes, and what they show."""

    event_id: str
    data: bytes = field(repr=False)
    found: Found


def get_event(
    log: LogAddress,
    event_id: str,
    *,
    policy: Policy,
    is_sensitive: bool = False,
    retry: Retry | None = None,
) -> Exchange[ShownEvent]:
    """Ask for one event; its receipt is checked, its content is the log's word.

    `is_sensitive` asks for the values that their schema calls sensitive, too.
    """
    query = "?sensitive=shown" if is_sensitive else ""
    request = _get(log, f"/events/{_checked(event_id)}{query}", _EVENT_BYTES)
    response = require((yield from persist(request, retry or Retry())), 200)
    body = read_object(response.body)
    read = _read_event(body)
    if read.event_id != event_id:
        raise MalformedError("event answer", "of another event")
    receipt = parse_receipt(octets_of(body, "receipt"))
    verdict = check_receipt(
        receipt, leaf=leaf_hash(read.leaf), policy=policy, origin=log.origin
    )
    if receipt.index != read.index:
        raise MalformedError("event answer", "index and receipt disagree")
    return ShownEvent(read, receipt, verdict.status)


def list_events(
    log: LogAddress,
    *,
    after: int | None = None,
    limit: int = 100,
    retry: Retry | None = None,
) -> Exchange[EventPage]:
    """Ask for the events after an index, in the order of the log."""
    query = f"?limit={min(limit, MAX_LISTED)}"
    query += "" if after is None else f"&after={after}"
    request = _get(log, f"/events{query}", _LIST_BYTES)
    response = require((yield from persist(request, retry or Retry())), 200)
    body = read_object(response.body)
    items = body.get("events")
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise MalformedError("event answer", "no list of events")
    return EventPage(
        tuple(map(_read_event, items)),
        number_of(body, "next_after"),
        body.get("has_more") is True,
        number_of(body, "size"),
    )


def get_evidence(
    log: LogAddress,
    event_id: str,
    fields: Sequence[str],
    *,
    policy: Policy,
    show_names: bool = True,
    all_names: bool = False,
    retry: Retry | None = None,
) -> Exchange[Proof]:
    """Ask for evidence that shows these fields of an event, and check it whole.

    `event_id` is always shown beside them: without it, evidence of any other event
    with such fields would do, and its reader could not tell which one he was given.
    `show_names` shows the names, not the values, of the other fields beside them:
    with it, nobody can be shown a second value of the same name elsewhere;
    `all_names` shows those of all persons' groups, so that this is sure.  Raises
    ProofError where the evidence does not prove the fields that were asked for.
    """
    asked = tuple(dict.fromkeys((*fields, "event_id")))
    names = ",".join(quote(name, safe="/") for name in asked)
    shown = "all" if all_names else "shown" if show_names else "hidden"
    path = f"/events/{_checked(event_id)}?fields={names}&names={shown}"
    request = _get(log, path, 2 * MAX_EVIDENCE + _EVENT_BYTES)
    response = require((yield from persist(request, retry or Retry())), 200)
    body = read_object(response.body)
    data = parse_base64(
        octets_of(body, "evidence"),
        what="event answer",
        where="evidence",
        longest=MAX_EVIDENCE,
    )
    evidence = parse_evidence(data)
    found = check_evidence(evidence, policy=policy)
    origin = found.verdict.judged.opened.checkpoint.origin
    if origin != log.origin:
        raise ProofError(f"evidence of {origin!r}, expected {log.origin!r}")
    _check_shown(found, event_id, asked)
    return Proof(event_id, data, found)


def _check_shown(found: Found, event_id: str, fields: Sequence[str]) -> None:
    """Raise ProofError unless the evidence shows all that was asked for."""
    shown = found.disclosed.fields
    for name in fields:
        if not any(_is_below(one, name) for one in shown):
            raise ProofError(f"the evidence does not show {name!r}")
    if shown.get("event_id") != event_id:
        raise ProofError("the evidence is of another event")


def _is_below(name: str, wanted: str) -> bool:
    is_target = name.startswith("target:") and wanted in {"target", "targets"}
    return is_target or name == wanted or name.startswith(f"{wanted}/")


def _get(log: LogAddress, path: str, limit: int) -> Request:
    headers = {"Accept-Encoding": "gzip, identity", **authorization(log.read_token)}
    return Request("GET", f"{log.api_url}{path}", headers=headers, limit=limit)


def _checked(event_id: str) -> str:
    if not is_event_id(event_id):
        raise MalformedError("event id", f"expected a UUIDv7: {EVENT_ID}")
    return event_id


def _read_event(body: Mapping[str, object]) -> ReadEvent:
    text = octets_of(body, "leaf")
    leaf = parse_base64(text, what="event answer", where="leaf", longest=SIZE)
    event = body.get("event")
    hidden, erased = body.get("hidden"), body.get("erased")
    if not isinstance(event, dict):
        raise MalformedError("event answer", "no event")
    if not isinstance(hidden, list) or not isinstance(erased, list):
        raise MalformedError("event answer", "no lists of what is not shown")
    received_ms = parse_time(body.get("received_at"), where="/received_at")
    if parse_leaf(leaf).time_ms != received_ms:
        raise MalformedError("event answer", "received at another time than the leaf")
    return ReadEvent(
        number_of(body, "index"),
        text_of(body, "event_id"),
        received_ms,
        leaf,
        event,
        tuple(str(name) for name in hidden),
        tuple(number for number in erased if type(number) is int),
    )
