"""Answers about events, broken at any place: our own errors, and nothing believed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import KernelError, MalformedError
from tallystick_merkle.event import Event
from tallystick_merkle.exchange.appending import MAX_BATCH
from tallystick_merkle.exchange.base import NO_RETRY, Exchange, Reply, Request, Response
from tallystick_merkle.exchange.eventreading import (
    get_event,
    get_evidence,
    list_events,
)
from tallystick_merkle.exchange.events import (
    draft,
    encode_event,
    encode_events,
    submit_event,
    submit_events,
)
from tests.fakes.driving import drive
from tests.unit.client.fake_events import EventsLog, event_json
from tests.unit.client.fake_log import JSON, LOG, POLICY

EVENTS = [draft(event_json(number)) for number in (1, 2)]
ID = EVENTS[0].event_id

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JUNK: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def exchanges() -> dict[str, Exchange[object]]:
    """Every exchange about events, with one attempt."""
    one, two = EVENTS
    return {
        "one": submit_event(LOG, one, policy=POLICY, retry=NO_RETRY),
        "batch": submit_events(LOG, [one, two], policy=POLICY, retry=NO_RETRY),
        "read": get_event(LOG, ID, policy=POLICY, retry=NO_RETRY),
        "list": list_events(LOG, retry=NO_RETRY),
        "evidence": get_evidence(LOG, ID, ["action"], policy=POLICY, retry=NO_RETRY),
    }


def a_log(*, has_events: bool) -> EventsLog:
    log = EventsLog()
    if has_events:
        drive(submit_events(LOG, EVENTS, policy=POLICY), log.answer)
    return log


def places(value: object, place: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """All places in a JSON value."""
    found: list[tuple[Any, ...]] = [place] if place else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += places(item, (*place, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += places(item, (*place, number))
    return found


@pytest.mark.parametrize("name", list(exchanges()))
@given(data=st.data())
def test_an_answer_broken_anywhere_is_our_own_error_or_harmless(
    name: str, data: st.DataObject
) -> None:
    log = a_log(has_events=name not in {"one", "batch"})

    def broken(request: Request) -> Reply:
        reply = log.answer(request)
        assert isinstance(reply, Response)
        body = json.loads(reply.body)
        place = data.draw(st.sampled_from(places(body)))
        holder: Any = body
        for part in place[:-1]:
            holder = holder[part]
        holder[place[-1]] = data.draw(JUNK)
        return Response(reply.status, reply.headers, json.dumps(body).encode())

    with suppress(KernelError):
        drive(exchanges()[name], broken)


@pytest.mark.parametrize("name", list(exchanges()))
@given(body=st.binary(max_size=60) | JUNK.map(lambda value: json.dumps(value).encode()))
def test_an_answer_that_is_anything_at_all_is_refused(name: str, body: bytes) -> None:
    with pytest.raises(KernelError):
        drive(exchanges()[name], lambda _: Response(200, JSON, body))


@given(body=JUNK, status=st.sampled_from([409, 422]))
def test_a_refusal_that_is_anything_at_all_is_a_refusal(body: Any, status: int) -> None:  # noqa: ANN401 -- any
    reply = Response(status, JSON, json.dumps(body).encode())

    with pytest.raises(KernelError):
        drive(exchanges()["one"], lambda _: reply)


def test_the_service_is_not_sent_unless_the_event_says_it() -> None:
    named = draft(event_json(producer={"service": "s", "instance": "i", "sequence": 1}))

    assert b"service" not in encode_event(EVENTS[0])
    assert b'"service":"s"' in encode_event(named)
    for event in (EVENTS[0], named):
        assert draft(json.loads(encode_event(event))) == event


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_batch_has_a_size(count: int) -> None:
    with pytest.raises(MalformedError, match="events, expected 1 to"):
        encode_events([EVENTS[0]] * count)


def test_a_batch_has_a_length() -> None:
    long: Event = draft(event_json(details={"a": "x" * 16_000, "b": "y" * 16_000}))

    with pytest.raises(MalformedError, match="bytes, at most"):
        encode_events([long] * 300)


def test_names_of_fields_are_escaped_in_the_query() -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Reply:
        asked.append(request)
        return Response(404, {}, b"")

    with suppress(KernelError):
        drive(get_evidence(LOG, ID, ["details/a b,c&d", "é"], policy=POLICY), answer)

    assert asked[0].url.endswith(
        f"/events/{ID}?fields=details/a%20b%2Cc%26d,%C3%A9,event_id&names=shown"
    )
