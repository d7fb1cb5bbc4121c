"""What turns a writer's crank: the seam between the sequencer and its thread.

A worker calls `turn` again and again, never twice at once: soon after each `wake`, and
after every `idle_s` seconds in which nobody woke it.  It ends when `turn` says that it
is done, or raises; `ended` is told, once, with the error if there was one.

A wake is never lost: one that comes while a turn runs makes another turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

Turn = Callable[[], bool]
"""One turn of the work; False when there will be no more."""

Ended = Callable[[BaseException | None], None]
"""Told when no turn will follow, with the error that ended the last one, if any."""


class Worker(Protocol):
    """Runs one writer's turns."""

    def start(self, turn: Turn, ended: Ended) -> None:
        """Begin to take turns. To be called once."""
        ...

    def wake(self) -> None:
        """Have a turn taken soon. May be called from any thread."""
        ...

    def join(self) -> None:
        """Wait until nothing of the worker runs any more. Requires that it ended."""
        ...


class ThreadWorker:
    """Takes its turns on a thread of its own."""

    def __init__(self, *, name: str, idle_s: float) -> None:
        """Name the thread; it begins with `start`, and dies with its process."""
        self._name = name
        self._idle_s = idle_s
        self._wake = threading.Condition()
        self._is_woken = False
        self._thread: threading.Thread | None = None

    def start(self, turn: Turn, ended: Ended) -> None:
        """Start the thread."""
        self._thread = threading.Thread(
            target=self._run, args=(turn, ended), name=self._name, daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        """Have a turn taken as soon as the one that runs is over."""
        with self._wake:
            self._is_woken = True
            self._wake.notify()

    def join(self) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, turn: Turn, ended: Ended) -> None:
        failure: BaseException | None = None
        try:
            while turn():
                self._wait()
        except BaseException as error:  # noqa: BLE001 -- top of the thread: told on
            failure = error
        ended(failure)

    def _wait(self) -> None:
        """Sleep until somebody wakes us, or for the idle time."""
        with self._wake:
            if not self._is_woken:
                self._wake.wait(self._idle_s)
            self._is_woken = False
