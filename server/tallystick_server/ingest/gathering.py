"""Single events that come at the same time go the way of a batch.

One event alone is sealed at once, where it came in.  While some are under way, those
that come meanwhile are gathered, and a process seals them together: as with the log's
writer there is no timer, and the more come, the larger the groups.  Each is answered
for itself, as if it had come alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tallystick_server.ingest.results import Submitted

FEW = 1
"""Most single events under way that are sealed where they came in."""

ENOUGH = 16
"""Events that make another group while one is under way."""

MOST = 256
"""Most events in a group."""

GROUPS = 2
"""Most groups of one line under way."""

Line = tuple[str, bool]
"""A principal, and whether its events are CBOR: what a group has in common."""

Submit = Callable[[str, Sequence[bytes], bool], Awaitable[Submitted]]
"""Takes a group as a batch: the principal, the events, whether they are CBOR."""


@dataclass(slots=True)
class _Waiting:
    raw: bytes
    done: asyncio.Future[Submitted]


@dataclass(slots=True)
class _Queue:
    waiting: list[_Waiting] = field(default_factory=list)
    groups: int = 0


class Gathering:
    """Gathers single events into groups. Used on the loop."""

    def __init__(self, submit: Submit) -> None:
        """Take what submits a group."""
        self._submit = submit
        self._queues: dict[Line, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, principal: str, raw: bytes, *, is_cbor: bool) -> Submitted:
        """Take one event; raises as its group does."""
        line = principal, is_cbor
        queue = self._queues.setdefault(line, _Queue())
        waiting = _Waiting(raw, asyncio.get_running_loop().create_future())
        queue.waiting.append(waiting)
        self._start(line, queue)
        return await waiting.done

    async def close(self) -> None:
        """Wait for the groups that are under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, line: Line, queue: _Queue) -> None:
        """Begin another group if it is time."""
        is_time = not queue.groups or len(queue.waiting) >= ENOUGH
        if not queue.waiting or not is_time or queue.groups >= GROUPS:
            return
        group, queue.waiting = queue.waiting[:MOST], queue.waiting[MOST:]
        queue.groups += 1
        task = asyncio.create_task(self._run(line, queue, group), name="gathered")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, line: Line, queue: _Queue, group: list[_Waiting]) -> None:
        """Submit a group, answer each of it, and begin with what came meanwhile."""
        try:
            done = await self._submit(line[0], [one.raw for one in group], line[1])
        except Exception as error:  # noqa: BLE001 -- told to each who waits
            for one in group:
                if not one.done.done():
                    one.done.set_exception(error)
        else:
            for one, result in zip(group, done.results, strict=True):
                if not one.done.done():
                    one.done.set_result(Submitted((result,), done.ack))
        finally:
            queue.groups -= 1
            self._start(line, queue)
            if not queue.groups and not queue.waiting:
                self._queues.pop(line, None)
