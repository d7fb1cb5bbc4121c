"""Asking one witness: the sizes, the conflicts and the refusals."""

import pytest

from tallystick_merkle.errors import (
    ExchangeError,
    MalformedError,
    RefusedError,
    UnreachableError,
)
from tallystick_merkle.exchange.base import Failure, Pause, Reply
from tallystick_merkle.exchange.witness import (
    Conflict,
    Cosigned,
    ask_witness,
    read_witness_head,
)
from tallystick_merkle.policy import judge
from tallystick_merkle.proof import plan_consistency
from tallystick_merkle.witnessing import SIZE_TYPE, parse_add_checkpoint
from tests.fakes.driving import Driver, drive
from tests.fakes.memory_log import MemoryLog
from tests.fakes.memory_witness import URL, MemoryWitness, text
from tests.unit.merkle.exchange.logs import (
    LOG_KEY,
    ORIGIN,
    POLICY,
    WITNESSES,
    forked,
    log_of,
)


def witness() -> MemoryWitness:
    return MemoryWitness(log=LOG_KEY.verifier, keys=WITNESSES)


def ask(
    peer: MemoryWitness, log: MemoryLog, *, size: int, old: int = 0
) -> Cosigned | Conflict:
    """Ask a witness to cosign a log's head of a size."""
    return drive(
        ask_witness(
            URL + "/",
            checkpoint=log.promised(size),
            size=size,
            old=old,
            prove=lambda seen: log.hashes(plan_consistency(old=seen, new=size)),
        ),
        peer.answer,
    )


def olds(peer: MemoryWitness) -> list[int]:
    """The old sizes a witness was told."""
    return [parse_add_checkpoint(request.body).old for request in peer.requests]


def test_a_first_checkpoint_is_cosigned_by_every_key() -> None:
    log, peer = log_of(9), witness()

    found = ask(peer, log, size=9)

    assert isinstance(found, Cosigned)
    assert [line.key_id for line in found.lines] == [
        signer.verifier.key_id for signer in WITNESSES
    ]
    assert judge(peer.latest, POLICY, origin=ORIGIN).is_witnessed
    assert olds(peer) == [0]


def test_a_request_is_a_bounded_post_below_the_prefix() -> None:
    peer = witness()

    ask(peer, log_of(9), size=9)

    (request,) = peer.requests
    assert (request.method, request.url) == ("POST", f"{URL}/add-checkpoint")
    assert request.timeout_s == 5.0


def test_a_grown_log_is_cosigned_with_a_proof_from_the_known_size() -> None:
    log, peer = log_of(9), witness()
    ask(peer, log, size=5)

    assert isinstance(ask(peer, log, size=9, old=5), Cosigned)
    assert olds(peer) == [0, 5]


def test_an_unknown_size_is_read_from_the_conflict() -> None:
    log, peer = log_of(9), witness()
    ask(peer, log, size=5)

    assert isinstance(ask(peer, log, size=9), Cosigned)
    assert olds(peer) == [0, 0, 5]


def test_a_witness_that_forgot_is_told_from_the_start() -> None:
    log, peer = log_of(9), witness()

    assert isinstance(ask(peer, log, size=9, old=5), Cosigned)
    assert olds(peer) == [5, 0]


def test_the_same_size_again_is_cosigned_afresh() -> None:
    log, peer = log_of(9), witness()
    first = ask(peer, log, size=9)
    peer.time_s += 60

    again = ask(peer, log, size=9, old=9)

    assert isinstance(again, Cosigned)
    assert again != first
    assert parse_add_checkpoint(peer.requests[-1].body).proof == ()


def test_a_witness_at_our_size_cosigns_after_the_conflict() -> None:
    log, peer = log_of(9), witness()
    ask(peer, log, size=9)

    assert isinstance(ask(peer, log, size=9), Cosigned)
    assert olds(peer) == [0, 0, 9]


