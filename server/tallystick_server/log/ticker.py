"""When a background loop goes round again: the seam that keeps real time out of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol


class Ticker(Protocol):
    """Says when the next round is due."""

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when the next round is due, or as soon as `stop` is set."""
        ...


class IntervalTicker:
    """A fixed pause between rounds, on the loop's monotonic clock."""

    def __init__(self, interval_s: float) -> None:
        """Pause `interval_s` seconds after each round."""
        self._interval_s = interval_s

    async def wait(self, stop: asyncio.Event) -> None:
        """Wait for the interval or for `stop`, whichever comes first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._interval_s):
                await stop.wait()
