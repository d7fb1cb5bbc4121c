"""What an intake does by itself: it ends when told, and writes nothing it may not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tallystick_server.errors import EventError, StoreError
from tallystick_server.ingest.followed import Followed
from tallystick_server.ingest.producers import REFUSED
from tallystick_server.ingest.tending import SAVE_TICKS, Tending
from tallystick_server.vault.base import VaultKey
from tallystick_server.vault.memory import MemoryVault
from tests.fakes.intakes import IntakeBench, fake_mac
from tests.fakes.logs import ORIGIN
from tests.fakes.publishing import HandTicker


class Stuck(MemoryVault):
    """A vault that hangs when it is asked for keys, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.go = threading.Event()

    def ensure(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        self.asked.set()
        assert self.go.wait(60)
        return super().ensure(names)


class NoPause:
    """Rounds follow one another; after so many, the test goes on."""

    def __init__(self, rounds: int) -> None:
        self.left = rounds
        self.done = asyncio.Event()

    async def wait(self, stop: asyncio.Event) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()
            await stop.wait()


def snapshot(folder: Path) -> Path:
    return folder / "derived" / "followed.cbor"


def said(caplog: pytest.LogCaptureFixture, message: str) -> list[str]:
    return [
        str(vars(one).get("why"))
        for one in caplog.records
        if one.getMessage() == message
    ]


async def test_the_last_counts_of_refusals_are_written_before_a_stop(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        tending = Tending(bench.intake, HandTicker())
        bench.producers.refused("billing", "invalid-event", 3)

        await tending.finish()

        (opened,) = await bench.intake.records.read(1, 2)
        assert opened.event is not None
        assert opened.event.action == REFUSED


async def test_a_stop_does_not_wait_for_a_vault_that_hangs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vault = Stuck()
    async with IntakeBench(tmp_path, vault=vault) as bench:
        tending = Tending(bench.intake, HandTicker(), last_s=0.01)
        bench.producers.refused("billing", "invalid-event")

        async with asyncio.timeout(30):
            await tending.finish()

        assert said(caplog, "tending given up") == ["None"]
        vault.go.set()


async def test_a_round_that_hangs_is_given_up_at_a_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vault = Stuck()
    async with IntakeBench(tmp_path, vault=vault) as bench:
        tending = Tending(bench.intake, HandTicker(), last_s=0.01)
        bench.producers.refused("billing", "invalid-event")
        running = asyncio.create_task(tending.run())
        assert await asyncio.to_thread(vault.asked.wait, 30)

        async with asyncio.timeout(30):
            await tending.finish()
            await running

        assert said(caplog, "tending given up") != []
        vault.go.set()


async def test_a_stop_of_a_log_that_does_not_sign_ends_and_says_what_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with IntakeBench(tmp_path) as bench:
        tending = Tending(bench.intake, HandTicker())
        running = asyncio.create_task(tending.run())
        bench.log.stop_signing("a witness has seen more")
        for principal in ("billing", "shop"):
            bench.producers.refused(principal, "invalid-event")

        async with asyncio.timeout(30):
            await tending.finish()
            await running

        (why,) = said(caplog, "own events wait")
        assert "a witness has seen more" in why
        assert bench.log.head.size == 1


async def test_the_snapshot_is_saved_now_and_then(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        ticker = NoPause(SAVE_TICKS)
        tending = Tending(bench.intake, ticker)
        running = asyncio.create_task(tending.run())

        await ticker.done.wait()
        await tending.finish()
        await running

        assert snapshot(tmp_path).exists()


async def test_old_letters_are_forgotten_though_nobody_writes_new_ones(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        error = EventError("no", pointer="/actor")
        await bench.intake.turned_away("billing", "application/json", [(b"1", error)])
        bench.inner.clock.advance(31 * 24 * 3_600_000)
        ticker = NoPause(1)
        tending = Tending(bench.intake, ticker)
        before = await bench.letters.newest(before=None, limit=9)

        running = asyncio.create_task(tending.run())
        await ticker.done.wait()
        await tending.finish()
        await running

        assert before.count == 1
        assert (await bench.letters.newest(before=None, limit=9)).count == 0


async def test_the_snapshot_beside_a_log_that_is_read_only_stays_its_owners(
    tmp_path: Path,
) -> None:
    bench = IntakeBench(tmp_path)
    ticker = NoPause(SAVE_TICKS)
    tending = Tending(bench.intake, ticker)
    bench.producers.refused("billing", "invalid-event")
    running = asyncio.create_task(tending.run())

    await ticker.done.wait()
    await tending.finish()
    await tending.save()
    await running

    assert bench.log.is_read_only
    assert not snapshot(tmp_path).exists()
    await bench.__aexit__()


def fails(error: Exception) -> Callable[[bytes], bytes]:
    def mac(_: bytes) -> bytes:
        raise error

    return mac


@pytest.mark.parametrize(
    ("mac", "is_blocked"),
    [(fails(StoreError("the vault failed")), False), (fake_mac, True)],
    ids=["no key", "no folder"],
)
async def test_a_snapshot_that_cannot_be_saved_ends_nothing(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    mac: Callable[[bytes], bytes],
    is_blocked: bool,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        bench.intake.followed = Followed(
            {},
            bench.intake.records,
            origin=ORIGIN,
            path=snapshot(tmp_path),
            size=lambda: bench.log.head.size,
            root_at=bench.log.reader.root,
            mac=mac,
        )
        if is_blocked:
            snapshot(tmp_path).parent.write_bytes(b"")

        await Tending(bench.intake, HandTicker()).save()

        assert len(said(caplog, "snapshot not saved")) == 1
        assert not snapshot(tmp_path).exists()
