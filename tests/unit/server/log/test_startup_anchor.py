"""A start held against the clock and against the anchor (D12, D8)."""

from __future__ import annotations

import pytest

from tallystick_server.errors import ClockError, IntegrityError
from tallystick_server.log.anchor import MemoryAnchor
from tallystick_server.log.startup import check_anchor, check_clock, load_state
from tests.fakes.grown import log_of, writer_of
from tests.fakes.logs import MemoryLog, log_key, memory_log, submission

KEY = log_key().verifier


@pytest.mark.parametrize("behind_ms", [-3_600_000, 0, 10_000])
def test_a_clock_up_to_ten_seconds_behind_is_taken(behind_ms: int) -> None:
    head = log_of(2).state.head

    check_clock(head, now_ms=head.time_ms - behind_ms)


def test_a_clock_further_behind_is_refused() -> None:
    head = log_of(2).state.head

    with pytest.raises(ClockError, match=r"10\.0 s behind"):
        check_clock(head, now_ms=head.time_ms - 10_001)


def test_a_new_anchor_proves_nothing_at_no_start() -> None:
    log = log_of(5)
    anchor = MemoryAnchor()

    assert not check_anchor(anchor, log.store, log.state.head)
    assert not check_anchor(anchor, log.store, log.state.head)
    assert anchor.last() is None


def test_an_anchor_at_the_head_proves_that_nothing_is_missing() -> None:
    log = log_of(5)
    anchor = MemoryAnchor((5, log.state.head.root))

    assert check_anchor(anchor, log.store, log.state.head)


def anchor_behind(log: MemoryLog, heads: int) -> MemoryAnchor:
    head = list(log.store.heads())[-1 - heads]
    return MemoryAnchor((head.size, head.root))


def test_a_crash_between_commit_and_anchor_is_made_good() -> None:
    log = log_of(300)
    anchor = anchor_behind(log, 1)

    is_proof = check_anchor(anchor, log.store, log.state.head)

    assert is_proof
    assert anchor.last() == (300, log.state.head.root)


def test_an_anchor_that_was_not_kept_proves_nothing_at_no_start() -> None:
    log = log_of(300)
    anchor = anchor_behind(log, 2)
    held = anchor.last()

    assert not check_anchor(anchor, log.store, log.state.head)
    assert not check_anchor(anchor, log.store, log.state.head)
    assert anchor.last() == held


def test_an_anchor_ahead_of_the_log_is_a_rollback() -> None:
    newer, older = log_of(9), log_of(5)
    anchor = MemoryAnchor((9, newer.state.head.root))

    with pytest.raises(IntegrityError, match="holds size 9, the log has only 5"):
        check_anchor(anchor, older.store, older.state.head)

    assert anchor.last() == (9, newer.state.head.root)


@pytest.mark.parametrize("size", [3, 5])
def test_an_anchor_with_another_root_is_another_history(size: int) -> None:
    log = log_of(5)
    anchor = MemoryAnchor((size, b"r" * 32))

    with pytest.raises(IntegrityError, match="another history"):
        check_anchor(anchor, log.store, log.state.head)

    assert anchor.last() == (size, b"r" * 32)


def test_a_log_set_back_while_its_anchor_was_kept_is_refused() -> None:
    log = memory_log()
    anchor = MemoryAnchor()
    backup = memory_log()
    writer_of(log, anchor).commit([submission("a", b"1")])

    state, _ = load_state(backup.store, KEY)
    with pytest.raises(IntegrityError, match="set back"):
        check_anchor(anchor, backup.store, state.head)
