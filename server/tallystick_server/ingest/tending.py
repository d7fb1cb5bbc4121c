"""What an intake does beside requests: its own events, and the snapshot.

Every second: what producers' numbers have to say is written, an event that nobody told
the followers about is read from the log, and the snapshot is saved where it is old.
"""

from __future__ import annotations

import asyncio
import logging

from tallystick_server.errors import RequestError, unusable
from tallystick_server.ingest.intake import Intake
from tallystick_server.log.ticker import Ticker

SAVE_TICKS = 10
"""Ticks between two snapshots."""

_log = logging.getLogger(__name__)


class Tending:
    """Tends one intake until it is stopped."""

    def __init__(self, intake: Intake, ticker: Ticker) -> None:
        """Take the intake; `ticker` says how often."""
        self._intake = intake
        self._ticker = ticker
        self._stop = asyncio.Event()
        self._telling = asyncio.Lock()
        self._stood_at = -1
        self._is_refused = False

    async def run(self) -> None:
        """Tend until stopped."""
        ticks = 0
        while not self._stop.is_set():
            ticks += 1
            await self._follow()
            await self._tell()
            await self._intake.letters.expire()
            if ticks % SAVE_TICKS == 0:
                await self.save()
            await self._ticker.wait(self._stop)

    async def finish(self) -> None:
        """Write what is left to say, before the log takes nothing more; end `run`."""
        self._stop.set()
        await self._tell(is_last=True)

    async def save(self) -> None:
        """Save the snapshot; what cannot be saved is derived from the log again."""
        work = self._intake.followed.save()
        if work is None:
            return
        try:
            await self._intake.off_loop(work)
        except OSError as error:
            why = unusable("cannot save the snapshot", error)
            _log.warning(
                "snapshot not saved",
                extra={"log": self._intake.log.name, "why": str(why)},
            )

    async def _follow(self) -> None:
        """Read from the log what has not come for a whole tick."""
        followed = self._intake.followed
        if followed.position == self._stood_at < self._intake.log.head.size:
            await followed.catch_up()
        self._stood_at = followed.position

    async def _tell(self, *, is_last: bool = False) -> None:
        """Write the server's own events; where the log takes none, later."""
        if self._intake.log.is_read_only:
            return
        try:
            async with self._telling:  # nothing is told twice
                await self._intake.tell_due(is_last=is_last)
        except RequestError as error:
            if not self._is_refused:
                self._is_refused = True
                _log.warning(
                    "own events wait",
                    extra={"log": self._intake.log.name, "why": error.detail},
                )
        else:
            self._is_refused = False
