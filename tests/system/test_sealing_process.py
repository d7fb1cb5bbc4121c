"""A batch is sealed in a real process beside the server; killed, it loses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from tallystick_server.ingest.results import Taken
from tallystick_server.ingest.sealers import (
    WORTH,
    ProcessBench,
    SealerLostError,
    Sealers,
    ThreadBench,
)
from tallystick_server.ingest.workbench import Ready, Teach
from tests.fakes.intakes import IntakeBench, event_json

pytestmark = pytest.mark.system

TEACH = Teach("events", "allow", b"\x80")


def raws(count: int, *, start: int) -> list[bytes]:
    return [json.dumps(event_json(n + start)).encode() for n in range(count)]


def pid_of(bench: ProcessBench) -> int:
    assert bench._process is not None
    return bench._process.pid


async def test_a_killed_process_is_replaced_and_loses_no_event(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        process = ProcessBench()
        bench.intake.sealers = Sealers(ThreadBench(bench.pool, os.urandom), [process])
        first = await bench.intake.submit_batch(
            "billing", raws(WORTH, start=0), is_cbor=False
        )
        killed = pid_of(process)
        os.kill(killed, signal.SIGKILL)

        second = await bench.intake.submit_batch(
            "billing", raws(WORTH, start=WORTH), is_cbor=False
        )
        third = await bench.intake.submit_batch(
            "billing", raws(WORTH, start=2 * WORTH), is_cbor=False
        )

        for done in (first, second, third):
            assert all(isinstance(one, Taken) for one in done.results)
        assert pid_of(process) != killed
        await bench.intake.sealers.close()


async def test_the_process_outlives_the_signals_of_its_group_and_not_its_server() -> (
    None
):
    bench = ProcessBench()
    assert await bench.ask(TEACH) == Ready()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid_of(bench), number)

    assert await bench.ask(TEACH) == Ready()
    process = bench._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 0


async def test_what_lies_in_the_working_directory_is_not_imported(
    tmp_path: Path,
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('hijacked')\n")
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        bench = ProcessBench()
        assert await bench.ask(TEACH) == Ready()
    finally:
        os.chdir(before)
    await bench.close()


async def test_nonsense_from_a_process_is_its_end(tmp_path: Path) -> None:
    bench = ProcessBench()
    await bench.ask(TEACH)
    real = bench._process
    bench._process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        "printf 'nonsense and more nonsense'; exec cat",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    with pytest.raises(SealerLostError):
        await bench.ask(TEACH)

    await bench.close()
    bench._process = real
    await bench.close()
