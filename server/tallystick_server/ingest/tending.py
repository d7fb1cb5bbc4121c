"""What an intake does beside requests: its own events, and the snapshot.

Every second: what producers' numbers have to say is written, an event that nobody told
the followers about is read from the log, and the snapshot is saved where it is old.
Where the log is read-only, nothing is written: what lies beside it is its owner's.

A stop waits for this no longer than LAST_S: what is not written by then follows from
the log at the next start, or is a count of refused events that is lost.
"""

from __future__ import annotations

import asyncio
import logging

from tallystick_server.errors import RequestError, ServerError, unusable
from tallystick_server.ingest.intake import Intake
from tallystick_server.log.ticker import Ticker

SAVE_TICKS = 10
"""Ticks between two snapshots."""

LAST_S = 5.0
"""Seconds that a stop waits for the last events of the server's own."""

_log = logging.getLogger(__name__)


class Tending:
    """Tends one intake until it is stopped."""

    def __init__(
        self, intake: Intake, ticker: Ticker, *, last_s: float = LAST_S
    ) -> None:
        """Take the intake; `ticker` says how often, `last_s` how long a stop waits."""
        self._intake = intake
        self._last_s = last_s
        self._patience: asyncio.Timeout | None = None
        self._ticker = ticker
        self._stop = asyncio.Event()
        self._telling = asyncio.Lock()
        self._stood_at = -1
        self._is_refused = False

    async def run(self) -> None:
        """Tend until stopped; what is under way then is given up after a while."""
        patience = self._patience = asyncio.timeout(None)
        try:
            async with patience:
                await self._rounds()
        except TimeoutError:
            if not patience.expired():
                raise
            self._say_given_up()
        finally:
            self._patience = None

    async def _rounds(self) -> None:
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
        """Write what is left to say, before the log takes nothing more; end `run`.

        Returns in time, whatever the log and the vault do.
        """
        self._stop.set()
        if self._patience is not None:
            loop = asyncio.get_running_loop()
            self._patience.reschedule(loop.time() + self._last_s)
        try:
            async with asyncio.timeout(self._last_s):
                await self._tell(is_last=True)
        except TimeoutError:
            self._say_given_up()

    async def save(self) -> None:
        """Save the snapshot; what cannot be saved is derived from the log again."""
        if self._intake.log.is_read_only:
            return
        try:
            work = self._intake.followed.save()
            if work is not None:
                await self._intake.off_loop(work)
        except (OSError, ServerError) as error:
            why: Exception = error
            if isinstance(error, OSError):
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

    def _say_given_up(self) -> None:
        _log.warning("tending given up", extra={"log": self._intake.log.name})
