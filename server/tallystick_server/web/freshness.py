"""How long a log has held entries that no published checkpoint covers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Freshness:
    """Watches one log; all times are monotonic milliseconds."""

    _published: int = -1
    _waiting_since_ms: int | None = None

    def observe(self, *, size: int, published: int, now_ms: int) -> None:
        """Take note of the log's size and of its published size."""
        if size <= published:
            self._waiting_since_ms = None
        elif self._waiting_since_ms is None or published != self._published:
            self._waiting_since_ms = now_ms
        self._published = published

    def lag_ms(self, now_ms: int) -> int:
        """Milliseconds since publishing should have happened; 0 when nothing waits."""
        if self._waiting_since_ms is None:
            return 0
        return now_ms - self._waiting_since_ms
