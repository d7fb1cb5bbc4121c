"""What is remembered of a witness: when it may be asked again."""

from __future__ import annotations

import pytest

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.note import Note
from tallystick_server.clock import SetClock
from tallystick_server.log.asked import AskedWitness
from tallystick_server.log.rounds import Round
from tests.fakes.logs import ORIGIN
from tests.fakes.witnesses import FakeWitness, policy_of, targets


def asked_witness() -> AskedWitness:
    (target,) = targets(policy_of("all", FakeWitness("a", SetClock())))
    return AskedWitness(target)


def some_round() -> Round:
    return Round(Checkpoint(ORIGIN, 7, b"r" * 32), Note(b"", ()), 0)


def test_a_new_witness_is_idle_and_unknown() -> None:
    asked = asked_witness()

    assert asked.is_idle(0)
    assert asked.old == 0
    assert asked.health(5).last_ok_ms_ago is None


def test_a_busy_witness_is_not_idle() -> None:
    asked = asked_witness()
    asked.busy_with = some_round()

    assert not asked.is_idle(0)


def test_pauses_double_up_to_a_minute() -> None:
    asked = asked_witness()
    pauses = []

    for _ in range(20):
        asked.failed("down", now_ms=0)
        pauses.append(next(ms for ms in range(0, 90_000, 500) if asked.is_idle(ms)))

    assert pauses[:7] == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]
    assert set(pauses[7:]) == {60_000}


@pytest.mark.parametrize(
    ("wish_s", "until_ms"), [(0.5, 1_000), (90.0, 90_000), (1e9, 3_600_000)]
)
def test_a_wish_is_honoured_within_bounds(wish_s: float, until_ms: int) -> None:
    asked = asked_witness()

    asked.failed("busy", now_ms=0, wish_s=wish_s)

    assert not asked.is_idle(until_ms - 1)
    assert asked.is_idle(until_ms)


def test_a_good_answer_ends_pause_and_doubt() -> None:
    asked = asked_witness()
    round_ = some_round()
    asked.hinted()
    asked.failed("other history", now_ms=0)

    asked.answered(round_, asked_ms=10, now_ms=30)

    assert asked.is_idle(30)
    assert (asked.is_in_doubt, asked.old, asked.last_error) == (False, 7, None)
    assert round_.answered == {"https://a.example"}
    health = asked.health(40)
    assert (health.last_ok_ms_ago, health.round_trip_ms, health.conflicts) == (
        10,
        20,
        1,
    )
    asked.failed("down", now_ms=40)
    assert asked.is_idle(1_040)  # the doubling has begun anew
