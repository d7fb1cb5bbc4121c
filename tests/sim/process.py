"""A process of the simulated world: it runs, and it dies between any two steps.

Every seam of a process (store, anchor, network) passes `step` before and after what it
does.  A process that is armed dies at the n-th step from now: `Crashed` is raised
there, its tasks are cancelled, and nothing that it still holds does anything more.
What stays is what its disk holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")

_CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


class Crashed(BaseException):
    """The process this runs in is dead."""


class Process:
    """One life of a process. Made by its node, which starts another one later."""

    def __init__(self, name: str, on_end: Callable[[Process, str], None]) -> None:
        """Be alive; `on_end` is told, once, why not any more."""
        self.name = name
        self.is_alive = True
        self.steps = 0
        self._on_end = on_end
        self._dies_after: int | None = None
        self.ended = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._context = copy_context()
        self._context.run(_CURRENT.set, self)

    @property
    def context(self) -> Context:
        """The context in which everything of this process runs."""
        return self._context

    def arm(self, steps: int) -> None:
        """Die at the step that is `steps` from now, at least 1."""
        self._dies_after = steps

    def step(self) -> None:
        """Pass between two steps; raise Crashed where the process dies, or is dead."""
        if self.is_alive and self._dies_after is not None:
            self._dies_after -= 1
            if self._dies_after <= 0:
                self.die("killed")
        if not self.is_alive:
            raise Crashed
        self.steps += 1

    def die(self, why: str) -> None:
        """Be dead from now on."""
        if not self.is_alive:
            return
        self.is_alive = False
        self.ended.set()
        for task in sorted(self._tasks, key=lambda task: task.get_name()):
            task.cancel()
        self._on_end(self, why)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run a coroutine as part of this process."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(work, name=name, context=copy_of(self._context))
        self.adopt(task)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Count a task as one of this process."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def is_crash(error: BaseException | None) -> bool:
    """Whether an error is nothing but the death of its process."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_crash, error.exceptions))
    return isinstance(error, Crashed | asyncio.CancelledError)


def copy_of(context: Context) -> Context:
    """Copy a context, so that a task may change its own."""
    return context.run(copy_context)


def current() -> Process | None:
    """Give the process in which the caller runs; None outside of all."""
    return _CURRENT.get()


def task_factory(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, T] | Generator[Any, None, T],
    **options: Any,  # noqa: ANN401 -- the signature of asyncio
) -> asyncio.Task[T]:
    """Make tasks that know the process they belong to."""
    task = asyncio.Task(work, loop=loop, **options)
    context: Context | None = options.get("context")
    owner = context.get(_CURRENT) if context is not None else _CURRENT.get()
    if owner is not None:
        owner.adopt(task)
    return task
