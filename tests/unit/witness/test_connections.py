"""Connections of a witness: capped in number, taken in again after a shortage."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tallystick_witness.app import Face, make_app
from tallystick_witness.connections import CappedSite
from tallystick_witness.desk import Desk
from tallystick_witness.handling import PlainRunner
from tallystick_witness.visitors import Cut, Patience, Visitors
from tests.unit.witness.world import ED_KEY, World

ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = (
    b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Expect: 100-continue\r\n\r\n"
)

Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ShortSocket(socket.socket):
    """A listening socket that has no descriptors to give for a while."""

    fails = 0

    def accept(self) -> tuple[socket.socket, object]:
        if self.fails:
            self.fails -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class FailingVisitors(Visitors):
    """Cannot be looked at for a while."""

    fails = 0

    def look(self) -> Cut:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("planted")
        return super().look()


class Door:
    """A served witness on a Unix socket, with room for two connections."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "capped")
        self.desk = Desk(World(keys=(ED_KEY,)).witness, max_waiting=1)
        app = make_app(Face(self.desk, 30.0, "about\n"))
        self.runner = PlainRunner(app, access_log=None, shutdown_timeout=1.0)
        self.sock = ShortSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(self.path)

    visitors: FailingVisitors

    async def open(self) -> Link:
        return await asyncio.open_unix_connection(self.path)

    async def ask(self, link: Link) -> bytes:
        link[1].write(ASK)
        return await link[0].readuntil(b"\r\n\r\nok\n")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Door]:
    door = Door(folder)
    await door.runner.setup()
    clock_s = asyncio.get_running_loop().time
    door.visitors = FailingVisitors(Patience(), clock_s=clock_s)
    site = CappedSite(door.runner, door.sock, visitors=door.visitors, most=2, backlog=5)
    await site.start()
    try:
        yield door
    finally:
        await site.stop()
        await door.runner.cleanup()
        door.desk.close()


async def test_a_newcomer_takes_the_place_of_who_was_idle_longest(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as door:
        links = [await door.open() for _ in range(2)]
        for link in links:
            await door.ask(link)

        links.append(await door.open())
        newcomer = await door.ask(links[2])
        first = await links[0][0].read()
        second = await door.ask(links[1])
        for _, writer in links:
            writer.close()

    assert newcomer.startswith(b"HTTP/1.1 200 ")
    assert first == b""
    assert second.startswith(b"HTTP/1.1 200 ")


async def test_who_has_only_just_come_has_a_moment_to_ask(tmp_path: Path) -> None:
    """A newcomer waits in the queue meanwhile: it pushes nobody out who will ask."""
    async with opened(tmp_path) as door:
        first, second = [await door.open() for _ in range(2)]
        newcomer = await door.open()
        newcomer[1].write(ASK)
        for _ in range(20):  # the witness is told that somebody has come
            await asyncio.sleep(0)
        asked = [await door.ask(link) for link in (first, second)]
        late = await newcomer[0].readuntil(b"\r\n\r\nok\n")
        for _, writer in (first, second, newcomer):
            writer.close()

    assert all(said.startswith(b"HTTP/1.1 200 ") for said in (*asked, late))


async def test_where_everybody_is_being_answered_a_newcomer_is_refused(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as door:
        busy = [await door.open() for _ in range(2)]
        for reader, writer in busy:
            writer.write(HALF)
            await reader.readuntil(b"100 Continue\r\n\r\n")

        reader, writer = await door.open()
        refused = await reader.read()
        for _, one in (*busy, (reader, writer)):
            one.transport.abort()

    assert refused == b""


@pytest.mark.slow
async def test_a_shortage_of_descriptors_is_told_once_and_gone_through(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as door:
        door.sock.fails = 2
        link = await door.open()
        short = await door.ask(link)
        link[1].close()

    told = [record for record in caplog.records if record.message == "cannot accept"]
    assert short.startswith(b"HTTP/1.1 200 ")
    assert [record.levelno for record in told] == [logging.ERROR]
    assert door.sock.fails == 0


@pytest.mark.slow
async def test_a_look_that_fails_is_told_and_is_not_the_last(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as door:
        door.visitors.fails = 1
        door.sock.fails = 1  # nobody is accepted before the next look
        link = await door.open()
        asked = await door.ask(link)
        link[1].close()

    assert asked
    assert "looking at connections failed" in caplog.messages


async def test_a_site_needs_a_runner_that_is_set_up(tmp_path: Path) -> None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    visitors = Visitors(Patience(), clock_s=asyncio.get_running_loop().time)

    with sock, pytest.raises(RuntimeError, match="setup"):
        CappedSite(
            web.AppRunner(web.Application()),
            sock,
            visitors=visitors,
            most=2,
            backlog=5,
        )
