"""Large answers that nobody takes: counted, bounded, and given up with their client."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tallystick_merkle.tile import ENTRIES, Tile, format_bundle, format_tile_path
from tallystick_server.errors import UnavailableError
from tallystick_server.web.unsent import PRESSED_RATE, PRESSED_S, Unsent
from tests.fakes.logs import NAME
from tests.fakes.web import WebBench

BUNDLE = f"/t/{NAME}/{format_tile_path(Tile(ENTRIES, 0, 41))}"
TILE = f"/t/{NAME}/{format_tile_path(Tile(0, 0, 41))}"


def test_over_the_bound_nothing_more_is_taken_on() -> None:
    unsent = Unsent(100)
    unsent.check()

    with unsent.holding(100), pytest.raises(UnavailableError):
        unsent.check()

    unsent.check()


class Pipe(asyncio.Transport):
    """A transport that holds as many bytes as it is told to."""

    def __init__(self, waiting: int) -> None:
        super().__init__()
        self.waiting = waiting
        self.is_cut = False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def abort(self) -> None:
        self.is_cut = True


def test_who_drips_is_cut_where_others_are_refused() -> None:
    now_s = 0.0
    unsent = Unsent(100, clock_s=lambda: now_s)
    size = 10 * PRESSED_RATE
    drips, reads, young = Pipe(size - 1_000), Pipe(4 * PRESSED_RATE), Pipe(size)

    def refuse() -> list[bool]:
        with pytest.raises(UnavailableError):
            unsent.check()
        return [pipe.is_cut for pipe in (drips, reads, young)]

    with unsent.sending(size, drips) as one, unsent.sending(size, reads) as two:
        one.handed_over = two.handed_over = size
        now_s = PRESSED_S - 1
        at_first = refuse()
        with unsent.sending(size, young):
            now_s = PRESSED_S
            then = refuse()

    assert at_first == [False, False, False]
    assert then == [True, False, False]
    assert unsent.bytes == 0


def test_nobody_is_cut_while_there_is_room() -> None:
    now_s = 0.0
    unsent = Unsent(100, clock_s=lambda: now_s)
    drips = Pipe(99)

    with unsent.sending(99, drips):
        now_s = 1_000.0
        unsent.check()

    assert not drips.is_cut


async def bounded(folder: Path) -> WebBench:
    """A server that takes on no second bundle of its log."""
    bench = WebBench(folder)
    bench.services = replace(bench.services, unsent=Unsent(1_000_000))
    return bench


async def begin(bench: WebBench) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Fill the log, ask for its bundle, and take the first byte of it only."""
    await bench.batch(format_bundle([b"x" * 60_000] * 40))
    reader, writer = await asyncio.open_unix_connection(str(bench.socket), limit=1)
    ask = f"GET {BUNDLE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    writer.write(ask.encode())
    await reader.readexactly(1)
    return reader, writer


async def settled(bench: WebBench) -> None:
    while bench.services.unsent.bytes:  # noqa: ASYNC110 -- the loop's own turns
        await asyncio.sleep(0)


async def test_a_bundle_that_is_not_taken_keeps_others_from_being_read(
    tmp_path: Path,
) -> None:
    async with await bounded(tmp_path) as bench:
        _, writer = await begin(bench)

        plain = await bench.get(BUNDLE)
        packed = await bench.get(BUNDLE, Accept_Encoding="gzip")
        tile = await bench.get(TILE)
        writer.transport.abort()
        await settled(bench)
        after = await bench.get(BUNDLE)

    assert (plain.status, packed.status, tile.status) == (503, 503, 200)
    assert plain.headers["retry-after"] == "1"
    assert after.status == 200


async def test_those_who_ask_at_once_cannot_pass_the_bound_together(
    tmp_path: Path,
) -> None:
    async with await bounded(tmp_path) as bench:
        await bench.batch(format_bundle([b"x" * 60_000] * 40))
        ask = f"GET {BUNDLE} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        path = str(bench.socket)
        links = [await asyncio.open_unix_connection(path, limit=64) for _ in range(6)]
        for _, writer in links:
            writer.write(ask)
        heads = [await reader.readline() for reader, _ in links]
        most = bench.services.unsent.bytes
        for _, writer in links:
            writer.transport.abort()
        await settled(bench)

    assert most < 3_000_000
    assert sorted(heads) == [b"HTTP/1.1 200 OK\r\n"] + (
        [b"HTTP/1.1 503 Service Unavailable\r\n"] * 5
    )


async def test_a_bundle_is_not_read_for_a_client_that_is_gone(tmp_path: Path) -> None:
    async with await bounded(tmp_path) as bench:
        await bench.batch(format_bundle([b"x" * 60_000] * 40))
        reading = bench.services.bundles._reading
        await reading.acquire()
        _, writer = await asyncio.open_unix_connection(str(bench.socket))
        writer.write(f"GET {BUNDLE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while not reading._waiters:  # noqa: ASYNC110
            await asyncio.sleep(0)
        writer.transport.abort()
        assert bench.runner is not None
        assert bench.runner.server is not None
        (connection,) = bench.runner.server.connections
        while connection.transport is not None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        reading.release()
        after = await bench.get(BUNDLE)

    assert after.status == 200


async def test_a_bundle_that_was_taken_counts_no_more(tmp_path: Path) -> None:
    async with await bounded(tmp_path) as bench:
        reader, writer = await begin(bench)
        rest = await reader.read()
        await settled(bench)
        writer.close()

        after = await bench.get(BUNDLE)

    assert rest.endswith(b"x" * 60_000)
    assert after.status == 200
