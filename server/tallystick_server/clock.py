"""The clock as a seam: wall time in milliseconds, and monotonic time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Where the server gets the time from."""

    def now_ms(self) -> int:
        """Wall time in POSIX milliseconds; it may step."""
        ...

    def monotonic_ms(self) -> int:
        """A time that never steps, in milliseconds from anywhere."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Wall time in POSIX milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Monotonic milliseconds."""
        return time.monotonic_ns() // 1_000_000


@dataclass(slots=True)
class SetClock:
    """A clock that stands where it was set: the memory twin."""

    wall_ms: int = 1_700_000_000_000
    since_ms: int = 0

    def now_ms(self) -> int:
        """The wall time that was set."""
        return self.wall_ms

    def monotonic_ms(self) -> int:
        """The monotonic time that was set."""
        return self.since_ms

    def advance(self, by_ms: int) -> None:
        """Let time pass on both scales."""
        self.wall_ms += by_ms
        self.since_ms += by_ms
