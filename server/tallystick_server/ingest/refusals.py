"""How many events of a principal were refused and why, until an event has said it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tallystick_merkle.event import Value

MAX_CODES = 32
"""Most reasons that are counted apart; what is beyond counts as `other`."""

OTHER = "other"
"""The reason of all reasons beyond the first ones."""


class Refusals:
    """Counts by reason. The reasons are codes of ours, never words of a caller."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        """Count nothing yet."""
        self._counts: Counter[str] = Counter()

    @property
    def pending(self) -> Mapping[str, int]:
        """What was counted and not told, by reason in order."""
        return dict(sorted(self._counts.items()))

    def add(self, code: str, count: int) -> None:
        """Count refused events."""
        is_known = code in self._counts or len(self._counts) < MAX_CODES
        self._counts[code if is_known else OTHER] += count

    def tell(self, counts: Mapping[str, Value]) -> None:
        """Take off what an event has said."""
        for code, count in counts.items():
            self._counts[code] -= count if type(count) is int else 0
        self._counts = +self._counts
