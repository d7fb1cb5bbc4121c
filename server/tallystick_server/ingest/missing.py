"""Which numbers of a sequence have not come: ranges, few of them, exact while possible.

    seen      0 1 2 . . 5 6 . 8
    missing       [3, 5)  [7, 8)

A number that comes late is taken out of its range and may split it.  There are at most
as many ranges as the owner allows: `merge_closest` makes one of two neighbours, which
then spans numbers that were seen.  Such a range knows how many of its numbers are
missing, but no longer which: whatever comes within it is taken to be one of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers [start, stop) of which `count` are missing since `since_ms`.

    `since_ms` is the received time of the event that showed it; `is_told` says that
    the log holds an event about it.  Fewer missing than it spans: two ranges merged.
    """

    start: int
    stop: int
    count: int
    since_ms: int
    is_told: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether every number of the range is missing."""
        return self.count == self.stop - self.start


_START = attrgetter("start")


class Missing:
    """The ranges that are missing, ascending and apart from each other."""

    __slots__ = ("_ranges",)

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        """Hold ranges that stood in another one, in order."""
        self._ranges = list(ranges)

    def __len__(self) -> int:
        return len(self._ranges)

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Every range, ascending."""
        return tuple(self._ranges)

    @property
    def count(self) -> int:
        """How many numbers are missing."""
        return sum(one.count for one in self._ranges)

    def add(self, start: int, stop: int, *, since_ms: int) -> None:
        """Note that [start, stop) is missing; an empty range is none.

        Requires that it lies below or above all that was seen so far.
        """
        if start < stop:
            place = bisect_right(self._ranges, start, key=_START)
            self._ranges.insert(place, Range(start, stop, stop - start, since_ms))

    def holds(self, number: int) -> bool:
        """Whether a number lies in a range."""
        return self._find(number) is not None

    def fill(self, number: int) -> bool:
        """Take out a number that came late; say whether it was missing."""
        place = self._find(number)
        if place is None:
            return False
        one = self._ranges[place]
        if not one.is_exact:
            left = replace(one, count=one.count - 1)
            self._ranges[place : place + 1] = [left] if left.count else []
            return True
        parts = ((one.start, number), (number + 1, one.stop))
        self._ranges[place : place + 1] = [
            replace(one, start=start, stop=stop, count=stop - start)
            for start, stop in parts
            if start < stop
        ]
        return True

    def tell(self, start: int, stop: int) -> None:
        """Mark what lies within [start, stop) as told."""
        self._ranges = [
            replace(one, is_told=True)
            if start <= one.start and one.stop <= stop
            else one
            for one in self._ranges
        ]

    def merge_closest(self) -> None:
        """Make one range of the two neighbours with the least between them.

        Requires two ranges. The new one is told only if both were.
        """
        ranges = self._ranges
        place = min(
            range(len(ranges) - 1),
            key=lambda at: ranges[at + 1].start - ranges[at].stop,
        )
        low, high = ranges[place], ranges[place + 1]
        ranges[place : place + 2] = [
            Range(
                low.start,
                high.stop,
                low.count + high.count,
                min(low.since_ms, high.since_ms),
                low.is_told and high.is_told,
            )
        ]

    def _find(self, number: int) -> int | None:
        """Where the range that holds a number stands."""
        place = bisect_right(self._ranges, number, key=_START) - 1
        if place < 0 or number >= self._ranges[place].stop:
            return None
        return place
