"""Advancing trust, upgrading promises, and what a log that lies gets for it."""

from dataclasses import replace

import pytest

from tallystick_merkle.cosignature import sign_checkpoint
from tallystick_merkle.errors import (
    InconsistentError,
    OriginError,
    PolicyNotMetError,
    ProofError,
    TreeMismatchError,
    UnverifiedNoteError,
)
from tallystick_merkle.exchange.trusting import (
    Held,
    prove_entry,
    read_head,
    upgrade_receipts,
)
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.keys import KeyType
from tallystick_merkle.note import format_note
from tallystick_merkle.receipt import Status, check_receipt
from tallystick_merkle.tile import Tile
from tests.fakes.driving import Driver, drive
from tests.fakes.memory_log import MemoryLog
from tests.unit.merkle.exchange.logs import (
    LOG_KEY,
    ORIGIN,
    POLICY,
    WITNESSES,
    flipped,
    forked,
    judged,
    log_of,
    numbered,
    reader_of,
)
from tests.unit.merkle.people import key


def head_of(log: MemoryLog, trusted: bytes | None = None) -> bytes:
    """Read the served head against a trusted one; give the note to believe."""
    found = drive(
        read_head(reader_of(log), policy=POLICY, origin=ORIGIN, trusted=trusted),
        log.answer,
    )
    return found.opened.raw


def held(log: MemoryLog, index: int, size: int) -> Held:
    """The promised receipt of an entry at a head of `size` leaves."""
    receipt = log.receipt(index, log.promised(size), size)
    return Held(receipt, leaf_hash(log.entries[index]))


def test_the_first_head_is_believed_as_judged() -> None:
    log = log_of(5)

    found = drive(
        read_head(reader_of(log), policy=POLICY, origin=ORIGIN, trusted=None),
        log.answer,
    )

    assert found.opened.raw == log.published
    assert found.is_witnessed


def test_a_newer_head_that_extends_takes_over() -> None:
    log = log_of(5)
    trusted = log.published
    log.append(numbered(5, 300))

    assert head_of(log, trusted) == trusted
    assert head_of(log, trusted) != log.publish()
    assert head_of(log, trusted) == log.published


def test_an_older_copy_does_not_take_trust_back() -> None:
    log = log_of(300)
    trusted = log.published
    log.publish(5)

    assert head_of(log, trusted) == trusted


def test_a_fresh_note_of_the_same_head_takes_over() -> None:
    log = log_of(5)
    log.published = log.promised()

    assert head_of(log, log.witnessed()) == log.promised()


@pytest.mark.parametrize("size", [5, 9])
def test_a_forked_head_is_shown_by_both_notes(size: int) -> None:
    trusted, log = log_of(5).published, forked(size, 2)

    with pytest.raises(InconsistentError) as caught:
        head_of(log, trusted)

    assert (caught.value.first, caught.value.second) == (trusted, log.published)


def test_a_smaller_head_of_another_history_is_shown_too() -> None:
    log, old = log_of(5), forked(3, 2).published
    log.replaced["checkpoint"] = old

    with pytest.raises(InconsistentError) as caught:
        head_of(log, log.published)

    assert (caught.value.first, caught.value.second) == (old, log.published)


def test_a_head_nobody_listed_signed_is_refused() -> None:
    log = MemoryLog(key=key(ORIGIN, KeyType.ED25519, 9), entries=[b"x"])
    log.publish()

    with pytest.raises(UnverifiedNoteError):
        head_of(log)


def test_a_head_of_another_origin_is_refused() -> None:
    log = log_of(5)

    with pytest.raises(OriginError):
        drive(
            read_head(reader_of(log), policy=POLICY, origin="other", trusted=None),
            log.answer,
        )


def test_an_empty_log_is_believed_and_outgrown() -> None:
    log = MemoryLog(key=LOG_KEY, witnesses=WITNESSES)
    empty = log.publish()

    assert head_of(log) == empty
    log.append([b"one"])
    assert head_of(log, empty) == empty
    assert head_of(log, empty) != log.publish()
    assert head_of(log, empty) == log.published


def test_an_empty_log_with_a_root_is_refused() -> None:
    log = log_of(0)
    head = replace(log.head(), root=b"r" * 32)
    log.published = format_note(sign_checkpoint(head, LOG_KEY))

    with pytest.raises(ProofError, match="size 0"):
        head_of(log)


def test_a_receipt_of_a_head_never_published_is_upgraded() -> None:
    log = log_of(300)
    log.publish(290)
    item = held(log, 7, 293)
    log.publish(300)

    (receipt,) = drive(
        upgrade_receipts(
            reader_of(log), [item], head=judged(log.published), policy=POLICY
        ),
        log.answer,
    )

    assert receipt is not None
    assert receipt.checkpoint == log.published
    verdict = check_receipt(receipt, leaf=item.leaf, policy=POLICY, origin=ORIGIN)
    assert verdict.status is Status.WITNESSED


