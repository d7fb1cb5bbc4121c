"""Watch the wall clock against the monotonic one, from the beginning of a drill."""

from __future__ import annotations

from tallystick_server.clock import Clock
from tallystick_server.selftest.report import Check, Result

NOTICED_MS = 250
"""A difference that a clock which is only slewed does not reach in a short run."""


class ClockWatch:
    """Remembers the largest step of the wall clock between two looks."""

    def __init__(self, clock: Clock) -> None:
        """Begin."""
        self._clock = clock
        self._wall_ms = clock.now_ms()
        self._since_ms = clock.monotonic_ms()
        self._looks = 1
        self._largest_ms = 0

    @property
    def largest_ms(self) -> int:
        """The largest step so far, back or forth."""
        return self._largest_ms

    def look(self) -> None:
        """Look at both clocks again."""
        wall_ms, since_ms = self._clock.now_ms(), self._clock.monotonic_ms()
        step = (wall_ms - self._wall_ms) - (since_ms - self._since_ms)
        if abs(step) > abs(self._largest_ms):
            self._largest_ms = step
        self._wall_ms, self._since_ms = wall_ms, since_ms
        self._looks += 1

    def judge(self) -> Check:
        """Say whether the clock stepped."""
        step = self._largest_ms
        if abs(step) < NOTICED_MS:
            return Check("clock", Result.OK, f"no step in {self._looks} looks")
        why = (
            f"the wall clock stepped by {step} ms against the monotonic one. A log "
            "stops signing at 5,000 ms: let NTP slew the clock, and look at how the "
            "machine is suspended or moved"
        )
        return Check("clock", Result.SUSPICIOUS, f"stepped by {step} ms", why)
