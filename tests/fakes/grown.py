"""Logs in memory that have grown, for tests of what a start finds."""

from __future__ import annotations

from tallystick_server.log.anchor import Anchor
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import Published
from tests.fakes.logs import MemoryLog, memory_log, submission


def log_of(size: int, *, published: int | None = None) -> MemoryLog:
    """A log of `size` entries, committed in two steps, with an older checkpoint."""
    log = memory_log()
    writer = writer_of(log)
    for first, stop in ((1, size // 2), (max(1, size // 2), size)):
        if first < stop:
            entries = [b"entry %d" % index for index in range(first, stop)]
            writer.commit([submission(f"{stop}", *entries)])
        if stop == published:
            head = writer.state.head
            writer.publish(Published(head.size, head.note, head.time_ms))
    log.state = writer.state
    return log


def writer_of(log: MemoryLog, anchor: Anchor | None = None) -> Writer:
    return Writer(
        store=log.store,
        signer=log.signer,
        state=log.state,
        clock=log.clock,
        anchor=anchor,
    )
