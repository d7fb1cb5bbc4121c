"""Appending batches: one proof for all, and lies that are not believed."""

from dataclasses import replace
from typing import Any

import pytest

from tallystick_merkle.errors import (
    KernelError,
    MalformedError,
    ProofError,
    RefusedError,
)
from tallystick_merkle.exchange.appending import (
    MAX_BATCH,
    append_batch,
    encode_batch,
)
from tallystick_merkle.exchange.base import Reply, Request
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Status, check_receipt
from tests.fakes.driving import drive
from tests.fakes.memory_log import MemoryLog
from tests.unit.merkle.exchange.appends import Answer, Change, batch, lying
from tests.unit.merkle.exchange.logs import POLICY, forked, log_of


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
        (lambda body: shift(body, 2**61), ProofError),
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


def test_an_index_of_thousands_of_digits_is_refused_as_our_own_error() -> None:
    """Python writes no number of over 4,300 digits: the error itself would fail."""

    def change(body: dict[str, Any]) -> None:
        body["results"][0]["index"] = 10**4300 - 1

    log = log_of(7)

    with pytest.raises(MalformedError, match="no number 'index'"):
        drive(
            append_batch(log.address, [b"a"], policy=POLICY, key="k"),
            lying(log.answer, change),
        )
