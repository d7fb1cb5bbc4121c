"""Between the event loop and the witness: one writer thread, a bounded line before it.

Signing takes half a millisecond and a commit as long as the disk; neither may hold up
the loop.  One thread also makes the order of requests the order of heads.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tallystick_witness.errors import (
    BusyError,
    IntegrityError,
    StoppedError,
    UnavailableError,
)
from tallystick_witness.service import Answer, Witness

_IN_DOUBT = "stopped: the state of the store is in doubt"


class Desk:
    """Takes requests from the loop to the witness's one thread."""

    def __init__(self, witness: Witness, *, max_waiting: int) -> None:
        """Serve `witness`, with at most `max_waiting` requests not answered yet."""
        self._witness = witness
        self._max_waiting = max_waiting
        self._waiting = 0
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._failed = asyncio.Event()

    @property
    def witness(self) -> Witness:
        """The witness behind the desk."""
        return self._witness

    async def add_checkpoint(self, body: bytes) -> Answer:
        """Have one request answered.

        Raises BusyError when too many wait, UnavailableError when nothing is signed.
        """
        if self._waiting >= self._max_waiting:
            raise BusyError("too many requests are waiting; try again")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            work = self._witness.add_checkpoint
            return await loop.run_in_executor(self._writer, work, body)
        except (StoppedError, IntegrityError) as error:
            raise UnavailableError(_IN_DOUBT) from error
        finally:
            self._waiting -= 1
            self._look_for_failure()

    def checkpoint(self, hash_of_origin: str) -> bytes | None:
        """Give a log's latest cosigned checkpoint; a read takes microseconds."""
        try:
            return self._witness.checkpoint(hash_of_origin)
        except (StoppedError, IntegrityError) as error:
            raise UnavailableError(_IN_DOUBT) from error
        finally:
            self._look_for_failure()

    async def failure(self) -> StoppedError | IntegrityError:
        """Wait until the process must end, and say why."""
        await self._failed.wait()
        error = self._witness.failure
        assert error is not None
        return error

    async def sweep_every(self, interval_s: float) -> None:
        """Free what dead readers hold, again and again until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(interval_s)
            await loop.run_in_executor(self._writer, self._witness.sweep)

    def close(self) -> None:
        """Wait for the request in work, if any, and end the thread."""
        self._writer.shutdown(wait=True, cancel_futures=True)

    def _look_for_failure(self) -> None:
        if self._witness.failure is not None:
            self._failed.set()
