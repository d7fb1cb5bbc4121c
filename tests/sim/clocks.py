"""The clock of a simulated machine: virtual time, with skew, drift and steps."""

from __future__ import annotations

from collections.abc import Callable

EPOCH_MS = 1_700_000_000_000
"""Wall time at second 0 of every simulated world."""


class NodeClock:
    """A Clock for server and witness. It outlives the processes of its machine."""

    def __init__(self, time_s: Callable[[], float]) -> None:
        """Tell the time of the world, exactly."""
        self._time_s = time_s
        self.skew_ms = 0
        self.drift_ppm = 0

    def now_ms(self) -> int:
        """Wall time: that of the world, and what this machine makes of it."""
        passed_ms = self._time_s() * 1000
        drifted_ms = passed_ms * self.drift_ppm / 1_000_000
        return EPOCH_MS + int(passed_ms + drifted_ms) + self.skew_ms

    def monotonic_ms(self) -> int:
        """A time that never steps."""
        return int(self._time_s() * 1000)

    def set_right(self) -> None:
        """Do what an operator does to a wrong clock."""
        self.skew_ms = 0
        self.drift_ppm = 0
