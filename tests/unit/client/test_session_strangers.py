"""What is kept of a receipt: no signature lines of keys that nobody believes."""

from __future__ import annotations

from tallystick_client.session import without_strangers
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.note import Signature, format_note, parse_note
from tallystick_merkle.receipt import Receipt, Status, check_receipt
from tests.unit.client.fake_log import POLICY, FakeLog


def test_lines_of_strangers_are_dropped_and_the_receipt_still_verifies() -> None:
    log = FakeLog()
    log.publish()
    junk = [Signature(f"stranger{n}.example", b"junk", b"x" * 4000) for n in range(50)]
    padded = format_note(parse_note(log.served).with_signatures(junk))
    held = Held(Receipt(0, (), padded), leaf_hash(log.entries[0]))

    first, second = without_strangers([held, held], POLICY)

    assert first == second
    assert first.receipt.checkpoint == log.served
    verdict = check_receipt(first.receipt, leaf=held.leaf, policy=POLICY)
    assert verdict.status is Status.WITNESSED
