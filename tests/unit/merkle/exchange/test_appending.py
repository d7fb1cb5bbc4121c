"""Appending: what is sent, what is believed, and lies that are not."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

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
    MAX_BATCH,
    MAX_KEY,
    Appended,
    AppendedBatch,
    append_batch,
    append_entry,
    encode_batch,
)
from tallystick_merkle.exchange.base import Failure, Reply, Request, Response, Retry
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Status, check_receipt, format_receipt
from tests.fakes.driving import Driver, drive
from tests.fakes.memory_log import MemoryLog, problem
from tests.unit.merkle.exchange.logs import POLICY, forked, log_of

Answer = Callable[[Request], Reply]
Change = Callable[[dict[str, Any]], object]


def append(
    log: MemoryLog, entry: bytes = b"event", *, key: str = "k1", wait: str = "durable"
) -> Appended:
    """Append one entry."""
    return drive(
        append_entry(log.address, entry, policy=POLICY, key=key, wait=wait), log.answer
    )


def batch(
    log: MemoryLog, entries: list[bytes], *, key: str = "k1", wait: str = "durable"
) -> AppendedBatch:
    """Append a batch."""
    return drive(
        append_batch(log.address, entries, policy=POLICY, key=key, wait=wait),
        log.answer,
    )


def lying(honest: Answer, change: Change) -> Answer:
    """Answer as the log does, but with a changed body."""

    def answer(request: Request) -> Reply:
        reply = honest(request)
        assert isinstance(reply, Response)
        body = json.loads(reply.body)
        change(body)
        return Response(reply.status, reply.headers, json.dumps(body).encode())

    return answer


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


def test_a_request_carries_key_token_and_wait() -> None:
    log = log_of(0)

    append(log, key="a-key", wait="witnessed")

    (request,) = log.requests
    assert request.method == "POST"
    assert request.url == "https://log.example/v1/logs/audit/entries?wait=witnessed"
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


def test_a_batch_gets_receipts_from_one_proof() -> None:
    log = log_of(250)
    entries = [b"event-%d" % at for at in range(20)]

    found = batch(log, entries)

    assert (found.first, found.positions) == (250, tuple(range(20)))
    assert (found.status, found.is_repeat) == (Status.PROMISED, False)
    assert found.leaves == tuple(map(leaf_hash, entries))
    for position, entry in enumerate(entries):
        receipt = found.receipt(position)
        assert found.index(position) == 250 + position
        assert receipt == log.receipt(250 + position, log.promised(), 270)
        check_receipt(receipt, leaf=leaf_hash(entry), policy=POLICY)


def test_a_batch_that_waits_is_witnessed() -> None:
    assert batch(log_of(7), [b"a"], wait="witnessed").status is Status.WITNESSED


def test_a_repeated_batch_is_told_as_such() -> None:
    log = log_of(7)
    first = batch(log, [b"a", b"b"])
    log.append([b"between"])

    again = batch(log, [b"a", b"b"])

    assert again.is_repeat
    assert (again.first, first.first, log.size) == (7, 7, 10)


def refusing(log: MemoryLog, positions: set[int]) -> Answer:
    """Take a batch but for some positions, as a log with a stricter rule would."""

    def answer(request: Request) -> Reply:
        bodies = [b"" if at in positions else b"e%d" % at for at in range(4)]
        return log.answer(replace(request, body=framed(bodies)))

    return answer


def framed(bodies: list[bytes]) -> bytes:
    return b"".join(len(body).to_bytes(2, "big") + body for body in bodies)


def test_refused_entries_do_not_lose_their_neighbours() -> None:
    log = log_of(7)
    entries = [b"e%d" % at for at in range(4)]

    found = drive(
        append_batch(log.address, entries, policy=POLICY, key="k"),
        refusing(log, {0, 2}),
    )

    assert found.positions == (1, 3)
    assert [found.index(1), found.index(3)] == [7, 8]
    assert found.first == 7
    check_receipt(found.receipt(3), leaf=leaf_hash(b"e3"), policy=POLICY)
    assert set(found.refusals) == {0, 2}
    for ask in (found.index, found.receipt):
        with pytest.raises(RefusedError) as caught:
            ask(2)
        assert (caught.value.status, caught.value.detail) == (422, "empty")
        assert caught.value.code == "https://tallystick.dev/problems/empty-entry"


def test_a_batch_of_which_nothing_was_taken_proves_nothing() -> None:
    log = log_of(7)
    entries = [b"e%d" % at for at in range(4)]

    found = drive(
        append_batch(log.address, entries, policy=POLICY, key="k"),
        refusing(log, {0, 1, 2, 3}),
    )

    assert (found.first, found.positions, log.size) == (-1, (), 7)
    with pytest.raises(RefusedError):
        found.receipt(0)


def test_a_refusal_s_text_is_made_printable() -> None:
    log = log_of(7)
    hostile = {"status": 422, "type": "\x1b[31mx", "detail": "a\nb" + "y" * 9000}

    found = drive(
        append_batch(log.address, [b"e0", b"e1", b"e2", b"e3"], policy=POLICY, key="k"),
        lying(refusing(log, {3}), lambda body: body["results"].__setitem__(3, hostile)),
    )

    assert found.refusals[3].code == "[31mx"
    assert found.refusals[3].detail == "ab" + "y" * 497


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda body: body["results"].pop(), MalformedError),
        (lambda body: body["results"].append(body["results"][0]), MalformedError),
        (lambda body: body.update(results={}), MalformedError),
        (lambda body: body["results"].__setitem__(0, "taken"), MalformedError),
        (lambda body: body["results"][2].update(index=10), MalformedError),
        (lambda body: body["results"][0].update(index=8), MalformedError),
        (lambda body: body["results"].reverse(), MalformedError),
        (lambda body: body["results"][0].update(index=-1), MalformedError),
        (lambda body: body["results"][0].update(index=True), MalformedError),
        (lambda body: body["results"][0].pop("index"), MalformedError),
        (lambda body: shift(body, -1), ProofError),
        (lambda body: shift(body, 1), ProofError),
        (lambda body: shift(body, 2**70), ProofError),
        (lambda body: body.pop("proof"), MalformedError),
        (lambda body: body.update(proof=[]), MalformedError),
        (lambda body: body["proof"].update(left=None), MalformedError),
        (lambda body: body["proof"].update(left=[7]), MalformedError),
        (lambda body: body["proof"].update(left=["é" * 44]), MalformedError),
        (lambda body: body["proof"].update(left=["A" * 44]), MalformedError),
        (lambda body: body["proof"].update(left=["A" * 43 + "="] * 64), MalformedError),
        (lambda body: body["proof"]["left"].reverse(), ProofError),
        (lambda body: body["proof"]["left"].pop(), ProofError),
        (lambda body: body["proof"]["right"].append("A" * 43 + "="), ProofError),
        (lambda body: body.update(checkpoint=7), MalformedError),
        (lambda body: body.update(checkpoint="\ud800"), MalformedError),
        (lambda body: body.update(checkpoint=""), MalformedError),
        (
            lambda body: body.update(checkpoint=log_of(10).promised().decode()),
            ProofError,
        ),
        (
            lambda body: body.update(checkpoint=log_of(7).promised().decode()),
            ProofError,
        ),
    ],
)
def test_a_lie_about_a_batch_is_not_believed(
    change: Change, error: type[KernelError]
) -> None:
    log = log_of(7)

    with pytest.raises(error):
        drive(
            append_batch(log.address, [b"a", b"b", b"c"], policy=POLICY, key="k"),
            lying(log.answer, change),
        )


def shift(body: dict[str, Any], by: int) -> None:
    """Move all indexes of an answer."""
    for item in body["results"]:
        item["index"] += by


@pytest.mark.parametrize("taken", [[b"b", b"a"], [b"a", b"x"], [b"x", b"y"]])
def test_other_or_swapped_leaves_in_the_tree_are_not_believed(
    taken: list[bytes],
) -> None:
    log = log_of(7)

    with pytest.raises(ProofError, match=r"leaves \[7, 9\) are not in the tree"):
        drive(
            append_batch(log.address, [b"a", b"b"], policy=POLICY, key="k"),
            lambda request: log.answer(replace(request, body=framed(taken))),
        )


def test_a_batch_answered_from_a_fork_is_still_proven_against_its_own_head() -> None:
    log = forked(20, 5)

    found = batch(log, [b"a", b"b"])

    assert found.checkpoint == log.promised()


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_batch_of_a_count_no_log_takes_is_not_framed(count: int) -> None:
    with pytest.raises(MalformedError, match=f"{count} entries, expected"):
        encode_batch([b"a"] * count)


def test_a_batch_of_too_many_bytes_is_not_framed() -> None:
    entry = b"e" * 65_535

    assert len(encode_batch([entry] * 127)) == 127 * 65_537
    with pytest.raises(MalformedError, match="bytes, at most 8388608"):
        encode_batch([entry] * 129)


def test_the_largest_count_is_framed() -> None:
    assert len(encode_batch([b"a"] * MAX_BATCH)) == 3 * MAX_BATCH
