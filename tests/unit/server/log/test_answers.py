"""Answers to appends: every receipt that leaves was checked, fresh or repeated."""

from __future__ import annotations

import dataclasses

import pytest

from tallystick_merkle.hashing import leaf_hash, leaf_hashes
from tallystick_merkle.keys import format_vkey
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.receipt import Status, check_receipt, parse_receipt
from tallystick_server.errors import IntegrityError
from tallystick_server.log import answers
from tallystick_server.log.log import Log
from tallystick_server.storage.base import Published
from tests.fakes.logs import ORIGIN, log_key, submission
from tests.unit.server.log.test_log import Bench


def policy() -> Policy:
    return parse_policy(
        f"log {format_vkey(log_key().verifier)}\nquorum none\n".encode()
    )


def verdict(receipt: bytes, entry: bytes) -> Status:
    return check_receipt(
        parse_receipt(receipt), leaf=leaf_hash(entry), policy=policy(), origin=ORIGIN
    ).status


async def filled(count: int = 300) -> Log:
    log = Bench().open()
    await log.append(submission("fill", *[b"entry %d" % n for n in range(count)]))
    return log


async def test_fresh_and_repeated_entries_both_get_a_receipt_that_verifies() -> None:
    log = await filled()
    fresh = await log.append(submission("a", b"mine"))
    await log.append(submission("b", b"later"))
    repeat = await log.append(submission("a", b"mine"))

    first = answers.single(log, fresh, leaf_hash(b"mine"))
    second = answers.single(log, repeat, leaf_hash(b"mine"))
    await log.close()

    assert verdict(first, b"mine") is Status.PROMISED
    assert verdict(second, b"mine") is Status.PROMISED
    assert parse_receipt(first).index == parse_receipt(second).index == 301


async def test_a_receipt_for_other_bytes_never_leaves() -> None:
    log = await filled(3)
    ack = await log.append(submission("a", b"mine"))

    with pytest.raises(IntegrityError, match="does not verify"):
        answers.single(log, ack, leaf_hash(b"other"))
    with pytest.raises(IntegrityError, match="does not verify"):
        answers.batch(log, ack, [leaf_hash(b"other")])
    await log.close()


async def test_fresh_and_repeated_batches_are_proven_at_their_head() -> None:
    log = await filled()
    entries = [b"batch %d" % n for n in range(40)]
    fresh = await log.append(submission("a", *entries))
    await log.append(submission("b", b"later"))
    repeat = await log.append(submission("a", *entries))

    for ack in (fresh, repeat):
        proof = answers.batch(log, ack, leaf_hashes(entries))
        shape = range_shape(start=301, stop=341, size=proof.size)
        RangeTree(
            shape,
            leaves=leaf_hashes(entries),
            left=proof.left,
            right=proof.right,
            root=answers.root_of(proof.note),
        )
        assert (proof.size, proof.note) == (ack.head.size, ack.head.note)
    await log.close()


async def test_witnessed_answers_are_given_at_the_published_checkpoint() -> None:
    log = await filled()
    entries = [b"one", b"two"]
    ack = await log.append(submission("a", *entries))
    head = log.head
    await log.append(submission("b", b"later"))
    published = Published(head.size, head.note, head.time_ms)

    receipt = answers.witnessed(log, published, ack.placed.first, leaf_hash(b"one"))
    proof = answers.witnessed_batch(
        log, published, ack.placed.first, leaf_hashes(entries)
    )
    await log.close()

    assert verdict(receipt, b"one") is Status.PROMISED  # the policy asks nobody
    assert parse_receipt(receipt).checkpoint == head.note
    assert proof.size == head.size


async def test_a_stored_note_that_does_not_parse_is_an_integrity_error() -> None:
    log = await filled(1)
    bad = Published(log.head.size, b"rubbish", 0)

    with pytest.raises(IntegrityError, match="does not parse"):
        answers.witnessed(log, bad, 1, leaf_hash(b"entry 0"))
    await log.close()


async def test_a_store_that_gives_other_hashes_is_caught_before_the_answer() -> None:
    log = await filled()
    ack = await log.append(submission("a", b"mine"))
    forged = dataclasses.replace(
        ack, head=dataclasses.replace(ack.head, root=b"\x01" * 32), tree=None
    )

    with pytest.raises(IntegrityError):
        answers.single(log, forged, leaf_hash(b"mine"))
    with pytest.raises(IntegrityError):
        answers.batch(log, forged, [leaf_hash(b"mine")])
    await log.close()
