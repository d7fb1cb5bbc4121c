"""Appending one entry: what is sent, what is believed, and lies that are not."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import (
    ExchangeError,
    KernelError,
    MalformedError,
    OriginError,
    ProofError,
    RefusedError,
    UnreachableError,
)
from tallystick_merkle.exchange.appending import (
    MAX_KEY,
    append_entry,
)
from tallystick_merkle.exchange.base import Failure, Reply, Request, Response, Retry
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Status, format_receipt
from tests.fakes.driving import Driver, drive
from tests.fakes.memory_log import MemoryLog, problem
from tests.unit.merkle.exchange.appends import append, batch, lying
from tests.unit.merkle.exchange.logs import POLICY, log_of


def test_an_entry_gets_a_promised_receipt() -> None:
    log = log_of(7)

    found = append(log)

    assert (found.index, found.size, found.is_repeat) == (7, 8, False)
    assert found.leaf == leaf_hash(b"event")
    assert found.status is Status.PROMISED
    assert found.receipt == log.receipt(7, log.promised(), 8)


def test_an_entry_that_waits_gets_a_witnessed_receipt() -> None:
    assert append(log_of(7), wait="witnessed").status is Status.WITNESSED


def test_a_wait_that_ran_out_is_a_promise_and_no_error() -> None:
    log = MemoryLog(key=log_of(0).key, entries=[b"genesis"])

    assert append(log, wait="witnessed").status is Status.PROMISED


def test_a_repeat_is_told_as_such() -> None:
    log = log_of(7)
    append(log)

    again = append(log)

    assert (again.index, again.is_repeat) == (7, True)
    assert log.size == 8


def test_a_key_used_for_another_entry_is_refused() -> None:
    log = log_of(7)
    append(log)

    with pytest.raises(RefusedError) as caught:
        append(log, b"other")

    assert caught.value.status == 409
    assert caught.value.code == "https://tallystick.dev/problems/key-reused"


@pytest.mark.parametrize(("timeout_s", "asked"), [(0.5, 1), (3.0, 2), (300.0, 240)])
def test_a_witnessed_wait_ends_before_the_request_does(
    timeout_s: float, asked: int
) -> None:
    exchange = append_entry(
        log_of(0).address,
        b"event",
        policy=POLICY,
        key="k1",
        wait="witnessed",
        timeout_s=timeout_s,
    )

    step = next(exchange)

    assert isinstance(step, tuple)
    assert step[0].url.endswith(f"?wait=witnessed&timeout={asked}")
    assert step[0].timeout_s == timeout_s


def test_a_request_carries_key_token_and_wait() -> None:
    log = log_of(0)

    append(log, key="a-key", wait="witnessed")

    (request,) = log.requests
    assert request.method == "POST"
    path, _, query = request.url.partition("?")
    assert path == "https://log.example/v1/logs/audit/entries"
    assert query == "wait=witnessed&timeout=24"
    assert request.headers == {
        "Content-Type": "application/octet-stream",
        "Idempotency-Key": "a-key",
        "Authorization": "Bearer token-of-the-fake",
    }
    assert request.body == b"event"


def test_without_a_token_none_is_sent() -> None:
    log = log_of(0)

    with pytest.raises(RefusedError) as caught:
        drive(
            append_entry(
                replace(log.address, token=""), b"event", policy=POLICY, key="k"
            ),
            log.answer,
        )

    assert caught.value.status == 401
    assert "Authorization" not in log.requests[0].headers


def test_an_address_never_shows_its_token() -> None:
    assert "token-of-the-fake" not in repr(log_of(0).address)


def test_an_append_is_repeated_until_it_is_answered() -> None:
    log = log_of(7)
    log.script = [Failure("reset"), problem(503, "away", "soon", {"retry-after": "1"})]
    driver = Driver(log.answer)

    found = driver.run(append_entry(log.address, b"event", policy=POLICY, key="k"))

    assert found.index == 7
    assert [pause.least_s for pause in driver.pauses] == [0.0, 1.0]
    assert len({request.headers["Idempotency-Key"] for request in log.requests}) == 1


def test_an_append_that_was_lost_after_the_commit_is_found_again() -> None:
    log = log_of(7)
    lost = [Failure("reset")]

    def answer(request: Request) -> Reply:
        reply = log.answer(request)
        return lost.pop() if lost else reply

    found = drive(append_entry(log.address, b"event", policy=POLICY, key="k"), answer)

    assert (found.index, found.is_repeat, log.size) == (7, True, 8)


def test_an_append_that_is_never_answered_is_unreachable() -> None:
    log = log_of(7)
    log.script = [Failure("reset")] * 2

    with pytest.raises(UnreachableError):
        drive(
            append_entry(
                log.address, b"e", policy=POLICY, key="k", retry=Retry(attempts=2)
            ),
            log.answer,
        )


@pytest.mark.parametrize("length", [0, 65_536])
def test_an_entry_of_a_length_no_log_takes_is_not_sent(length: int) -> None:
    log = log_of(7)

    with pytest.raises(MalformedError, match=f"{length} bytes, expected 1 to 65535"):
        append(log, b"e" * length)
    with pytest.raises(MalformedError, match=f"{length} bytes, expected 1 to 65535"):
        batch(log, [b"fine", b"e" * length])

    assert log.requests == []


@pytest.mark.parametrize("length", [1, 65_535])
def test_the_shortest_and_longest_entry_pass(length: int) -> None:
    assert append(log_of(7), b"e" * length).index == 7


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "a\r\nX-Evil: 1", "é", "\x7f", "k" * (MAX_KEY + 1)]
)
def test_a_key_that_is_no_header_is_not_sent(key: str) -> None:
    log = log_of(7)

    with pytest.raises(MalformedError, match="idempotency key"):
        append(log, key=key)
    assert log.requests == []


@pytest.mark.parametrize("token", ["a b", "a\n", "a\r\nX-Evil: 1", "é"])
def test_a_token_that_is_no_header_is_neither_sent_nor_shown(token: str) -> None:
    address = replace(log_of(7).address, token=token)

    with pytest.raises(MalformedError, match="token") as caught:
        drive(append_entry(address, b"e", policy=POLICY, key="k"), log_of(0).answer)

    assert token not in str(caught.value)


def test_a_wait_for_something_else_is_not_sent() -> None:
    with pytest.raises(MalformedError, match="wait"):
        append(log_of(7), wait="forever")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"index":' + b"9" * 5000 + b"}",
    ],
)
def test_an_answer_that_is_no_json_object_is_no_answer(body: bytes) -> None:
    log = log_of(7)
    log.script = [Response(201, {}, body)]

    with pytest.raises(ExchangeError, match="did not answer"):
        append(log)


@pytest.mark.parametrize(
    "change",
    [
        {"receipt": None},
        {"receipt": 7},
        {"receipt": ""},
        {"receipt": "\ud800"},
        {"receipt": "c2sp.org/tlog-proof@v1\nindex 0\n\n\udfff"},
        {"index": None},
        {"index": "7"},
        {"index": 7.0},
        {"index": True},
        {"index": -1},
        {"index": 6},
        {"index": 10**400},
    ],
)
def test_an_answer_with_a_wrong_field_is_malformed(change: dict[str, object]) -> None:
    log = log_of(7)

    with pytest.raises(MalformedError):
        drive(
            append_entry(log.address, b"event", policy=POLICY, key="k"),
            lying(log.answer, lambda body: body.update(change)),
        )


def test_a_receipt_of_another_entry_is_not_believed() -> None:
    log = log_of(7)
    other = log.receipt(6, log.promised(), 7)
    change = {"index": 6, "receipt": format_receipt(other).decode()}

    with pytest.raises(ProofError, match="leaf 6 is not in the tree"):
        drive(
            append_entry(log.address, b"event", policy=POLICY, key="k"),
            lying(log.answer, lambda body: body.update(change)),
        )


def test_a_receipt_of_another_log_is_not_believed() -> None:
    log = log_of(7)
    address = replace(log.address, origin="log.example/other")

    with pytest.raises(OriginError):
        drive(append_entry(address, b"event", policy=POLICY, key="k"), log.answer)


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "index",
                        "receipt",
                        "results",
                        "checkpoint",
                        "proof",
                        "left",
                        "status",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
    )
)
def test_any_json_raises_only_our_error(body: object) -> None:
    log = log_of(0)
    log.script = [Response(201, {}, json.dumps(body).encode())] * 2

    with pytest.raises(KernelError):
        append(log)
    with pytest.raises(KernelError):
        batch(log, [b"a", b"b"])
