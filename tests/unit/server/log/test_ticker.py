"""The pause between rounds ends by itself, or with the loop."""

from __future__ import annotations

import asyncio

from tallystick_server.log.ticker import IntervalTicker


async def test_a_pause_ends_by_itself() -> None:
    await IntervalTicker(0).wait(asyncio.Event())


async def test_a_pause_ends_when_the_loop_is_stopped() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(IntervalTicker(3600).wait(stop))
    await asyncio.sleep(0)

    stop.set()

    await waiting
