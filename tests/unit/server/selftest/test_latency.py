from __future__ import annotations

import pytest

from tallystick_server.selftest.latency import (
    FAST_MS,
    SLOW_MS,
    Latency,
    judge_dsync,
    judge_durable,
    measure,
)
from tallystick_server.selftest.report import Result


def test_median_and_percentile_are_times_that_were_measured() -> None:
    latency = measure([float(time) for time in range(200, 0, -1)])

    assert latency == Latency(200, 100.0, 198.0)
    assert measure([3.0]) == Latency(1, 3.0, 3.0)
    assert str(latency) == "200 writes: median 100.000 ms, p99 198.000 ms"


@pytest.mark.parametrize(
    ("median_ms", "result"),
    [
        (0.002, Result.SUSPICIOUS),
        (FAST_MS / 2, Result.SUSPICIOUS),
        (FAST_MS, Result.OK),
        (4.0, Result.OK),
        (SLOW_MS, Result.OK),
        (SLOW_MS + 1, Result.SUSPICIOUS),
    ],
)
def test_too_fast_and_too_slow_are_suspicious_and_never_a_failure(
    median_ms: float, result: Result
) -> None:
    check = judge_durable(Latency(200, median_ms, 2 * median_ms))

    assert check.result is result
    assert bool(check.why) is (result is not Result.OK)


def test_a_write_that_is_too_fast_is_suspicious_and_not_proven() -> None:
    assert "suspicious and not proven" in judge_durable(Latency(9, 0.01, 0.01)).why


def test_a_flag_that_is_ignored_is_suspicious() -> None:
    durable = Latency(200, 5.0, 9.0)

    assert judge_dsync(Latency(200, 0.01, 0.02), durable).result is Result.SUSPICIOUS
    assert judge_dsync(Latency(200, 2.0, 3.0), durable).result is Result.OK
