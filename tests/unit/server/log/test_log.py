"""One log as it is shown: what turns appends away, who waits, what is served."""

from __future__ import annotations

import asyncio

import pytest

from tallystick_merkle.genesis import RAW
from tallystick_merkle.tile import Tile
from tallystick_server.errors import (
    DiskFullError,
    IntegrityError,
    UnavailableError,
)
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.reader import Reader
from tallystick_server.log.sequencer import QueueLimits, Sequencer
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import Published
from tests.fakes.cosigned import cosigned, policy
from tests.fakes.faults import FaultyStore
from tests.fakes.logs import NAME, ORIGIN, MemoryLog, log_key, memory_log, submission

MIB = 1024 * 1024


class Bench:
    """A log over a memory store; `open` attaches a running sequencer."""

    def __init__(
        self, limits: LogLimits | None = None, quorum: str = "w", kind: str = RAW
    ) -> None:
        self.inner: MemoryLog = memory_log(kind)
        self.free = 1024 * MIB
        self.asked = 0
        self.log = Log(
            Identity(NAME, ORIGIN, kind, log_key().verifier),
            reader=Reader(self.inner.store, self.inner.state.head),
            head=self.inner.state.head,
            published=None,
            policy=policy(quorum),
            clock=self.inner.clock,
            limits=limits or LogLimits(),
            free_bytes=self.free_bytes,
        )

    def free_bytes(self) -> int:
        self.asked += 1
        return self.free

    def open(self) -> Log:
        writer = Writer(
            store=self.inner.store,
            signer=self.inner.signer,
            state=self.inner.state,
            clock=self.inner.clock,
            anchor=None,
        )
        sequencer = Sequencer(writer, limits=QueueLimits(), on_head=self.log.saw_head)
        sequencer.start()
        self.log.attach(
            sequencer, stop=writer.stop_signing, stopped=lambda: writer.stopped
        )
        return self.log


async def test_a_read_only_log_takes_and_publishes_nothing() -> None:
    log = Bench().log

    for refused in (
        log.append(submission("a", b"1")),
        log.mark_publishable(),
        log.publish(cosigned(log.head)),
    ):
        with pytest.raises(UnavailableError, match="read-only"):
            await refused
    await log.drain()
    await log.close()

    assert log.is_read_only
    assert log.stopped == "the log is read-only"
    assert log.failed is None
    assert (log.queue_depth, log.has_room) == (0, False)
    log.stop_signing("again")


