"""The workers of the blocking transport: one team, whoever asks for it and whenever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FrameType

import pytest

from tallystick_client.urllib3_transport import AT_ONCE, Urllib3Transport
from tallystick_merkle.exchange.base import Failure, Reply, Request, Response

ASK = Request("GET", "http://log.example/")
DONE = Response(200, {}, b"")


class Waiting(Urllib3Transport):
    """Answers each request once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.is_let = threading.Event()
        self.begun = threading.Semaphore(0)

    def _make(self, request: Request) -> Reply:
        self.begun.release()
        self.is_let.wait(30)
        return DONE


class Hirings:
    """Counts the teams that are made, and holds each back for a second one."""

    def __init__(self) -> None:
        self.count = 0
        self._second = threading.Barrier(2)

    def look(self, frame: FrameType, event: str, argument: object) -> None:
        """Watch one call (the shape of `threading.setprofile`)."""
        if event == "call" and frame.f_code is ThreadPoolExecutor.__init__.__code__:
            self.count += 1
            with suppress(threading.BrokenBarrierError):
                self._second.wait(0.2)


@pytest.fixture
def hirings() -> Iterator[Hirings]:
    watch = Hirings()
    threading.setprofile(watch.look)
    yield watch
    threading.setprofile(None)


def test_threads_that_ask_at_once_share_one_team_of_workers(hirings: Hirings) -> None:
    transport = Waiting()
    transport.is_let.set()
    threads = [
        threading.Thread(target=transport.perform, args=((ASK, ASK),)) for _ in range(2)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    transport.close()

    assert hirings.count == 1


def test_closing_answers_what_was_not_begun() -> None:
    transport = Waiting()
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(transport.perform, (ASK,) * (AT_ONCE + 2))
        for _ in range(AT_ONCE):
            transport.begun.acquire()
        transport.close()
        transport.is_let.set()
        replies = asked.result()

    assert replies[:AT_ONCE] == (DONE,) * AT_ONCE
    assert all(isinstance(reply, Failure) for reply in replies[AT_ONCE:])
    assert len(replies) == AT_ONCE + 2
