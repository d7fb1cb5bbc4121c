"""A writer that was started, and the one log that it reports its heads to.

The log that the world sees gets its writer when it may take entries.  A promoted log
needs one before that: then the writer works for a log that nobody sees, and is handed
over with all that it has done (see `confirming`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tallystick_server.clock import Clock
from tallystick_server.log.keyring import Signer
from tallystick_server.log.log import Log
from tallystick_server.log.sequencer import QueueLimits, Sequencer
from tallystick_server.log.worker import Worker
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import Head
from tallystick_server.wiring.opening import OpenedLog


@dataclass(slots=True)
class _Told:
    """Who is told of each released head."""

    log: Log

    def saw_head(self, head: Head) -> None:
        self.log.saw_head(head)


@dataclass(frozen=True, slots=True)
class RunningWriter:
    """The writer of a log that was cleared. Made by `start_writer`."""

    _sequencer: Sequencer
    _writer: Writer
    _told: _Told

    def hand_to(self, log: Log) -> None:
        """Let `log` take entries, from where the last one stood; nothing may wait."""
        log.published = self._told.log.published
        log.saw_head(self._told.log.head)
        self._told.log = log
        self.attach()

    def attach(self) -> None:
        """Let the log that is told of heads take entries."""
        writer = self._writer
        self._told.log.attach(
            self._sequencer, stop=writer.stop_signing, stopped=lambda: writer.stopped
        )


def start_writer(
    opened: OpenedLog,
    signer: Signer,
    *,
    clock: Clock,
    on_failure: Callable[[BaseException], None],
    log: Log,
    make: type[Writer] = Writer,
    worker: Worker | None = None,
) -> RunningWriter:
    """Start the writer of a log that was cleared, and let `log` take entries.

    `on_failure` is told why the process must end (D10); `make` is what makes it,
    `worker` runs it: a thread, unless it is told otherwise.  Requires a running event
    loop.
    """
    writer = make(
        store=opened.store,
        signer=signer,
        state=opened.state,
        clock=clock,
        anchor=opened.anchor,
    )
    limits = QueueLimits(
        queue_entries=opened.settings.max_queue,
        queue_bytes=opened.settings.max_queue_bytes,
    )
    told = _Told(log)
    sequencer = Sequencer(writer, limits=limits, on_head=told.saw_head, worker=worker)
    sequencer.start()
    running = RunningWriter(sequencer, writer, told)
    running.attach()
    sequencer.failed.add_done_callback(lambda failed: on_failure(failed.result()))
    return running