class RottenRows(FaultyStore):
    """A store that gives wrong rows."""

    def read_row(self, level: int, block: int) -> bytes:
        return bytes(len(super().read_row(level, block)))


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_log_that_reads_wrong_data_signs_no_more_and_says_so(
    is_open: bool, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    log = Log(
        bench.log.identity,
        reader=Reader(RottenRows(bench.inner.store), bench.log.head),
        head=bench.log.head,
        published=None,
        policy=None,
        clock=bench.inner.clock,
        limits=LogLimits(),
        free_bytes=bench.free_bytes,
    )
    bench.log = log
    if is_open:
        bench.open()

    with pytest.raises(IntegrityError):
        log.reader.tile(Tile(0, 0, 1))
    if not is_open:
        bench.open()  # a log that was in doubt before it was cleared

    assert log.doubt is not None
    assert "unfinished rows 0/0 do not lead" in log.doubt
    assert log.stopped == log.doubt
    with pytest.raises(UnavailableError, match="what is stored is wrong"):
        await log.append(submission("a", b"1"))
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["stored data are wrong", "signing stopped"]
    await log.close()


async def test_an_append_moves_the_head_before_it_is_answered() -> None:
    log = Bench().open()

    ack = await log.append(submission("a", b"1"))

    assert log.head == ack.head
    assert (log.name, log.origin, log.kind) == (NAME, ORIGIN, "raw")
    assert log.key == log_key().verifier
    assert log.has_room
    assert log.stopped is None
    assert log.failed is not None
    await log.close()


async def test_below_the_floor_of_free_space_nothing_is_promised() -> None:
    bench = Bench(LogLimits(min_free_bytes=100 * MIB))
    log = bench.open()
    await log.append(submission("a", b"1"))
    bench.free = 99 * MIB

    await log.append(submission("b", b"2"))  # asked for at most once a second
    bench.inner.clock.advance(1_000)
    with pytest.raises(DiskFullError):
        await log.append(submission("c", b"3"))
    bench.free = 100 * MIB
    bench.inner.clock.advance(1_000)
    await log.append(submission("c", b"3"))
    await log.close()

    assert bench.asked == 3
    assert log.head.size == 4


async def test_too_many_unwitnessed_entries_turn_appends_away() -> None:
    log = Bench(LogLimits(max_unwitnessed_entries=2)).open()
    await log.append(submission("a", b"1"))
    await log.append(submission("b", b"2"))

    with pytest.raises(UnavailableError, match="3 entries wait"):
        await log.append(submission("c", b"3"))
    await log.publish(cosigned(log.head))
    await log.append(submission("c", b"3"))
    await log.close()

    assert log.head.size == 4


async def test_too_long_without_witnesses_turns_appends_away() -> None:
    bench = Bench(LogLimits(max_unwitnessed_ms=10_000))
    log = bench.open()
    await log.publish(cosigned(log.head))
    await log.append(submission("a", b"1"))
    bench.inner.clock.advance(10_001)

    with pytest.raises(UnavailableError, match="longer than allowed"):
        await log.append(submission("b", b"2"))
    await log.close()


async def test_quiet_hours_are_no_time_without_witnesses() -> None:
    bench = Bench(LogLimits(max_unwitnessed_ms=10_000))
    log = bench.open()
    await log.publish(cosigned(log.head))
    bench.inner.clock.advance(3_600_000)

    await log.append(submission("a", b"1"))
    bench.inner.clock.advance(10_000)
    await log.append(submission("b", b"2"))
    bench.inner.clock.advance(1)
    with pytest.raises(UnavailableError, match="longer than allowed"):
        await log.append(submission("c", b"3"))
    await log.close()


async def test_a_waiter_is_woken_by_the_first_checkpoint_that_covers_it() -> None:
    log = Bench().open()
    early = log.head
    ack = await log.append(submission("a", b"1"))
    waiter = asyncio.ensure_future(log.witnessed(ack.head.size, 60))
    await asyncio.sleep(0)

    await log.publish(cosigned(early))
    assert not waiter.done()
    await log.publish(cosigned(ack.head))
    found = await waiter

    assert found == cosigned(ack.head)
    assert await log.witnessed(ack.head.size, 60) == found
    await log.close()


async def test_a_wait_that_runs_out_is_answered_without_an_error() -> None:
    log = Bench().open()

    assert await log.witnessed(1, 0) is None

    await log.close()


async def test_waiting_ends_when_the_log_closes() -> None:
    log = Bench().open()
    waiter = asyncio.ensure_future(log.witnessed(1, 60))
    await asyncio.sleep(0)

    await log.close()

    assert await waiter is None


async def test_closing_leaves_a_waiter_that_was_just_woken_its_checkpoint() -> None:
    log = Bench().open()
    waiter = asyncio.ensure_future(log.witnessed(1, 60))
    await asyncio.sleep(0)

    head = await log.mark_publishable()
    await log.publish(cosigned(head))
    await log.close()  # before the waiter has run

    assert await waiter == cosigned(head)


async def test_a_checkpoint_that_the_policy_of_today_refuses_is_not_witnessed() -> None:
    log = Bench().open()
    head = log.head
    await log.publish(Published(head.size, head.note, head.time_ms))

    assert await log.witnessed(1, 0) is None

    await log.close()


async def test_a_log_that_waits_for_clearance_says_so() -> None:
    log = Bench().log
    log.refusal = "the log does not sign yet"

    with pytest.raises(UnavailableError, match="does not sign yet"):
        await log.append(submission("a", b"1"))


async def test_nobody_waits_for_witnesses_that_the_policy_does_not_ask() -> None:
    log = Bench(quorum="none").open()
    await log.publish(cosigned(log.head))

    assert await log.witnessed(1, 60) is None

    await log.close()


async def test_a_log_told_to_stop_signs_no_more() -> None:
    log = Bench().open()
    await log.append(submission("a", b"1"))

    log.stop_signing("a fork was seen")
    with pytest.raises(UnavailableError, match="a fork was seen"):
        await log.append(submission("b", b"2"))

    assert log.stopped == "a fork was seen"
    await log.close()


async def test_draining_commits_what_waits_and_then_takes_nothing() -> None:
    log = Bench().open()
    waiting = asyncio.ensure_future(log.append(submission("a", b"1")))
    await asyncio.sleep(0)

    await log.drain()
    with pytest.raises(UnavailableError):
        await log.append(submission("b", b"2"))
    await log.publish(cosigned(log.head))
    await waiting
    await log.close()

    assert log.head.size == 2
