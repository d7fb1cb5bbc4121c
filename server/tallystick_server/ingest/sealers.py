"""Have batches sealed: by processes beside the server, or by a thread of its own.

Sealing is most of the work of an event, and Python does one thing at a time in a
process.  A process is started with the first batch that is worth it, and again when
one has died; whatever it was at is done by the thread instead.  It opens nothing and
writes nothing but its answers: the vault, the log and their locks are the server's.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import MsgspecError

from tallystick_merkle import canonical
from tallystick_server.errors import QueueFullError, ServerError
from tallystick_server.ingest.frames import HEAD, MAX_FRAME, decode_answer, frame
from tallystick_server.ingest.keys import Keys
from tallystick_server.ingest.schemas.registry import Registry, Unknown
from tallystick_server.ingest.workbench import (
    Answer,
    Done,
    Grant,
    Job,
    Message,
    Need,
    Teach,
    Workbench,
)

WORTH = 64
"""Least events in a batch that a process is asked for."""

PATIENCE_S = 120.0
"""Seconds that a process may take for an answer: the longest batches take some."""

MAX_WAITING = 128 * 1024 * 1024
"""Most bytes of batches that wait to be sealed; a principal may have half of them."""

CHILD = "tallystick_server.ingest.sealingchild"
"""The module that such a process runs."""

_log = logging.getLogger(__name__)


class SealerLostError(ServerError):
    """A process that seals has died, or does not make sense."""


class Bench(Protocol):
    """A workbench that is asked from the loop, one message at a time."""

    async def ask(self, message: Message) -> Answer:
        """Give its answer; raise SealerLostError when there will be none."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class ThreadBench:
    """A workbench in a thread of the server."""

    def __init__(self, executor: Executor, draw: Callable[[int], bytes]) -> None:
        """Take an executor of one thread."""
        self._executor = executor
        self._bench = Workbench(draw)

    async def ask(self, message: Message) -> Answer:
        """Give its answer."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._bench.answer, message)

    async def close(self) -> None:
        """The executor is its owner's."""


class ProcessBench:
    """A workbench in a process of its own, started when it is first asked."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, message: Message) -> Answer:
        """Give its answer; raise SealerLostError when the process is gone, or hangs."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._ask(message)
        except (OSError, EOFError, MsgspecError) as error:  # TimeoutError is an OSError
            raise SealerLostError(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """End the process and wait for it."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()  # it has nothing to lose
        await process.wait()

    async def _ask(self, message: Message) -> Answer:
        """Write a message and read its answer."""
        process = self._process or await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdin.is_closing():  # uvloop's own error would be no OSError
            raise SealerLostError("the process has died")
        process.stdin.write(frame(message))
        await process.stdin.drain()
        (length,) = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        if length > MAX_FRAME:
            raise SealerLostError(f"an answer of {length} bytes")
        answer: Answer = decode_answer(await process.stdout.readexactly(length))
        return answer

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # whatever lies in the working directory is not imported
            "-m",
            CHILD,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        _log.info("sealing process started", extra={"pid": self._process.pid})
        return self._process


@dataclass(slots=True)
class _Place:
    """A bench, what it was taught, and whose turn it is."""

    bench: Bench
    taught: dict[str, int] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Schooling:
    """What a bench has to know of a log: its name, its schemas, and its setting."""

    log: str
    unknown: Unknown
    registry: Registry


class Sealers:
    """The workbenches of a server. Used on the loop."""

    def __init__(self, thread: Bench, processes: Sequence[Bench] = ()) -> None:
        """Take a bench in a thread, and those in processes if there are any."""
        self._thread = _Place(thread)
        self._processes = [_Place(bench) for bench in processes]
        self._waiting: dict[str, int] = {}  # bytes of batches, by principal

    @property
    def has_processes(self) -> bool:
        """Whether anything but the server itself may seal."""
        return bool(self._processes)

    async def seal(
        self, job: Job, school: Schooling, keys: Keys, *, worth: int = WORTH
    ) -> Done:
        """Have a batch sealed; the keys are durable before it is (D16).

        A process is asked for batches of `worth` events or more.
        Raises QueueFullError where too much waits, or too much of one principal.
        """
        size = sum(map(len, job.raws))
        mine = self._waiting.get(job.service, 0)
        all_bytes = sum(self._waiting.values())
        if all_bytes and (
            all_bytes + size > MAX_WAITING or mine + size > MAX_WAITING // 2
        ):
            raise QueueFullError(
                f"{all_bytes} bytes of events are waiting to be sealed",
                retry_after_s=1,
            )
        self._waiting[job.service] = mine + size
        try:
            return await self._seal(job, school, keys, worth)
        finally:
            self._waiting[job.service] -= size
            if not self._waiting[job.service]:
                del self._waiting[job.service]

    async def _seal(self, job: Job, school: Schooling, keys: Keys, worth: int) -> Done:
        """Have a batch sealed by a process where it is worth it, else by the thread."""
        if self._processes and len(job.raws) >= worth:
            place = min(self._processes, key=lambda one: one.waiting)
            try:
                return await self._work(place, job, school, keys)
            except SealerLostError as error:
                _log.warning("sealing process lost", extra={"why": str(error)})
        return await self._work(self._thread, job, school, keys)

    async def close(self) -> None:
        """End all of them."""
        for place in (self._thread, *self._processes):
            await place.bench.close()

    async def _work(
        self, place: _Place, job: Job, school: Schooling, keys: Keys
    ) -> Done:
        """Have a batch sealed at one bench, when it is our turn there."""
        place.waiting += 1
        try:
            async with place.turn:
                try:
                    return await _seal_at(place, job, school, keys)
                except BaseException:  # what it stands at is unknown: begin anew
                    place.taught.clear()
                    await place.bench.close()
                    raise
        finally:
            place.waiting -= 1


async def _seal_at(place: _Place, job: Job, school: Schooling, keys: Keys) -> Done:
    """Teach a bench what it does not know, and give it the batch and its keys."""
    revision = school.registry.count
    if place.taught.get(school.log) != revision:
        schemas = canonical.pack(school.registry.dump())
        await place.bench.ask(Teach(school.log, school.unknown, schemas))
        place.taught[school.log] = revision
    answer = await place.bench.ask(job)
    if isinstance(answer, Need):
        found = await keys.get(set(answer.names))
        granted = [
            (name, one.key.kid, one.key.dek, one.key.secret)
            for name, one in found.items()
        ]
        answer = await place.bench.ask(Grant(granted))
    if not isinstance(answer, Done):
        raise SealerLostError(f"answered with {type(answer).__name__}")
    return answer
