"""A worker takes one turn at a time, loses no wake, and says once that it ended."""

from __future__ import annotations

import threading

from tallystick_server.log.worker import ThreadWorker

LONG_S = 600.0


class Crank:
    """Turns that a test lets go one by one, and what the worker said at its end."""

    def __init__(self, *, idle_s: float = LONG_S) -> None:
        self.worker = ThreadWorker(name="tested", idle_s=idle_s)
        self.began = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.ended = threading.Event()
        self.failures: list[BaseException | None] = []
        self.goes_on = True
        self.fails: BaseException | None = None
        self.at_once = 0
        self.most_at_once = 0

    def turn(self) -> bool:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.began.release()
        assert self.go_on.acquire(timeout=30)
        self.at_once -= 1
        if self.fails is not None:
            raise self.fails
        return self.goes_on

    def end(self, failure: BaseException | None) -> None:
        self.failures.append(failure)
        self.ended.set()

    def start(self) -> None:
        """Start, and stand in the first turn."""
        self.worker.start(self.turn, self.end)
        self.wait_for_turn()

    def wait_for_turn(self) -> None:
        assert self.began.acquire(timeout=30)

    def finish(self) -> None:
        """Let the turn that runs be the last one."""
        self.goes_on = False
        self.go_on.release()
        assert self.ended.wait(30)
        self.worker.join()


def test_a_wake_during_a_turn_makes_another_turn() -> None:
    crank = Crank()
    crank.start()

    crank.worker.wake()
    crank.go_on.release()
    crank.wait_for_turn()

    crank.finish()
    assert crank.most_at_once == 1
    assert crank.failures == [None]


def test_nobody_wakes_it_and_it_turns_all_the_same() -> None:
    crank = Crank(idle_s=0.001)
    crank.start()

    crank.go_on.release()
    crank.wait_for_turn()

    crank.finish()


def test_a_turn_that_raises_is_the_last_and_its_error_is_told() -> None:
    crank = Crank()
    crank.start()

    crank.fails = ValueError("the disk said no")
    crank.go_on.release()

    assert crank.ended.wait(30)
    crank.worker.join()
    assert crank.failures == [crank.fails]
