"""Judge how long durable writes take: too fast is as telling as too slow.

A drive that must bring bytes to flash or to a platter before it answers takes a tenth
of a millisecond at the least, and most take more.  One whose cache is protected against
power loss may answer sooner and be right; one that lies about its cache does too.
Which of the two it is cannot be told from outside: the most said is "suspicious".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tallystick_server.selftest.report import Check, Result

FAST_MS = 0.1
"""Median below which a durable write is faster than an unprotected drive can be."""

SLOW_MS = 100.0
"""Median above which a log will crawl."""

_SHARE = 5


@dataclass(frozen=True, slots=True)
class Latency:
    """Median, 99th percentile and number of times, in milliseconds."""

    count: int
    median_ms: float
    p99_ms: float

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{self.count} writes: median {self.median_ms:.3f} ms, "
            f"p99 {self.p99_ms:.3f} ms"
        )


def measure(times_ms: Sequence[float]) -> Latency:
    """Sum up times; there must be one at least. Ranks are the nearest ones."""
    ordered = sorted(times_ms)
    return Latency(len(ordered), _rank(ordered, 0.5), _rank(ordered, 0.99))


def judge_durable(latency: Latency) -> Check:
    """Judge write + fdatasync."""
    name, figure = "durable write", str(latency)
    if latency.median_ms < FAST_MS:
        why = (
            f"a median of {latency.median_ms:.3f} ms is faster than a drive without a "
            "power-protected cache can be. Unless this disk has one, something below "
            "(the drive, a controller, the hypervisor's cache mode) may say "
            '"written" before it is. That is suspicious and not proven: look up what '
            "the disk is and how its cache is set."
        )
        return Check(name, Result.SUSPICIOUS, figure, why)
    if latency.median_ms > SLOW_MS:
        why = (
            f"a median of {latency.median_ms:.0f} ms is safe and slow: every commit of "
            "a log waits for two of these."
        )
        return Check(name, Result.SUSPICIOUS, figure, why)
    return Check(name, Result.OK, figure)


def judge_dsync(latency: Latency, durable: Latency) -> Check:
    """Judge writes through a descriptor opened with O_DSYNC, beside `durable`."""
    name, figure = "O_DSYNC write", str(latency)
    if latency.median_ms * _SHARE < durable.median_ms:
        why = (
            f"it takes {latency.median_ms:.3f} ms where write and fdatasync take "
            f"{durable.median_ms:.3f} ms: the flag may be ignored. The store commits "
            "its last page this way. Suspicious, not proven."
        )
        return Check(name, Result.SUSPICIOUS, figure, why)
    return Check(name, Result.OK, figure)


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
