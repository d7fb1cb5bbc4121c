"""Beside requests: own events are written when they can be, and the snapshot kept."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from tallystick_server.errors import EventError
from tallystick_server.ingest.producers import GAP, REFUSED
from tallystick_server.ingest.sequences import GRACE_MS
from tallystick_server.ingest.tending import SAVE_TICKS, Tending
from tests.fakes.intakes import IntakeBench, make_event


class Turns:
    """A ticker that goes round so many times and then stops what it ticks for."""

    def __init__(self, *turns: int) -> None:
        self.left = sum(turns)

    async def wait(self, stop: asyncio.Event) -> None:
        self.left -= 1
        if self.left == 0:
            stop.set()


class Waiting:
    """A ticker whose next round never is."""

    async def wait(self, stop: asyncio.Event) -> None:
        await stop.wait()


def tending(bench: IntakeBench, turns: int = 1) -> Tending:
    return Tending(bench.intake, Turns(turns))


async def actions(bench: IntakeBench) -> list[str]:
    """The actions of the server's own events in the log."""
    size = bench.log.head.size
    events = [one.event for one in await bench.intake.records.read(0, size)]
    return [
        event.action
        for event in events
        if event is not None and event.producer.service == "tallystick"
    ]


async def leave_a_gap(bench: IntakeBench) -> None:
    """Have numbers missing for longer than the grace."""
    await bench.intake.followed.catch_up()
    bench.producers.due(bench.inner.clock.now_ms())
    await bench.intake.submit("billing", [make_event(1), make_event(5)])
    bench.inner.clock.advance(GRACE_MS)


async def test_what_is_due_is_written_once(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await leave_a_gap(bench)

        await tending(bench, 3).run()

        assert await actions(bench) == [GAP]


async def test_what_a_log_cannot_take_is_written_when_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await leave_a_gap(bench)
        bench.free = 0
        bench.inner.clock.advance(60_000)

        with caplog.at_level(logging.WARNING):
            await tending(bench, 3).run()
        assert await actions(bench) == []
        bench.free = 1 << 40
        bench.inner.clock.advance(60_000)
        await tending(bench).run()

        assert await actions(bench) == [GAP]
        assert [one.getMessage() for one in caplog.records] == ["own events wait"]


async def test_a_log_that_does_not_sign_ends_no_tending(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await leave_a_gap(bench)
        bench.log.stop_signing("a witness has seen more")

        await tending(bench, 3).run()

        assert await actions(bench) == []
        assert "own events wait" in caplog.text


async def test_what_nobody_told_of_for_a_whole_round_is_read(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("billing", [make_event(1)])
        assert bench.intake.followed.position == 0  # the first entry is no event

        await tending(bench, 1).run()
        assert bench.intake.followed.position == 0
        keeper = tending(bench, 2)
        await keeper.run()

        assert bench.intake.followed.position == 2


async def test_the_snapshot_is_saved_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "derived" / "followed.cbor"
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("billing", [make_event(1)])

        await tending(bench, SAVE_TICKS - 1).run()
        assert not path.exists()
        await tending(bench, SAVE_TICKS).run()

        assert path.exists()
        assert path.stat().st_mode & 0o777 == 0o600


async def test_a_snapshot_that_cannot_be_saved_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "derived").write_bytes(b"in the way")
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.followed.catch_up()

        await tending(bench).save()

    (record,) = caplog.records
    assert record.getMessage() == "snapshot not saved"
    assert str(tmp_path) not in str(record.__dict__["why"])


async def test_at_the_end_refusals_are_told_without_delay(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        keeper = Tending(bench.intake, Waiting())
        running = asyncio.create_task(keeper.run())
        await bench.intake.turned_away(
            "billing", "application/json", [(b"{}", EventError("no"))]
        )

        await keeper.finish()
        await running

        assert await actions(bench) == [REFUSED]