def test_a_witness_ahead_of_us_is_a_conflict_with_its_size() -> None:
    log, peer = log_of(9), witness()
    ask(peer, log, size=9)

    assert ask(peer, log, size=5) == Conflict(9)
    assert ask(peer, log, size=5, old=9) == Conflict(9)
    assert olds(peer)[-1] == 5


@pytest.mark.parametrize(
    "reply",
    [
        text(409, b"", "text/plain"),
        text(409, b"5\n", "text/plain"),
        text(409, b"5\n", ""),
        text(409, b"5\n", f"application/{SIZE_TYPE}"),
    ],
)
def test_a_conflict_without_a_size_is_told_as_such(reply: Reply) -> None:
    peer = witness()
    peer.script = [reply]

    assert ask(peer, log_of(9), size=9) == Conflict(None)
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "kind", [f"{SIZE_TYPE}; charset=utf-8", f" {SIZE_TYPE}", "Text/X.Tlog.Size"]
)
def test_a_size_is_known_by_its_media_type_alone(kind: str) -> None:
    peer = witness()
    peer.script = [text(409, b"0\n", kind)]

    assert isinstance(ask(peer, log_of(9), size=9, old=5), Cosigned)


@pytest.mark.parametrize("body", [b"", b"05\n", b"5", b"five\n", b"-1\n"])
def test_a_size_in_another_spelling_is_malformed(body: bytes) -> None:
    peer = witness()
    peer.script = [text(409, body, SIZE_TYPE)]

    with pytest.raises(MalformedError, match="witness size"):
        ask(peer, log_of(9), size=9)


def test_a_witness_that_keeps_changing_its_size_is_left_after_three_tries() -> None:
    peer = witness()
    peer.script = [text(409, b"%d\n" % size, SIZE_TYPE) for size in (3, 4, 5, 6)]

    with pytest.raises(ExchangeError, match="kept changing"):
        ask(peer, log_of(9), size=9)

    assert olds(peer) == [0, 3, 4]


@pytest.mark.parametrize("status", [301, 400, 403, 404, 422, 429, 500, 503])
def test_a_refusal_is_not_asked_again(status: int) -> None:
    peer = witness()
    peer.script = [text(status, b"because\nof this")]

    with pytest.raises(RefusedError) as caught:
        ask(peer, log_of(9), size=9)

    assert (caught.value.status, caught.value.detail) == (status, "because")
    assert len(peer.requests) == 1


def test_a_forked_log_is_refused_with_422() -> None:
    peer = witness()
    ask(peer, log_of(5), size=5)

    with pytest.raises(RefusedError) as caught:
        ask(peer, forked(9, 2), size=9)

    assert caught.value.status == 422


def test_no_answer_is_unreachable() -> None:
    peer = witness()
    peer.script = [Failure("timed out")]

    with pytest.raises(UnreachableError, match="timed out"):
        ask(peer, log_of(9), size=9)


@pytest.mark.parametrize("body", [b"", b"\n", b"ok\n", b"\xff\n", b"- a b\n"])
def test_an_answer_without_signature_lines_is_malformed(body: bytes) -> None:
    peer = witness()
    peer.script = [text(200, body)]

    with pytest.raises(MalformedError):
        ask(peer, log_of(9), size=9)


def test_what_a_witness_saw_is_read() -> None:
    peer = witness()
    ask(peer, log_of(9), size=9)

    assert drive(read_witness_head(URL + "/", ORIGIN), peer.answer) == peer.latest


def test_a_witness_that_never_cosigned_says_none() -> None:
    assert drive(read_witness_head(URL, ORIGIN), witness().answer) is None


def test_a_witness_s_head_is_asked_for_twice() -> None:
    peer = witness()
    peer.script = [Failure("reset"), text(500, b"broken")]
    driver = Driver(peer.answer)

    with pytest.raises(RefusedError, match="broken"):
        driver.run(read_witness_head(URL, ORIGIN))

    assert driver.pauses == [Pause(0.0, 0.1)]
