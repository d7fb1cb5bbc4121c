"""An event loop in virtual time: no sleep takes any time, and nothing happens twice.

The loop's clock stands still while anything can run, and jumps to the next timer when
nothing can.  Work for threads runs on the loop itself, a drawn moment later.  So a run
is a function of its seed: the same seed gives the same history.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

from tests.sim.process import task_factory

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Latency = Callable[[], float]
"""Draws how long a job of a thread takes, in seconds."""


class DeadlockError(Exception):
    """Nothing can run, and no timer is set: the simulated world has come to a stop."""


class _Jump(selectors.SelectSelector):
    """A selector that waits for nothing: it moves the clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise DeadlockError("nothing can run, and nothing is timed")
        if timeout > 0:
            self.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `latency` draws the time that each job of a thread takes."""

    def __init__(self, latency: Latency) -> None:
        """Begin at second 0."""
        self._jump = _Jump()
        super().__init__(self._jump)
        self._latency = latency

    def time(self) -> float:
        """Give the virtual time in seconds."""
        return self._jump.now_s

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[Unpack[Ts]], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run a thread's job on the loop, a drawn moment later."""
        future: asyncio.Future[T] = self.create_future()
        self.call_later(self._latency(), _work, future, func, args)
        return future

    def _write_to_self(self) -> None:
        """Need no wake-up: there is one thread, and it never waits."""


def run(
    main: Coroutine[Any, Any, T],
    *,
    latency: Latency,
    on_error: Callable[[dict[str, Any]], None],
) -> T:
    """Run a coroutine in virtual time; `on_error` is told what nobody caught."""
    loop = VirtualLoop(latency)
    loop.set_task_factory(task_factory)
    loop.set_exception_handler(lambda _, context: on_error(context))
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


def _work(
    future: asyncio.Future[T], func: Callable[[Unpack[Ts]], T], args: tuple[*Ts]
) -> None:
    """Do a job, and tell its future unless nobody waits any more."""
    try:
        result = func(*args)
    except BaseException as error:  # noqa: BLE001 -- told on, as a thread would
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)
