"""The sequencer: bounded, batched, and honest when its writer fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tallystick_server.errors import (
    KeyReusedError,
    QueueFullError,
    StoreError,
    UnavailableError,
)
from tallystick_server.log.commit import Submission
from tallystick_server.log.sequencer import QueueLimits, Sequencer
from tallystick_server.log.worker import Ended, ThreadWorker, Turn
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import Commit, Head, Published
from tests.fakes.faults import FaultyStore
from tests.fakes.logs import MemoryLog, check_log, memory_log, submission


class GateStore(FaultyStore):
    """A store whose commits wait until the test opens the gate."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log.store)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def commit(self, commit: Commit) -> None:
        self.entered.set()
        assert self.gate.wait(30)
        super().commit(commit)


class WatchedWriter(Writer):
    """A writer that tells when it stops signing."""

    def __init__(self, told: Callable[[], None], **parts: Any) -> None:  # noqa: ANN401 -- those of Writer
        super().__init__(**parts)
        self._told = told

    def stop_signing(self, reason: str) -> None:
        super().stop_signing(reason)
        self._told()


class Bench:
    """A sequencer over a log in memory."""

    def __init__(self, limits: QueueLimits | None = None) -> None:
        self.log = memory_log()
        self.store = GateStore(self.log)
        self.writer = WatchedWriter(
            self.stopped_by,
            store=self.store,
            signer=self.log.signer,
            state=self.log.state,
            clock=self.log.clock,
            anchor=None,
        )
        self.stopped = threading.Event()
        self.heads: list[Head] = []
        self.sequencer = Sequencer(
            self.writer,
            limits=limits or QueueLimits(),
            on_head=self.heads.append,
            worker=ThreadWorker(name="writer", idle_s=0.01),
        )

    def stopped_by(self) -> None:
        self.stopped.set()

    def shut(self) -> None:
        self.store.gate.clear()
        self.store.entered.clear()

    async def until_writing(self) -> None:
        await asyncio.to_thread(self.store.entered.wait, 30)


def begin(bench: Bench, item: Submission) -> asyncio.Task[object]:
    return asyncio.ensure_future(bench.sequencer.append(item))


