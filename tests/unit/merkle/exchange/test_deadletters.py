"""Looking after dead letters: read with patience, changed once."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import (
    KernelError,
    MalformedError,
    RefusedError,
    UnreachableError,
)
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Exchange, Failure, Reply, Request, Response
from tallystick_merkle.exchange.deadletters import (
    drop_letter,
    get_letter,
    list_all_letters,
    list_letters,
    redrive_letter,
)
from tests.fakes.driving import Driver, drive

API = "https://log.example/v1/logs/audit"
LOG = LogAddress("", API, "", "token")
LETTER: dict[str, Any] = {
    "id": 7,
    "received_at": "2026-11-23T12:00:00.000Z",
    "principal": "billing",
    "content_type": "application/json",
    "code": "invalid-event",
    "pointer": "/action",
    "detail": "expected a text",
    "size": 2,
    "is_kept": True,
    "is_readable": True,
}
REDRIVEN = {
    "id": 7,
    "index": 104,
    "event_id": "0197f0c2-7a11-7abc-8def-000000000003",
    "is_repeat": False,
    "warnings": ["unknown action"],
}


def page(*ids: int, before: object = None) -> dict[str, Any]:
    return {
        "log": "audit",
        "letters": [{**LETTER, "id": number} for number in ids],
        "count": 3,
        "bytes": 900,
        "pushed_out": 1,
        "not_kept": 0,
        "next_before": before,
    }


def answered(*bodies: object) -> Driver:
    waiting = list(bodies)

    def answer(request: Request) -> Reply:
        assert request.headers["Authorization"] == "Bearer token"
        body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return Response(200, {}, json.dumps(body).encode())

    return Driver(answer)


def always(reply: Reply) -> Callable[[Request], Reply]:
    """Give one reply to whatever is asked."""

    def answer(request: Request) -> Reply:
        assert request.url.startswith(API)
        return reply

    return answer


def test_a_page_is_read() -> None:
    driver = answered(page(7, 6, before=6))

    found = driver.run(list_letters(LOG, before=9, limit=2))

    assert [letter.id for letter in found.letters] == [7, 6]
    assert (found.count, found.pushed_out, found.next_before) == (3, 1, 6)
    assert driver.urls == [[f"{API}/dead-letters?limit=2&before=9"]]


def test_all_letters_come_oldest_first() -> None:
    driver = answered(page(7, 6, before=6), page(5))

    found = driver.run(list_all_letters(LOG))

    assert [letter.id for letter in found] == [5, 6, 7]


def test_pages_that_do_not_go_on_are_refused() -> None:
    with pytest.raises(MalformedError, match="do not end"):
        answered(page(7, before=6), page(6, before=6)).run(list_all_letters(LOG))


def test_a_letter_is_read_with_its_body() -> None:
    body = {**LETTER, "body": b64encode(b"{}").decode()}

    found = answered(body).run(get_letter(LOG, 7))

    assert (found.letter.pointer, found.body) == ("/action", b"{}")


def test_a_body_that_is_not_there_is_none() -> None:
    assert answered({**LETTER, "body": None}).run(get_letter(LOG, 7)).body is None


@pytest.mark.parametrize(
    "change", [{"id": 8}, {"body": 1}, {"body": "e30"}, {"body": "é"}], ids=str
)
def test_a_letter_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        answered({**LETTER, "body": "e30=", **change}).run(get_letter(LOG, 7))


def test_a_letter_without_a_body_member_is_refused() -> None:
    with pytest.raises(MalformedError):
        answered(LETTER).run(get_letter(LOG, 7))


@pytest.mark.parametrize("name", list(LETTER))
def test_a_letter_that_lacks_a_member_is_refused(name: str) -> None:
    row = {key: value for key, value in LETTER.items() if key != name}

    with pytest.raises(MalformedError):
        answered({**page(), "letters": [row]}).run(list_letters(LOG))


def test_a_letter_is_submitted_again() -> None:
    driver = answered(REDRIVEN)

    done = driver.run(redrive_letter(LOG, 7))

    assert (done.id, done.index, done.warnings) == (7, 104, ("unknown action",))
    assert driver.urls == [[f"{API}/dead-letters/7/redrive"]]
    (step,) = driver.steps
    assert isinstance(step, tuple)
    assert (step[0].method, step[0].body) == ("POST", b"")


def test_an_answer_without_warnings_is_refused() -> None:
    with pytest.raises(MalformedError):
        answered({**REDRIVEN, "warnings": None}).run(redrive_letter(LOG, 7))


def test_a_letter_is_dropped() -> None:
    driver = answered({"id": 7, "is_dropped": True})

    driver.run(drop_letter(LOG, 7))

    (step,) = driver.steps
    assert isinstance(step, tuple)
    assert (step[0].method, step[0].url) == ("DELETE", f"{API}/dead-letters/7")


@pytest.mark.parametrize(
    "change", [redrive_letter, drop_letter], ids=["redrive", "drop"]
)
def test_what_changes_something_is_asked_once(change: Any) -> None:  # noqa: ANN401 -- either
    replies: list[Reply] = [Failure("gone"), Response(503, {}, b"")]
    for reply in replies:
        driver = Driver(always(reply))
        exchange: Exchange[object] = change(LOG, 7)
        with pytest.raises((UnreachableError, RefusedError)):
            driver.run(exchange)
        assert len(driver.steps) == 1


def test_a_refusal_is_the_events_own() -> None:
    problem = {"type": "https://tallystick.dev/problems/invalid-event", "detail": "no"}
    reply = Response(
        422,
        {"content-type": "application/problem+json"},
        json.dumps(problem).encode(),
    )

    with pytest.raises(RefusedError) as caught:
        drive(redrive_letter(LOG, 7), always(reply))

    assert (caught.value.status, caught.value.detail) == (422, "no")


@given(st.binary(max_size=100))
def test_any_bytes_are_an_answer_or_our_own_error(body: bytes) -> None:
    exchanges: list[Exchange[object]] = [
        list_letters(LOG),
        get_letter(LOG, 7),
        redrive_letter(LOG, 7),
    ]
    for exchange in exchanges:
        with pytest.raises(KernelError):
            drive(exchange, always(Response(200, {}, body)))
