"""Connections: capped in number, and cut when nobody takes what is sent."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web

from tallystick_server.web.app import make_app, make_runner
from tallystick_server.web.connections import CappedSite, StalledReaders
from tests.fakes.web import WebBench, read_reply

ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


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


class Watch:
    """A watch over stalled readers, and its time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.stalled = StalledReaders(30.0, clock_s=lambda: self.now_s)
        self.pipe = Pipe()

    def look(self, at_s: float, waiting: int) -> int:
        self.now_s, self.pipe.waiting = at_s, waiting
        return self.stalled.cut([self.pipe])


def test_a_reader_that_takes_nothing_is_cut_in_time() -> None:
    watch = Watch()

    cuts = [watch.look(at_s, 100) for at_s in (0, 29.9, 30)]

    assert cuts == [0, 0, 1]
    assert watch.pipe.is_cut
    assert watch.look(60, 100) == 0


def test_a_slow_reader_that_takes_something_is_left_alone() -> None:
    watch = Watch()

    cuts = [watch.look(20.0 * step, 1_000 - step) for step in range(20)]

    assert cuts == [0] * 20


def test_a_reader_that_was_done_in_between_starts_anew() -> None:
    watch = Watch()

    cuts = [watch.look(0, 100), watch.look(20, 0), watch.look(31, 100)]

    assert cuts == [0, 0, 0]


def test_closed_connections_are_forgotten() -> None:
    watch = Watch()
    watch.look(0, 100)

    watch.stalled.cut([])

    assert watch.stalled._seen == {}


@pytest.fixture
def door(tmp_path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind(str(tmp_path / "capped"))
    return bound


async def test_a_connection_over_the_cap_is_closed_as_it_comes(
    tmp_path: Path, door: socket.socket
) -> None:
    runner = make_runner(make_app(WebBench(tmp_path).services), shutdown_s=1.0)
    await runner.setup()
    await CappedSite(runner, door, most=2, backlog=5).start()
    path = str(tmp_path / "capped")
    kept = [await asyncio.open_unix_connection(path) for _ in range(2)]
    for reader, writer in kept:
        writer.write(ASK)
        await read_reply(reader)

    reader, writer = await asyncio.open_unix_connection(path)
    refused = await reader.read()
    kept[0][1].write(ASK)
    served = await read_reply(kept[0][0])
    for stream in (writer, kept[0][1], kept[1][1]):
        stream.close()
        await stream.wait_closed()
    await runner.cleanup()

    assert refused == b""
    assert served.status == 200


async def test_a_site_needs_a_runner_that_is_set_up(
    tmp_path: Path, door: socket.socket
) -> None:
    runner = make_runner(web.Application())

    with door, pytest.raises(RuntimeError, match="setup"):
        CappedSite(runner, door, most=2, backlog=5)
