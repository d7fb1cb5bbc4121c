from __future__ import annotations

import pytest

from tallystick_server.clock import SetClock
from tallystick_server.selftest.clockwatch import ClockWatch
from tallystick_server.selftest.report import Result


def test_a_clock_that_goes_on_evenly_is_fine() -> None:
    clock = SetClock()
    watch = ClockWatch(clock)
    for _ in range(10):
        clock.advance(5_000)
        watch.look()

    assert watch.judge().result is Result.OK


@pytest.mark.parametrize("step_ms", [-60_000, -300, 300, 3_600_000])
def test_a_step_is_told_even_if_it_is_taken_back(step_ms: int) -> None:
    clock = SetClock()
    watch = ClockWatch(clock)
    clock.wall_ms += step_ms
    watch.look()
    clock.wall_ms -= step_ms // 2
    watch.look()

    check = watch.judge()

    assert check.result is Result.SUSPICIOUS
    assert f"{step_ms} ms" in check.figure
