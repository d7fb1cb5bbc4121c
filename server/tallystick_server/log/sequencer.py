"""The sequencer: a bounded queue before one writer, with natural batching.

The writer takes all that is waiting, commits it in one step, and repeats; while one
fsync runs the next batch forms, so there is no timer and a lone client waits for one
commit only.  The queue is bounded in entries and bytes: beyond it a submission is
refused before anything is promised.

The writer works on a thread of its own (see `worker`).  `append` and the commands are
called on the event loop; their futures are resolved there too, with one wake-up for a
whole batch.  When the writer fails, everything that waits is refused, `failed` is
resolved with the error, and the process has to end.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from tallystick_merkle.rangeproof import RangeTree
from tallystick_server.errors import (
    KeyReusedError,
    QueueFullError,
    SigningStoppedError,
    UnavailableError,
)
from tallystick_server.log.commit import Placed, Submission
from tallystick_server.log.events import EventSubmission, PlacedEvents
from tallystick_server.log.worker import ThreadWorker, Worker
from tallystick_server.log.writer import Released, Writer
from tallystick_server.storage.base import Head, Published

T = TypeVar("T")

IDLE_S = 60.0
"""How often the clock is checked when nothing is written, in seconds."""

_STOPPING = "the log is stopping"


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Bounds of the queue and of one commit.

    A commit takes submissions while it stays within the commit bounds, and always at
    least one.
    """

    queue_entries: int = 50_000
    queue_bytes: int = 128 * 1024 * 1024
    commit_entries: int = 10_000
    commit_bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ack:
    """A durable answer: where the entries are, the head they are in, their proofs.

    `tree` is None for a repeat: its proofs are read from the store.
    """

    placed: Placed
    head: Head
    tree: RangeTree | None


@dataclass(frozen=True, slots=True)
class EventAck:
    """A durable answer to events: where each is, and the head they are all in.

    `tree` proves the new ones; None where all are repeats or refused.
    """

    outcome: PlacedEvents
    head: Head
    tree: RangeTree | None


@dataclass(slots=True)
class _Waiting:
    submission: Submission | EventSubmission
    entries: int
    bytes: int
    future: asyncio.Future[Any]


@dataclass(slots=True)
class _Command:
    run: Callable[[], Any]
    future: asyncio.Future[Any]


@dataclass(slots=True)
class _Queue:
    """What waits for the writer. Guarded by the sequencer's lock."""

    submissions: deque[_Waiting] = field(default_factory=deque)
    commands: deque[_Command] = field(default_factory=deque)
    entries: int = 0
    bytes: int = 0
    drained: bool = False
    closed: bool = False


