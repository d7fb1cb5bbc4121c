"""Visitors: who is late, who reads too slowly, and who is closed to make room."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import web

from tallystick_witness.visitors import TOLD_AT_ONCE, Cut, Patience, Visitor, Visitors

PATIENCE = Patience(head_s=10.0, write_s=30.0, least_rate=100)


class Pipe(asyncio.Transport):
    """A transport that holds as many bytes as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.is_cut = False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.is_cut

    def abort(self) -> None:
        self.is_cut = True


class ClosedPipe(Pipe):
    """A transport whose socket is closed, while its protocol was not told yet."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        link = socket.socket()
        link.close()
        return link


class Inner(asyncio.Protocol):
    """Stands for the library's protocol, and is told everything."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.told.append(data.decode())

    def eof_received(self) -> bool | None:
        self.told.append("eof")
        return True

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")


class House:
    """Visitors, their pipes, and the time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.visitors = Visitors(PATIENCE, clock_s=lambda: self.now_s)

    def come(self, at_s: float = 0.0) -> tuple[Visitor, Pipe]:
        self.now_s = at_s
        pipe = Pipe()
        visitor = self.visitors.welcome(Inner())
        visitor.connection_made(pipe)
        return visitor, pipe

    async def ask(self, visitor: Visitor, *, during: Any = None) -> None:  # noqa: ANN401
        """Have one whole request answered; `during` is called in the middle of it."""

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            if during is not None:
                during()
            return web.Response()

        class Asked:
            protocol = visitor.inner

        visitor.data_received(b"GET")
        request: Any = Asked()
        await self.visitors.during(handler)(request)

    def look(self, at_s: float) -> Cut:
        self.now_s = at_s
        return self.visitors.look()


@pytest.fixture
def house() -> House:
    return House()


async def test_the_library_is_told_everything(house: House) -> None:
    inner = Inner()
    visitor = house.visitors.welcome(inner)

    visitor.connection_made(Pipe())
    visitor.data_received(b"bytes")
    kept = visitor.eof_received()
    visitor.pause_writing()
    visitor.resume_writing()
    visitor.connection_lost(None)
    await asyncio.sleep(0)

    assert inner.told == ["made", "bytes", "eof", "pause", "resume", "lost"]
    assert kept is True
    assert len(house.visitors) == 0


async def test_those_who_leave_in_one_moment_do_not_hold_up_the_rest(
    house: House,
) -> None:
    inners = [Inner() for _ in range(3 * TOLD_AT_ONCE)]
    for inner in inners:
        visitor = house.visitors.welcome(inner)
        visitor.connection_made(Pipe())
        visitor.connection_lost(None)

    told = []
    for _ in range(4):
        told.append(sum("lost" in inner.told for inner in inners))
        await asyncio.sleep(0)

    assert told == [0, TOLD_AT_ONCE, 2 * TOLD_AT_ONCE, 3 * TOLD_AT_ONCE]
    assert len(house.visitors) == 0


def test_a_first_head_must_come_in_time(house: House) -> None:
    _, pipe = house.come()

    cuts = [house.look(at_s).late for at_s in (1, 9.9, 10)]

    assert cuts == [0, 0, 1]
    assert pipe.is_cut
    assert len(house.visitors) == 0


async def test_an_idle_connection_is_late_only_once_it_has_begun_to_ask(
    house: House,
) -> None:
    visitor, pipe = house.come()
    await house.ask(visitor)

    quiet = house.look(25).late
    visitor.data_received(b"G")
    visitor.data_received(b"E")
    cuts = [house.look(at_s).late for at_s in (34.9, 35)]

    assert quiet == 0
    assert cuts == [0, 1]
    assert pipe.is_cut


async def test_a_request_under_way_is_never_late(house: House) -> None:
    visitor, pipe = house.come()
    looks: list[Cut] = []

    def drip() -> None:
        visitor.data_received(b"body")
        looks.append(house.look(100))

    await house.ask(visitor, during=drip)

    assert looks == [Cut()]
    assert not pipe.is_cut


def test_one_that_is_closed_and_not_yet_told_is_cut_without_an_error(
    house: House,
) -> None:
    visitor, _ = house.come()
    visitor.transport = pipe = ClosedPipe()
    house.now_s = 10.0

    assert house.visitors.look() == Cut(late=1)
    assert pipe.is_cut


def test_a_reader_that_takes_nothing_is_cut(house: House) -> None:
    visitor, pipe = house.come()
    visitor.head_since_s = None
    pipe.waiting = 100

    cuts = [house.look(at_s).slow for at_s in (0, 29.9, 30)]

    assert cuts == [0, 0, 1]
    assert pipe.is_cut


@pytest.mark.parametrize(("rate", "cuts"), [(99, 1), (100, 0)])
def test_a_reader_must_take_the_least_rate(house: House, rate: int, cuts: int) -> None:
    visitor, pipe = house.come()
    visitor.head_since_s = None
    looks = []
    for second in range(31):
        pipe.waiting = 1_000_000 - second * rate
        looks.append(house.look(second).slow)

    assert sum(looks) == cuts


def test_a_new_answer_is_measured_anew(house: House) -> None:
    visitor, pipe = house.come()
    visitor.head_since_s = None
    looks = []
    for at_s, waiting in [(0, 500), (20, 0), (31, 500), (40, 900), (69, 900)]:
        pipe.waiting = waiting
        looks.append(house.look(at_s).slow)

    assert looks == [0] * 5


def test_the_longest_idle_makes_room(house: House) -> None:
    _, first = house.come(1)
    _, second = house.come(2)

    before = house.visitors.idle_since_s()
    assert house.visitors.close_idle()

    assert (before, first.is_cut, second.is_cut) == (1, True, False)
    assert len(house.visitors) == 1


async def test_who_was_answered_is_idle_from_then_on(house: House) -> None:
    visitor, first = house.come(1)
    _, second = house.come(2)
    house.now_s = 3
    await house.ask(visitor)

    assert house.visitors.close_idle()

    assert (first.is_cut, second.is_cut) == (False, True)
    assert house.visitors.idle_since_s() == 3


async def test_who_is_being_answered_is_never_closed_for_another(house: House) -> None:
    visitor, pipe = house.come()
    made: list[bool] = []

    await house.ask(visitor, during=lambda: made.append(house.visitors.close_idle()))
    pipe.waiting = 1
    made.append(house.visitors.close_idle())

    assert made == [False, False]
    assert house.visitors.idle_since_s() is None
    assert not pipe.is_cut


async def test_who_left_during_a_request_is_not_idle_after_it(house: House) -> None:
    visitor, _ = house.come()

    await house.ask(visitor, during=lambda: visitor.connection_lost(None))

    assert house.visitors.idle_since_s() is None


async def test_a_request_of_nobody_we_know_is_answered(house: House) -> None:
    stranger = house.visitors.welcome(Inner())

    await house.ask(stranger)

    assert len(house.visitors) == 0
