"""The clock as a seam, and the timekeeper that refuses to tell a time after a step.

A cosignature says "at this time"; a clock that jumps makes that a lie.  So the wall
clock is held against one that never steps (decision D12): once the two have drifted
apart by more than 5 s since the start, no time is told.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from tallystick_witness.errors import ClockError

MAX_STEP_MS = 5_000
"""Largest step of the wall clock against the steady one, in milliseconds."""

_STEADY: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Where the witness gets the time from."""

    def now_ms(self) -> int:
        """Wall time in POSIX milliseconds; it may step."""
        ...

    def monotonic_ms(self) -> int:
        """A time that never steps, in milliseconds from anywhere."""
        ...


class SystemClock:
    """The machine's own clock. The steady time goes on while the machine sleeps."""

    def now_ms(self) -> int:
        """Wall time in POSIX milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Milliseconds since the machine started."""
        return time.clock_gettime_ns(_STEADY) // 1_000_000


@dataclass(slots=True)
class SetClock:
    """A clock that stands where it was set: the memory twin."""

    wall_ms: int = 1_700_000_000_000
    since_ms: int = 0

    def now_ms(self) -> int:
        """The wall time that was set."""
        return self.wall_ms

    def monotonic_ms(self) -> int:
        """The steady time that was set."""
        return self.since_ms

    def advance(self, by_ms: int) -> None:
        """Let time pass on both scales."""
        self.wall_ms += by_ms
        self.since_ms += by_ms


class Timekeeper:
    """Tells wall seconds as long as the clock has not stepped since the start."""

    def __init__(self, clock: Clock) -> None:
        """Note where the wall clock stands against the steady one."""
        self._clock = clock
        self._offset_ms = self._measure()

    def now_s(self) -> int:
        """Give POSIX seconds; raise ClockError after a step of more than 5 s."""
        step_ms = self._measure() - self._offset_ms
        if abs(step_ms) > MAX_STEP_MS:
            raise ClockError(
                f"the clock stepped by {step_ms / 1000:+.1f} s since the start; "
                "check the time, then restart the witness"
            )
        return self._clock.now_ms() // 1000

    def _measure(self) -> int:
        return self._clock.now_ms() - self._clock.monotonic_ms()


def format_time(time_s: int) -> str:
    """Write POSIX seconds as RFC 3339, UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
