"""One start of one instance of a producer: its numbers, its times, its heartbeat.

All three times of the last event are kept: when it happened (`last_occurred_ms`, as the
producer says), when it was received (`last_received_ms`) and its place in the log
(`last_index`).  An event that comes long after it happened, or before, is counted.

A producer announces its heartbeat in an event of action `producer.heartbeat`, as
`details.heartbeat_s`; 0 takes it back.  From then on any event is a sign of life.

Before `live_ms` the server was not there to be heard by: neither numbers nor heartbeats
are missed because of that time.
"""

from __future__ import annotations

from dataclasses import dataclass

from tallystick_merkle.event import Event
from tallystick_server.ingest.missing import Range
from tallystick_server.ingest.sequences import GRACE_MS, Sequence, begin

LATE_MS = 300_000
"""From when on an event is late: received so long after it happened."""

AHEAD_MS = 5_000
"""From when on an event is ahead of its time: its producer's clock is off."""

HEARTBEAT = "producer.heartbeat"
"""The action of an event that announces a heartbeat."""

MAX_HEARTBEAT_S = 7 * 24 * 3600
"""Longest heartbeat that is taken, in seconds."""

MISSED = 3
"""How many heartbeats may be missing before a producer counts as silent."""


@dataclass(slots=True)
class Told:
    """What the log holds events about already; counts as in the stream.

    `silent_ms` is the `last_received_ms` of the silence that was told.
    """

    lost: int = 0
    duplicates: int = 0
    resets: int = 0
    silent_ms: int = 0


@dataclass(slots=True)
class Stream:
    """One start (`epoch`) of one instance. `is_over` once a later start was seen.

    What it sent after its last number before it ended cannot be known.
    """

    instance: str
    epoch: int
    is_over: bool
    sequence: Sequence
    told: Told
    first_index: int
    last_index: int
    last_received_ms: int
    last_occurred_ms: int = 0
    late: int = 0
    max_late_ms: int = 0
    ahead: int = 0
    max_ahead_ms: int = 0
    heartbeat_s: int = 0

    def take(self, index: int, event: Event, received_ms: int) -> None:
        """Take in one more event of it."""
        self.sequence.take(event.producer.sequence, received_ms)
        self.see(index, event, received_ms)

    def see(self, index: int, event: Event, received_ms: int) -> None:
        """Note the times and the heartbeat of an event whose number was taken."""
        self.last_index = index
        self.last_received_ms = received_ms
        self.last_occurred_ms = event.occurred_ms
        late_ms = received_ms - event.occurred_ms
        if late_ms > LATE_MS:
            self.late += 1
            self.max_late_ms = max(self.max_late_ms, late_ms)
        elif -late_ms > AHEAD_MS:
            self.ahead += 1
            self.max_ahead_ms = max(self.max_ahead_ms, -late_ms)
        announced = heartbeat_of(event)
        if announced is not None:
            self.heartbeat_s = announced

    def silence_due_ms(self) -> int | None:
        """When it counts as silent unless it is heard; None if it never does."""
        if self.is_over or not self.heartbeat_s:
            return None
        return self.last_received_ms + MISSED * self.heartbeat_s * 1000

    def is_silent(self, now_ms: int, live_ms: int) -> bool:
        """Whether heartbeats are missing; the time before `live_ms` does not count."""
        due_ms = self.silence_due_ms()
        unheard_ms = max(0, live_ms - self.last_received_ms)
        return due_ms is not None and now_ms - unheard_ms > due_ms

    def overdue(self, now_ms: int, live_ms: int) -> list[Range]:
        """Give the ranges that are missing for longer than the grace."""
        return [
            one
            for run in self.sequence.runs
            for one in run.missing.ranges
            if now_ms - max(one.since_ms, live_ms) >= GRACE_MS
        ]

    def needs_watching(self) -> bool:
        """Whether there may be something to tell, now or after some time."""
        sequence, told = self.sequence, self.told
        return (
            self.silence_due_ms() is not None
            or sequence.duplicates > told.duplicates
            or sequence.resets > told.resets
            or sequence.lost > told.lost
            or any(
                not one.is_told for run in sequence.runs for one in run.missing.ranges
            )
        )


def open_stream(index: int, event: Event, received_ms: int) -> Stream:
    """Begin a stream with its first event."""
    producer = event.producer
    stream = Stream(
        producer.instance,
        producer.epoch,
        is_over=False,
        sequence=begin(producer.sequence, received_ms),
        told=Told(),
        first_index=index,
        last_index=index,
        last_received_ms=received_ms,
    )
    stream.see(index, event, received_ms)
    return stream


def heartbeat_of(event: Event) -> int | None:
    """Give the heartbeat that an event announces, in seconds; None where it does not.

    An announcement of no such number changes nothing.
    """
    if event.action != HEARTBEAT:
        return None
    details = event.extra.get("details")
    said = details.get("heartbeat_s") if isinstance(details, dict) else None
    return said if type(said) is int and 0 <= said <= MAX_HEARTBEAT_S else None
