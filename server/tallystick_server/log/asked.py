"""What the publisher remembers of one witness URL: is it busy, when to ask again.

A witness that fails is asked again after a pause that doubles, so that one that is
gone, or refuses, costs little; one that answers is asked in every round.  `old` is the
size it is believed to have cosigned last: 0 until it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from tallystick_server.log.rounds import Round
from tallystick_server.log.witnesses import WitnessTarget

LEAST_PAUSE_MS = 1_000
"""Pause after a first failure."""

MOST_PAUSE_MS = 60_000
"""Longest pause that is not asked for by the witness itself."""

MOST_WISH_MS = 3_600_000
"""Longest pause that a witness may ask for."""

_MAX_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class WitnessHealth:
    """Facts about a witness for /healthz.

    Times are ages in milliseconds; None for never.  `last_error` is None when the last
    answer was good.  `conflicts` counts answers that hint at another history, `refused`
    those whose cosignatures did not verify.
    """

    name: str
    url: str
    last_ok_ms_ago: int | None
    last_error: str | None
    round_trip_ms: int | None
    conflicts: int
    refused: int


class AskedWitness:
    """One witness URL as the publisher sees it. Times are monotonic milliseconds."""

    def __init__(self, target: WitnessTarget) -> None:
        """Start idle, with nothing known."""
        self.target = target
        self.old = 0
        self.busy_with: Round | None = None
        self.is_in_doubt = False
        self.conflicts = 0
        self.refused = 0
        self.last_error: str | None = None
        self._failures = 0
        self._ask_from_ms: int | None = None
        self._ok_ms: int | None = None
        self._round_trip_ms: int | None = None

    def is_idle(self, now_ms: int) -> bool:
        """Whether it may be asked now."""
        waits = self._ask_from_ms is not None and now_ms < self._ask_from_ms
        return self.busy_with is None and not waits

    def answered(self, round_: Round, *, asked_ms: int, now_ms: int) -> None:
        """Note a good answer to a round."""
        self.old = round_.size
        round_.answered.add(self.target.url)
        self.is_in_doubt = False
        self.last_error = None
        self._failures = 0
        self._ask_from_ms = None
        self._ok_ms = now_ms
        self._round_trip_ms = now_ms - asked_ms

    def hinted(self) -> None:
        """Note that it hints at another history; it does until it cosigns again."""
        self.conflicts += 1
        self.is_in_doubt = True

    def failed(self, problem: str, *, now_ms: int, wish_s: float | None = None) -> None:
        """Note a failure, and that it wishes to be left alone for `wish_s` seconds."""
        self.last_error = problem
        doublings = min(self._failures, _MAX_DOUBLINGS)
        self._failures += 1
        pause_ms = min(LEAST_PAUSE_MS << doublings, MOST_PAUSE_MS)
        wish_ms = min(int((wish_s or 0) * 1000), MOST_WISH_MS)
        self._ask_from_ms = now_ms + max(pause_ms, wish_ms)

    def health(self, now_ms: int) -> WitnessHealth:
        """Give the facts."""
        return WitnessHealth(
            self.target.name,
            self.target.url,
            None if self._ok_ms is None else now_ms - self._ok_ms,
            self.last_error,
            self._round_trip_ms,
            self.conflicts,
            self.refused,
        )