class Sequencer:
    """Feeds one Writer from the event loop. Started by `start`, ended by `close`."""

    def __init__(
        self,
        writer: Writer,
        *,
        limits: QueueLimits,
        on_head: Callable[[Head], None],
        worker: Worker | None = None,
    ) -> None:
        """Take a writer that nobody else uses.

        `on_head` is told of each released head, on the loop, before any waiter is.
        `worker` runs the writer: a thread, unless it is told otherwise.
        """
        self._writer = writer
        self._limits = limits
        self._on_head = on_head
        self._queue = _Queue()
        self._lock = threading.Lock()
        self._worker = worker or ThreadWorker(name="writer", idle_s=IDLE_S)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None
        self._failed: asyncio.Future[BaseException] | None = None

    def start(self) -> None:
        """Start the writer. Requires a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._failed = self._loop.create_future()
        self._worker.start(self._turn, self._ended_with)

    @property
    def failed(self) -> asyncio.Future[BaseException]:
        """Resolved with the error that ended the writer, if one ever does."""
        if self._failed is None:
            raise UnavailableError("the sequencer was not started")
        return self._failed

    @property
    def depth(self) -> int:
        """Entries that wait for the writer."""
        return self._queue.entries

    @property
    def has_room(self) -> bool:
        """Whether the queue is below half of its bounds."""
        queue, limits = self._queue, self._limits
        return (
            queue.entries * 2 <= limits.queue_entries
            and queue.bytes * 2 <= limits.queue_bytes
        )

    @overload
    async def append(self, submission: Submission) -> Ack: ...

    @overload
    async def append(self, submission: EventSubmission) -> EventAck: ...

    async def append(self, submission: Submission | EventSubmission) -> Ack | EventAck:
        """Append a submission; durable when this returns.

        Raises QueueFullError or UnavailableError before anything is promised, and
        KeyReusedError when the key stands for another body.  A caller that goes away
        does not take its submission back.
        """
        if isinstance(submission, EventSubmission):
            count, size = len(submission.events), submission.bytes
        else:
            count, size = len(submission.entries), sum(map(len, submission.entries))
        loop = asyncio.get_running_loop()
        waiting = _Waiting(submission, count, size, loop.create_future())
        self._queue_up(waiting)
        self._worker.wake()
        ack: Ack | EventAck = await waiting.future
        return ack

    def _queue_up(self, waiting: _Waiting) -> None:
        """Put a submission into the queue, or refuse it."""
        queue, limits = self._queue, self._limits
        with self._lock:
            self._check_open()
            if queue.drained:
                raise UnavailableError(_STOPPING, retry_after_s=5)
            if queue.submissions and (
                queue.entries + waiting.entries > limits.queue_entries
                or queue.bytes + waiting.bytes > limits.queue_bytes
            ):
                raise QueueFullError(
                    f"{queue.entries} entries are waiting to be committed",
                    retry_after_s=1,
                )
            queue.submissions.append(waiting)
            queue.entries += waiting.entries
            queue.bytes += waiting.bytes

    async def mark_publishable(self) -> Head:
        """Ask the writer for a head that may be published (D3)."""
        return await self._command(self._writer.mark_publishable)

    async def publish(self, published: Published) -> None:
        """Have the writer store the published checkpoint."""
        await self._command(lambda: self._writer.publish(published))

    async def drain(self) -> None:
        """Take no more submissions and commit what waits; commands still work.

        Where the writer has stopped, what waits is refused, and there is nothing to do.
        """
        with self._lock:
            self._queue.drained = True
        with suppress(UnavailableError):
            while self.depth:
                await self._command(lambda: None)
            await self._command(lambda: None)  # the batch taken last is committed too

    async def close(self) -> None:
        """Take nothing more, commit what waits, end the writer."""
        with self._lock:
            self._queue.closed = True
        self._worker.wake()
        if self._ended is not None:
            await self._ended
            self._worker.join()

    async def _command(self, run: Callable[[], T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._check_open()
            self._queue.commands.append(_Command(run, future))
        self._worker.wake()
        return await future

    def _check_open(self) -> None:
        """Raise UnavailableError when nothing is taken any more."""
        if self._writer.stopped is not None:
            raise UnavailableError(f"the log does not sign: {self._writer.stopped}")
        if self._queue.closed or self._ended is None or self._ended.done():
            raise UnavailableError(_STOPPING, retry_after_s=5)

    # From here on: the writer's side.

    def _turn(self) -> bool:
        """Serve what waits; False when the queue is closed and empty."""
        with self._lock:
            queue = self._queue
            commands = list(queue.commands)
            queue.commands.clear()
            batch = self._take_batch()
            is_over = queue.closed and not (commands or batch)
            has_more = bool(queue.submissions or queue.closed)
        if is_over:
            return False
        if has_more:  # than one commit takes, or to be told that all is done
            self._worker.wake()
        for command in commands:
            self._run_command(command)
        if batch:
            self._commit(batch)
        elif not commands:
            self._idle()
        return True

    def _ended_with(self, failure: BaseException | None) -> None:
        """Refuse what still waits: the writer has ended, or failed."""
        if failure is not None:
            self._writer.stop_signing(f"the writer failed: {failure}")
        with self._lock:
            self._queue.closed = True
            left = [item.future for item in self._queue.submissions]
            left += [item.future for item in self._queue.commands]
            self._queue.submissions.clear()
            self._queue.commands.clear()
        self._tell(lambda: self._finish(left, failure))

    def _take_batch(self) -> list[_Waiting]:
        """Take as many submissions as fit one commit, at least one if any wait."""
        queue, limits = self._queue, self._limits
        batch: list[_Waiting] = []
        entries = size = 0
        while queue.submissions:
            item = queue.submissions[0]
            entries += item.entries
            size += item.bytes
            if batch and (
                entries > limits.commit_entries or size > limits.commit_bytes
            ):
                break
            batch.append(queue.submissions.popleft())
            queue.entries -= item.entries
            queue.bytes -= item.bytes
        return batch

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Commit a batch and tell its waiters; a failure is told and goes on up."""
        try:
            released = self._writer.commit([item.submission for item in batch])
        except SigningStoppedError as error:
            stopped = UnavailableError(f"the log does not sign: {error}")
            self._tell(lambda: _refuse([item.future for item in batch], stopped))
        except BaseException:
            lost = UnavailableError("the log failed; it may or may not hold the entry")
            self._tell(lambda: _refuse([item.future for item in batch], lost))
            raise
        else:
            self._tell(lambda: self._release(batch, released))

    def _run_command(self, command: _Command) -> None:
        """Run a command; its own error goes to whoever asked."""
        try:
            result = command.run()
        except SigningStoppedError as error:
            stopped = UnavailableError(f"the log does not sign: {error}")
            self._tell(lambda: _refuse([command.future], stopped))
        except BaseException as error:
            failure = error
            self._tell(lambda: _refuse([command.future], failure))
            raise
        else:
            self._tell(lambda: _resolve(command.future, result))

    def _idle(self) -> None:
        """Check the clock now and then, so that drift never looks like a step."""
        try:
            self._writer.check_clock()
        except SigningStoppedError:
            return  # the writer keeps the reason; every append is refused with it

    def _tell(self, call: Callable[[], None]) -> None:
        """Run a call on the event loop; a loop that was closed has nobody to tell.

        It is closed under a writer that failed while the process was starting.
        """
        assert self._loop is not None  # the thread runs, so it was started
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    # From here on: the event loop again.

    def _release(self, batch: Sequence[_Waiting], released: Released) -> None:
        """Answer a batch: it is durable."""
        self._on_head(released.head)
        for item, outcome in zip(batch, released.outcomes, strict=True):
            if isinstance(outcome, Placed):
                tree = None if outcome.is_repeat else released.tree
                _resolve(item.future, Ack(outcome, released.head, tree))
            elif isinstance(outcome, PlacedEvents):
                tree = released.tree if outcome.count else None
                _resolve(item.future, EventAck(outcome, released.head, tree))
            else:
                detail = "the Idempotency-Key was used before for another body"
                _refuse([item.future], KeyReusedError(detail))

    def _finish(
        self, left: list[asyncio.Future[Any]], failure: BaseException | None
    ) -> None:
        """Refuse what was left, and say that the writer has ended."""
        _refuse(left, UnavailableError(_STOPPING, retry_after_s=5))
        if failure is not None and not self.failed.done():
            self.failed.set_result(failure)
        assert self._ended is not None
        self._ended.set_result(None)


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    """Resolve a future unless its caller went away."""
    if not future.done():
        future.set_result(result)


def _refuse(futures: Sequence[asyncio.Future[Any]], error: BaseException) -> None:
    """Fail futures unless their callers went away."""
    for future in futures:
        if not future.done():
            future.set_exception(error)
