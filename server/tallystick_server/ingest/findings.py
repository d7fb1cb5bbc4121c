"""What is found about a producer, as an event says it, and what an event has said.

    {"principal": …, "kinds": ["gap"], "findings": [
        {"kind": "gap",       "instance", "epoch", "ranges": [[start, stop, count]],
                              "missing", "lost"},
        {"kind": "duplicate", "instance", "epoch", "count"},
        {"kind": "reset",     "instance", "epoch", "count"},
        {"kind": "silence",   "instance", "epoch", "last_received_ms", "heartbeat_s"},
        {"kind": "folded",    "count", "missing"}]}

Counts are those since the start of the instance, so an event says again what earlier
ones said and nothing depends on all being read.  `tell` marks what an event has said as
told, and does it from the event alone: the same in the server that wrote it, and in one
that reads it from the log after a crash.  Doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tallystick_merkle.event import Value
from tallystick_server.ingest.streams import Stream

MAX_TOLD_RANGES = 16
"""Most ranges in one finding; the others wait for the next event."""

Finding = dict[str, Value]
"""One finding, as the details of an event hold it."""


def findings(stream: Stream, now_ms: int, live_ms: int) -> Iterator[Finding]:
    """Give what is to be told of a stream and was not."""
    sequence, told = stream.sequence, stream.told
    untold = [one for one in stream.overdue(now_ms, live_ms) if not one.is_told]
    ranges: list[Value] = [
        [one.start, one.stop, one.count] for one in untold[:MAX_TOLD_RANGES]
    ]
    if ranges or sequence.lost > told.lost:
        yield {
            **_about("gap", stream),
            "ranges": ranges,
            "missing": sequence.missing,
            "lost": sequence.lost,
        }
    if sequence.duplicates > told.duplicates:
        yield {**_about("duplicate", stream), "count": sequence.duplicates}
    if sequence.resets > told.resets:
        yield {**_about("reset", stream), "count": sequence.resets}
    is_told = told.silent_ms == stream.last_received_ms
    if not is_told and stream.is_silent(now_ms, live_ms):
        yield {
            **_about("silence", stream),
            "last_received_ms": stream.last_received_ms,
            "heartbeat_s": stream.heartbeat_s,
        }


def tell(stream: Stream, finding: Mapping[str, Value]) -> None:
    """Mark what a finding says of this stream as told."""
    told, kind = stream.told, finding.get("kind")
    if kind == "gap":
        told.lost = max(told.lost, number_of(finding, "lost"))
        for start, stop in _ranges_of(finding):
            for run in stream.sequence.runs:
                run.missing.tell(start, stop)
    elif kind == "duplicate":
        told.duplicates = max(told.duplicates, number_of(finding, "count"))
    elif kind == "reset":
        told.resets = max(told.resets, number_of(finding, "count"))
    elif kind == "silence":
        told.silent_ms = max(told.silent_ms, number_of(finding, "last_received_ms"))


def number_of(said: Mapping[str, Value], name: str) -> int:
    """Read a number of an event of our own; what is none counts for nothing."""
    value = said.get(name)
    return value if type(value) is int else 0


def _about(kind: str, stream: Stream) -> Finding:
    return {"kind": kind, "instance": stream.instance, "epoch": stream.epoch}


def _ranges_of(finding: Mapping[str, Value]) -> Iterator[tuple[int, int]]:
    """Read the ranges of a finding."""
    ranges = finding.get("ranges")
    for one in ranges if isinstance(ranges, list) else ():
        if isinstance(one, list) and len(one) == 3:
            start, stop, _ = one
            if type(start) is int and type(stop) is int:
                yield start, stop
