"""Time is told only while the wall clock has not stepped."""

import pytest

from tallystick_witness.clock import (
    MAX_STEP_MS,
    SetClock,
    SystemClock,
    Timekeeper,
    format_time,
)
from tallystick_witness.errors import ClockError


def test_time_that_passes_is_no_step() -> None:
    clock = SetClock(wall_ms=10_000_000)
    keeper = Timekeeper(clock)

    clock.advance(86_400_000)

    assert keeper.now_s() == 96_400


@pytest.mark.parametrize("step_ms", [MAX_STEP_MS, -MAX_STEP_MS])
def test_a_small_step_is_allowed(step_ms: int) -> None:
    clock = SetClock()
    keeper = Timekeeper(clock)

    clock.wall_ms += step_ms

    assert keeper.now_s() == clock.wall_ms // 1000


@pytest.mark.parametrize("step_ms", [MAX_STEP_MS + 1, -MAX_STEP_MS - 1])
def test_a_large_step_is_refused(step_ms: int) -> None:
    clock = SetClock()
    keeper = Timekeeper(clock)

    clock.wall_ms += step_ms

    with pytest.raises(ClockError, match="stepped"):
        keeper.now_s()


def test_the_systems_clock_goes_forward() -> None:
    clock = SystemClock()

    assert clock.monotonic_ms() <= clock.monotonic_ms()
    assert clock.now_ms() > 1_700_000_000_000


def test_times_are_written_in_utc() -> None:
    assert format_time(1_700_000_000) == "2023-11-14T22:13:20Z"