def test_receipts_of_one_head_are_discharged_once() -> None:
    log = log_of(700)
    items = [held(log, index, 650) for index in (0, 300, 649)]
    driver = Driver(log.answer)

    found = driver.run(
        upgrade_receipts(
            reader_of(log), items, head=judged(log.published), policy=POLICY
        )
    )

    assert [item and item.index for item in found] == [0, 300, 649]
    urls = [url for step in driver.urls for url in step]
    assert len(urls) == len(set(urls))


def test_extra_data_of_a_receipt_is_kept() -> None:
    log = log_of(9)
    item = held(log, 3, 5)
    item = Held(replace(item.receipt, extra=b"mine"), item.leaf)

    (receipt,) = drive(
        upgrade_receipts(
            reader_of(log), [item], head=judged(log.published), policy=POLICY
        ),
        log.answer,
    )

    assert receipt is not None
    assert receipt.extra == b"mine"


def test_a_head_that_does_not_reach_yet_upgrades_the_others() -> None:
    log = log_of(9)
    log.publish(6)
    items = [held(log, 3, 9), held(log, 3, 5), held(log, 3, 6)]

    found = drive(
        upgrade_receipts(
            reader_of(log), items, head=judged(log.published), policy=POLICY
        ),
        log.answer,
    )

    assert [receipt is None for receipt in found] == [True, False, False]


def test_nothing_is_upgraded_to_a_head_below_its_quorum() -> None:
    log = log_of(9)
    driver = Driver(log.answer)

    with pytest.raises(PolicyNotMetError):
        driver.run(
            upgrade_receipts(
                reader_of(log),
                [held(log, 3, 5)],
                head=judged(log.promised()),
                policy=POLICY,
            )
        )

    assert driver.steps == []


@pytest.mark.parametrize("size", [5, 9])
def test_a_promise_that_was_broken_is_shown_by_both_notes(size: int) -> None:
    promised_by, log = log_of(size), forked(9, 2)
    item = held(promised_by, 3, size)

    with pytest.raises(InconsistentError) as caught:
        drive(
            upgrade_receipts(
                reader_of(log), [item], head=judged(log.published), policy=POLICY
            ),
            log.answer,
        )

    assert caught.value.first == promised_by.promised()
    assert caught.value.second == log.published


def test_a_held_receipt_that_never_proved_its_leaf_is_refused() -> None:
    log = log_of(9)
    item = Held(held(log, 3, 5).receipt, leaf_hash(b"other"))

    with pytest.raises(ProofError, match="leaf 3 is not in the tree of size 5"):
        drive(
            upgrade_receipts(
                reader_of(log), [item], head=judged(log.published), policy=POLICY
            ),
            log.answer,
        )


def test_a_held_receipt_of_an_empty_tree_is_refused() -> None:
    log = log_of(9)
    item = Held(replace(held(log, 3, 5).receipt, checkpoint=log.promised(0)), b"l" * 32)

    with pytest.raises(ProofError, match="outside a tree of size 0"):
        drive(
            upgrade_receipts(
                reader_of(log), [item], head=judged(log.published), policy=POLICY
            ),
            log.answer,
        )


@pytest.mark.parametrize("leaf", [3, 2, 8])
def test_an_upgrade_from_broken_tiles_is_no_fork(leaf: int) -> None:
    log = log_of(9)
    path = "tile/0/000.p/9"
    log.replaced[path] = flipped(log.resource(Tile(0, 0, 9)), 32 * leaf)
    items, head = [held(log, 3, 9)], judged(log.published)
    items = [Held(replace(items[0].receipt, checkpoint=log.published), items[0].leaf)]
    reader = reader_of(log)

    with pytest.raises(TreeMismatchError, match="served for leaf 3") as caught:
        drive(upgrade_receipts(reader, items, head=head, policy=POLICY), log.answer)

    assert caught.value.index == 3
    del log.replaced[path]
    drive(upgrade_receipts(reader, items, head=head, policy=POLICY), log.answer)


@pytest.mark.parametrize("index", [0, 255, 256, 299])
def test_an_entry_is_proven_from_tiles_alone(index: int) -> None:
    log = log_of(300)

    receipt = drive(
        prove_entry(
            reader_of(log),
            index=index,
            leaf=leaf_hash(b"entry-%d" % index),
            head=judged(log.published),
            policy=POLICY,
        ),
        log.answer,
    )

    assert receipt == log.receipt(index, log.published, 300)


def test_an_entry_the_log_does_not_hold_there_is_not_proven() -> None:
    log = log_of(300)

    with pytest.raises(ProofError, match="leaf 7 is not in the tree"):
        drive(
            prove_entry(
                reader_of(log),
                index=7,
                leaf=leaf_hash(b"entry-8"),
                head=judged(log.published),
                policy=POLICY,
            ),
            log.answer,
        )


def test_an_entry_beyond_the_head_is_not_asked_for() -> None:
    log = log_of(5)
    driver = Driver(log.answer)

    with pytest.raises(TreeMismatchError, match="beyond the head") as caught:
        driver.run(
            prove_entry(
                reader_of(log),
                index=5,
                leaf=b"l" * 32,
                head=judged(log.published),
                policy=POLICY,
            )
        )

    assert caught.value.index == 5
    assert driver.steps == []
