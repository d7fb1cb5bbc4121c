"""Retries, pauses and what a peer's refusal becomes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import RefusedError, UnreachableError
from tallystick_merkle.exchange.base import (
    NO_RETRY,
    Failure,
    Pause,
    Reply,
    Request,
    Response,
    Retry,
    ask,
    clean_text,
    persist,
    persist_all,
    require,
    retry_after_s,
)
from tests.fakes.driving import Driver, drive

REQUEST = Request("GET", "https://log.example/checkpoint")
OTHER = Request("GET", "https://log.example/tile/0/000")
OK = Response(200, {}, b"fine")
BUSY = Response(429, {"retry-after": "7"}, b"")
LOST = Failure("connection reset")


class Script:
    """Answers each request with the next of its replies."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def __call__(self, request: Request) -> Reply:
        return self.replies.pop(0)


def test_one_request_gets_its_answer() -> None:
    assert drive(ask(REQUEST), Script(OK)) == OK


def test_no_answer_is_an_error_that_names_the_request() -> None:
    with pytest.raises(UnreachableError) as caught:
        drive(ask(REQUEST), Script(LOST))

    assert str(caught.value) == "GET https://log.example/checkpoint: connection reset"


def test_a_request_shows_neither_its_headers_nor_its_body() -> None:
    request = Request("POST", "https://log.example", b"body", {"Authorization": "tok"})

    assert "tok" not in repr(request)
    assert "body" not in repr(request)


def test_an_answer_for_good_ends_the_tries() -> None:
    driver = Driver(Script(LOST, BUSY, OK))

    assert driver.run(persist(REQUEST, Retry())) == OK
    assert driver.steps == [
        (REQUEST,),
        Pause(0.0, 0.1),
        (REQUEST,),
        Pause(7.0, 0.2),
        (REQUEST,),
    ]


def test_pauses_double_up_to_their_most() -> None:
    driver = Driver(Script(*[LOST] * 6))

    with pytest.raises(UnreachableError, match="connection reset"):
        driver.run(persist(REQUEST, Retry(attempts=6, spread_s=1.0, most_s=5.0)))

    assert [pause.spread_s for pause in driver.pauses] == [1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_later_is_tried_again(status: int) -> None:
    driver = Driver(Script(Response(status, {}, b""), OK))

    assert driver.run(persist(REQUEST, Retry())) == OK


@pytest.mark.parametrize("status", [200, 304, 400, 404, 409, 422, 500, 501])
def test_any_other_status_is_an_answer_for_good(status: int) -> None:
    answer = Response(status, {}, b"")
    driver = Driver(Script(answer))

    assert driver.run(persist(REQUEST, Retry())) == answer
    assert driver.pauses == []


def test_the_last_answer_is_returned_whatever_its_status() -> None:
    assert drive(persist(REQUEST, Retry(attempts=2)), Script(LOST, BUSY)) == BUSY
    assert drive(persist(REQUEST, NO_RETRY), Script(BUSY)) == BUSY


def test_the_last_try_without_an_answer_is_an_error() -> None:
    with pytest.raises(UnreachableError):
        drive(persist(REQUEST, Retry(attempts=2)), Script(BUSY, LOST))


def test_no_attempts_are_no_answer() -> None:
    with pytest.raises(UnreachableError, match="no attempts"):
        drive(persist(REQUEST, Retry(attempts=0)), Script())


def test_of_many_requests_only_the_unanswered_are_made_again() -> None:
    driver = Driver(Script(OK, BUSY, OK))

    found = driver.run(persist_all((REQUEST, OTHER), Retry()))

    assert found == (OK, OK)
    assert driver.steps == [(REQUEST, OTHER), Pause(7.0, 0.1), (OTHER,)]


def test_no_requests_need_no_step() -> None:
    driver = Driver(Script())

    assert driver.run(persist_all((), Retry())) == ()
    assert driver.steps == []


def test_the_longest_wish_of_many_is_honoured() -> None:
    slower = Response(503, {"retry-after": "9"}, b"")
    driver = Driver(Script(slower, BUSY, LOST, OK, OK, OK))

    driver.run(persist_all((REQUEST, OTHER, REQUEST), Retry()))

    assert driver.pauses == [Pause(9.0, 0.1)]


def test_a_wish_of_hours_is_capped() -> None:
    driver = Driver(Script(Response(503, {"retry-after": "86400"}, b""), OK))

    driver.run(persist(REQUEST, Retry()))

    assert driver.pauses == [Pause(60.0, 0.1)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        (" 1", None),
        ("1\n", None),
        ("٣", None),
        ("9999999", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_whole_seconds(text: str, seconds: float | None) -> None:
    assert retry_after_s(Response(429, {"retry-after": text}, b"")) == seconds


def test_no_retry_after_is_none() -> None:
    assert retry_after_s(OK) is None


def test_a_wanted_status_passes() -> None:
    assert require(OK, 200, 201) is OK


def refused(body: bytes, kind: str = "application/problem+json") -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        require(
            Response(429, {"content-type": kind, "retry-after": "3"}, body), 200, 201
        )
    assert caught.value.status == 429
    assert caught.value.retry_after_s == 3.0
    return caught.value


def test_a_problem_document_is_read() -> None:
    error = refused(
        b'{"type":"https://tallystick.dev/problems/busy","title":"t","detail":"full"}',
        "application/problem+json; charset=utf-8",
    )

    assert error.code == "https://tallystick.dev/problems/busy"
    assert error.detail == "full"
    assert str(error) == "refused with status 429: full"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"title":"busy"}', "busy"),
        (b'{"detail":"","title":"busy"}', "busy"),
        (b"{}", "no detail"),
        (b'{"detail":["x"],"type":{"a":1},"title":7}', "no detail"),
        (b'{"detail":"a\\u001b[31mb\\u0000\\ud800c\\n"}', "a[31mbc"),
        (b"[1]", "[1]"),
        (b"not json\nat all", "not json"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", "no detail"),
        (b"\n", "no detail"),
        (b"[" * 100_000, "[" * 500),
        (b'{"detail":' + b"9" * 5000 + b"}", '{"detail":' + "9" * 490),
    ],
)
def test_any_refusal_becomes_one_printable_line(body: bytes, detail: str) -> None:
    assert refused(body).detail == detail


def test_a_refusal_in_plain_text_gives_its_first_line() -> None:
    error = refused(b'{"detail":"x"}\nmore', "text/plain")

    assert (error.detail, error.code) == ('{"detail":"x"}', "")


def test_a_detail_is_capped() -> None:
    assert len(refused(json.dumps({"detail": "x" * 9000}).encode()).detail) == 500


@given(st.binary(max_size=200), st.sampled_from(["application/problem+json", "a/b"]))
def test_any_body_becomes_only_a_refusal(body: bytes, kind: str) -> None:
    assert refused(body, kind).detail.isprintable()


@given(st.text())
def test_cleaned_text_is_printable(text: str) -> None:
    assert clean_text(text).isprintable()
