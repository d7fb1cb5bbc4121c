"""The numbers of one start of one instance: what is missing, repeated, or set back.

    next number        counted
    above the next     those between are missing; late ones fill them again
    missing            filled
    seen already       a duplicate: another event under a number that was used
    far below          a reset: the instance counts anew within the same epoch
    below the first    part of a start out of order, or after the grace a reset

After a reset the run before is kept: two that count under one name, or one stray old
number, then look like what they are, and not like a gap of thousands.  Of more runs
only a count is kept of what they lacked.

Pure: times come in as received times of the log, which never decrease.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tallystick_server.ingest.missing import Missing

GRACE_MS = 60_000
"""How long a number may be late before it counts as missing, in received time."""

REACH = 1024
"""How far from its run a number may be and still belong to it without a doubt."""

MAX_RANGES = 64
"""Most missing ranges that are kept of one start of an instance; beyond, merged."""


@dataclass(slots=True)
class Run:
    """Numbers [first, next) that were counted up since `since_ms`, and what lacks."""

    first: int
    next: int
    since_ms: int
    missing: Missing = field(default_factory=Missing)

    def is_near(self, number: int, received_ms: int) -> bool:
        """Whether a number belongs here without a doubt."""
        if number < self.first:
            return received_ms - self.since_ms <= GRACE_MS
        if number >= self.next:
            return number < self.next + REACH
        return self.next - number <= REACH or self.missing.holds(number)

    def covers(self, number: int) -> bool:
        """Whether a number could belong here, were there no better run."""
        return self.first <= number < self.next + REACH


@dataclass(slots=True)
class Sequence:
    """What is known of the numbers of one start; counts only grow.

    `lost` are numbers that lacked in runs that are not kept any more.
    """

    run: Run
    before: Run | None = None
    events: int = 1
    filled: int = 0
    duplicates: int = 0
    resets: int = 0
    lost: int = 0

    @property
    def missing(self) -> int:
        """How many numbers are missing in the runs that are kept."""
        return sum(run.missing.count for run in self.runs)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The run before, if one is kept, and the present one."""
        return (self.run,) if self.before is None else (self.before, self.run)

    def take(self, number: int, received_ms: int) -> None:
        """Take in the number of an event, in the order of the log."""
        self.events += 1
        is_known = self.run.is_near(number, received_ms) or self._turn_back(number)
        run = self.run
        if number >= run.next:
            run.missing.add(run.next, number, since_ms=received_ms)
            run.next = number + 1
        elif number < run.first and is_known:
            run.missing.add(number + 1, run.first, since_ms=received_ms)
            run.first = number
        elif run.missing.fill(number):
            self.filled += 1
        elif is_known:
            self.duplicates += 1
        else:
            self._reset(number, received_ms)
        self._bound()

    def _turn_back(self, number: int) -> bool:
        """Go back to the run before if the number belongs there; say whether."""
        before = self.before
        if before is None or not before.covers(number):
            return False
        self.before, self.run = self.run, before
        return True

    def _reset(self, number: int, received_ms: int) -> None:
        """Begin a run anew."""
        self.resets += 1
        if self.before is not None:
            self.lost += self.before.missing.count
        self.before = self.run
        self.run = Run(number, number + 1, received_ms)

    def _bound(self) -> None:
        """Merge ranges until there are few enough, those of the run before first."""
        while sum(len(run.missing) for run in self.runs) > MAX_RANGES:
            next(
                run for run in self.runs if len(run.missing) > 1
            ).missing.merge_closest()


def begin(number: int, received_ms: int) -> Sequence:
    """Begin with the first number that was seen.

    What may have come before it cannot be known.
    """
    return Sequence(Run(number, number + 1, received_ms))
