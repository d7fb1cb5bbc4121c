"""The state of a stream as a value of lists and numbers, for the snapshot.

    [instance, epoch, is_over, times, counts, told, run, run before | null]
    times   first_index, last_index, last_received_ms, last_occurred_ms, late,
            max_late_ms, ahead, max_ahead_ms, heartbeat_s
    counts  events, filled, duplicates, resets, lost
    told    lost, duplicates, resets, silent_ms
    run     [first, next, since_ms, [[start, stop, count, since_ms, is_told]]]

The snapshot is derived from the log and checked as a whole; here only shapes are.
"""

from __future__ import annotations

from tallystick_merkle.event import Value
from tallystick_server.ingest.missing import Missing, Range
from tallystick_server.ingest.sequences import Run, Sequence
from tallystick_server.ingest.streams import Stream, Told


def dump(stream: Stream) -> Value:
    """Write a stream."""
    sequence, told = stream.sequence, stream.told
    return [
        stream.instance,
        stream.epoch,
        stream.is_over,
        [
            stream.first_index,
            stream.last_index,
            stream.last_received_ms,
            stream.last_occurred_ms,
            stream.late,
            stream.max_late_ms,
            stream.ahead,
            stream.max_ahead_ms,
            stream.heartbeat_s,
        ],
        [
            sequence.events,
            sequence.filled,
            sequence.duplicates,
            sequence.resets,
            sequence.lost,
        ],
        [told.lost, told.duplicates, told.resets, told.silent_ms],
        _dump_run(sequence.run),
        None if sequence.before is None else _dump_run(sequence.before),
    ]


def load(value: Value) -> Stream:
    """Read a stream; raise ValueError for what `dump` did not write."""
    match value:
        case [
            str(instance),
            int(epoch),
            bool(is_over),
            [*times],
            [*counts],
            [*told],
            run,
            before,
        ]:
            kept = None if before is None else _load_run(before)
            return Stream(
                instance,
                epoch,
                is_over,
                Sequence(_load_run(run), kept, *_numbers(counts, 5)),
                Told(*_numbers(told, 4)),
                *_numbers(times, 9),
            )
        case _:
            raise ValueError("expected what is known of a start of an instance")


def _dump_run(run: Run) -> Value:
    ranges: list[Value] = [
        [one.start, one.stop, one.count, one.since_ms, one.is_told]
        for one in run.missing.ranges
    ]
    return [run.first, run.next, run.since_ms, ranges]


def _load_run(value: Value) -> Run:
    match value:
        case [int(first), int(after), int(since_ms), [*rows]]:
            missing = Missing([_load_range(row) for row in rows])
            return Run(first, after, since_ms, missing)
        case _:
            raise ValueError("expected a run of numbers")


def _load_range(value: Value) -> Range:
    match value:
        case [int(start), int(stop), int(count), int(since_ms), bool(is_told)]:
            return Range(start, stop, count, since_ms, is_told)
        case _:
            raise ValueError("expected a range of numbers")


def _numbers(values: list[Value], count: int) -> list[int]:
    """Give so many numbers, or raise ValueError."""
    numbers = [value for value in values if type(value) is int]
    if len(numbers) != count or len(values) != count:
        raise ValueError(f"expected {count} numbers")
    return numbers