async def settle() -> None:
    """Let tasks that are ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_waits_during_a_commit_goes_into_the_next_one() -> None:
    bench = Bench()
    bench.sequencer.start()
    bench.shut()
    first = begin(bench, submission("a", b"1"))
    await bench.until_writing()
    rest = [begin(bench, submission(f"k{n}", b"%d" % n)) for n in range(20)]
    await settle()
    bench.store.gate.set()

    await asyncio.gather(first, *rest)
    await bench.sequencer.close()

    assert [head.size for head in bench.heads] == [2, 22]
    assert len(check_log(bench.log.store)) == 22


async def test_a_full_queue_refuses_before_promising_and_loses_nothing() -> None:
    bench = Bench(QueueLimits(queue_entries=2))
    bench.sequencer.start()
    bench.shut()
    first = begin(bench, submission("a", b"1"))
    await bench.until_writing()
    waiting = [begin(bench, submission(f"k{n}", b"%d" % n)) for n in range(2)]
    await settle()

    assert not bench.sequencer.has_room
    with pytest.raises(QueueFullError) as refused:
        await bench.sequencer.append(submission("x", b"x"))
    bench.store.gate.set()
    await asyncio.gather(first, *waiting)
    await bench.sequencer.close()

    assert refused.value.retry_after_s == 1
    assert b"x" not in check_log(bench.log.store)
    assert bench.sequencer.depth == 0


async def test_a_queue_full_of_bytes_refuses_too() -> None:
    bench = Bench(QueueLimits(queue_bytes=10))
    bench.sequencer.start()
    bench.shut()
    first = begin(bench, submission("a", b"1"))
    await bench.until_writing()
    second = begin(bench, submission("b", b"2" * 9))
    await settle()

    with pytest.raises(QueueFullError):
        await bench.sequencer.append(submission("c", b"33"))
    bench.store.gate.set()
    await asyncio.gather(first, second)
    await bench.sequencer.close()


async def test_a_commit_is_bounded_but_takes_at_least_one_submission() -> None:
    bench = Bench(QueueLimits(commit_entries=3))
    bench.sequencer.start()
    bench.shut()
    first = begin(bench, submission("a", b"1"))
    await bench.until_writing()
    big = begin(bench, submission("big", *[b"x%d" % n for n in range(7)]))
    small = begin(bench, submission("small", b"y"))
    await settle()
    bench.store.gate.set()

    await asyncio.gather(first, big, small)
    await bench.sequencer.close()

    assert [head.size for head in bench.heads] == [2, 9, 10]


async def test_a_reused_key_fails_alone() -> None:
    bench = Bench()
    bench.sequencer.start()
    await bench.sequencer.append(submission("a", b"1"))

    wrong = begin(bench, submission("a", b"other"))
    right = begin(bench, submission("b", b"2"))
    with pytest.raises(KeyReusedError):
        await wrong
    await right
    await bench.sequencer.close()

    assert check_log(bench.log.store)[1:] == [b"1", b"2"]


async def test_a_caller_that_goes_away_does_not_take_its_entry_back() -> None:
    bench = Bench()
    bench.sequencer.start()
    bench.shut()
    leaving = begin(bench, submission("a", b"1"))
    await bench.until_writing()
    leaving.cancel()
    await settle()
    bench.store.gate.set()

    again = await bench.sequencer.append(submission("a", b"1"))
    await bench.sequencer.close()

    assert again.placed.is_repeat
    assert check_log(bench.log.store)[1:] == [b"1"]


@pytest.mark.parametrize("how", ["not stored", "stored", "foreign"])
async def test_a_failed_commit_answers_nobody_with_success_and_ends_the_writer(
    how: str,
) -> None:
    bench = Bench()
    bench.sequencer.start()
    bench.store.fail_commit = how
    bench.shut()
    first = begin(bench, submission("a", b"1"))
    await bench.until_writing()
    second = begin(bench, submission("b", b"2"))
    await settle()
    bench.store.gate.set()

    with pytest.raises(UnavailableError, match="may or may not"):
        await first
    with pytest.raises(UnavailableError):
        await second
    error = await bench.sequencer.failed
    with pytest.raises(UnavailableError):
        await bench.sequencer.append(submission("c", b"3"))
    await bench.sequencer.close()

    assert isinstance(error, StoreError)
    assert bench.heads == []


async def test_a_failure_is_told_to_those_who_still_wait() -> None:
    bench = Bench()
    bench.sequencer.start()
    bench.store.fail_commit = "not stored"
    bench.shut()
    gone = begin(bench, submission("a", b"1"))
    await bench.until_writing()
    gone_too, there = [begin(bench, submission(key, b"2")) for key in ("b", "c")]
    await settle()
    gone.cancel()
    gone_too.cancel()
    await settle()
    bench.store.gate.set()

    with pytest.raises(UnavailableError):
        await there
    await bench.sequencer.failed
    await bench.sequencer.close()


async def test_a_clock_step_is_noticed_while_nothing_is_written() -> None:
    bench = Bench()
    bench.sequencer.start()
    bench.log.clock.wall_ms += 60_000
    await asyncio.to_thread(bench.stopped.wait, 30)

    with pytest.raises(UnavailableError, match="clock stepped"):
        await bench.sequencer.append(submission("a", b"1"))
    await bench.sequencer.close()

    assert not bench.sequencer.failed.done()


async def test_a_stop_between_queueing_and_signing_refuses_but_does_not_fail() -> None:
    bench = Bench()
    bench.sequencer.start()
    bench.shut()
    first = begin(bench, submission("a", b"1"))
    await bench.until_writing()
    second = begin(bench, submission("b", b"2"))
    command = asyncio.ensure_future(
        bench.sequencer.publish(Published(1, b"", bench.log.clock.now_ms()))
    )
    await settle()
    bench.writer.stop_signing("told to")
    bench.store.gate.set()

    await first
    with pytest.raises(UnavailableError, match="told to"):
        await second
    with pytest.raises(UnavailableError, match="told to"):
        await command
    await bench.sequencer.close()

    assert check_log(bench.log.store)[1:] == [b"1"]


async def test_drain_commits_what_waits_and_still_publishes() -> None:
    bench = Bench()
    bench.sequencer.start()
    waiting = [begin(bench, submission(f"k{n}", b"%d" % n)) for n in range(5)]
    await settle()

    await bench.sequencer.drain()
    with pytest.raises(UnavailableError):
        await bench.sequencer.append(submission("late", b"late"))
    head = await bench.sequencer.mark_publishable()
    await bench.sequencer.publish(Published(head.size, head.note, head.time_ms))
    await asyncio.gather(*waiting)
    await bench.sequencer.close()

    published = bench.log.store.load().published
    assert published is not None
    assert published.size == 6


async def test_draining_a_log_that_stopped_signing_refuses_what_waits() -> None:
    bench = Bench()
    bench.sequencer.start()
    bench.shut()
    first = begin(bench, submission("a", b"1"))
    await bench.until_writing()
    second = begin(bench, submission("b", b"2"))
    await settle()
    bench.writer.stop_signing("a fork was seen")
    bench.store.gate.set()

    await bench.sequencer.drain()
    await bench.sequencer.close()

    await first
    with pytest.raises(UnavailableError, match="a fork was seen"):
        await second
    assert not bench.sequencer.failed.done()


async def test_a_command_that_fails_tells_its_caller_and_ends_the_writer() -> None:
    bench = Bench()
    bench.sequencer.start()

    with pytest.raises(StoreError, match="never committed"):
        await bench.sequencer.publish(Published(99, b"", 0))
    error = await bench.sequencer.failed
    await bench.sequencer.close()

    assert isinstance(error, StoreError)


async def test_closing_what_was_never_started_is_no_error() -> None:
    bench = Bench()

    await bench.sequencer.close()

    with pytest.raises(UnavailableError):
        await bench.sequencer.append(submission("a", b"1"))


async def test_nothing_is_taken_before_start_or_after_close() -> None:
    bench = Bench()
    with pytest.raises(UnavailableError):
        await bench.sequencer.append(submission("a", b"1"))
    with pytest.raises(UnavailableError):
        _ = bench.sequencer.failed
    bench.sequencer.start()
    await bench.sequencer.close()

    with pytest.raises(UnavailableError):
        await bench.sequencer.append(submission("a", b"1"))
    with pytest.raises(UnavailableError):
        await bench.sequencer.mark_publishable()


class KeptWorker:
    """A worker that takes no turn, and keeps whom to tell of its end."""

    def start(self, turn: Turn, ended: Ended) -> None:
        self.ended = ended

    def wake(self) -> None:
        """Nothing runs."""

    def join(self) -> None:
        """Nothing ran."""


def test_a_writer_that_fails_after_its_loop_was_closed_stops_signing_quietly() -> None:
    log = memory_log()
    writer = Writer(
        store=log.store,
        signer=log.signer,
        state=log.state,
        clock=log.clock,
        anchor=None,
    )
    worker = KeptWorker()

    async def begin() -> None:
        Sequencer(
            writer, limits=QueueLimits(), on_head=lambda _: None, worker=worker
        ).start()

    asyncio.run(begin())
    worker.ended(StoreError("the disk said no"))

    assert writer.stopped == "the writer failed: the disk said no"
