"""The server's HTTP driver against small, ill-mannered servers on loopback."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tallystick_merkle.exchange.base import (
    Exchange,
    Failure,
    Pause,
    Reply,
    Request,
    Response,
)
from tallystick_server.ops.peers import Peers

pytestmark = pytest.mark.system

LIMIT = 1000

Talk = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers every request on one port as it is told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.url = ""
        self._talk: Talk = self._say(b"HTTP/1.1 204 No Content\r\n\r\n")
        self._server: asyncio.Server | None = None
        self.called = asyncio.Event()
        self._links: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def will_say(self, raw: bytes) -> None:
        """Answer with these bytes, then wait for the next request."""
        self._talk = self._say(raw)

    def will_answer(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        """Answer with a body of known length."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.will_say("\r\n".join([*lines, "", ""]).encode() + body)

    def will_hang(self) -> None:
        """Read the request and never answer."""

        async def hang(
            _head: bytes, reader: asyncio.StreamReader, _out: asyncio.StreamWriter
        ) -> None:
            await reader.read()

        self._talk = hang

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for out in self._links.values():
            out.transport.abort()
        await asyncio.gather(*self._links)
        await self._server.wait_closed()

    @staticmethod
    def _say(raw: bytes) -> Talk:
        async def say(
            _head: bytes, _reader: asyncio.StreamReader, out: asyncio.StreamWriter
        ) -> None:
            out.write(raw)
            await out.drain()

        return say

    async def _serve(
        self, reader: asyncio.StreamReader, out: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._links[task] = out
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head.lower())
                self.called.set()
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.bodies.append(await reader.readexactly(length))
                await self._talk(head, reader, out)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            out.close()
            del self._links[task]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server()
    await running.start()
    yield running
    await running.stop()


class Naps:
    """Sleeps that end at once, and are remembered."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
async def peers(naps: Naps) -> AsyncIterator[Peers]:
    running = Peers(sleep=naps.sleep, jitter=lambda: 0.5)
    yield running
    await running.close()


def once(*requests: Request) -> Exchange[tuple[Reply, ...]]:
    """Make these requests in one step and give the replies."""
    return (yield requests)


async def get(peers: Peers, url: str, *, timeout_s: float = 20.0) -> Reply:
    request = Request("GET", url, limit=LIMIT, timeout_s=timeout_s)
    (reply,) = await peers.drive(once(request))
    return reply


async def test_a_request_arrives_as_it_was_made(peers: Peers, server: Server) -> None:
    server.will_answer(b"yes", "X-Said: It")
    request = Request(
        "POST", f"{server.url}/a/%2e%2e/b", b"body", {"Content-Type": "text/plain"}
    )

    (reply,) = await peers.drive(once(request))

    assert isinstance(reply, Response)
    assert (reply.status, reply.body, reply.headers["x-said"]) == (200, b"yes", "It")
    assert server.bodies == [b"body"]
    lines = server.heads[0].split(b"\r\n")
    assert lines[0] == b"post /a/%2e%2e/b http/1.1"
    assert b"user-agent: tallystick" in lines
    assert b"accept-encoding: gzip, identity" in lines
    assert b"content-type: text/plain" in lines


async def test_a_connection_is_used_again(peers: Peers, server: Server) -> None:
    server.will_answer(b"yes")

    for _ in range(3):
        await get(peers, server.url)

    assert (len(server.heads), server.connections) == (3, 1)


async def test_requests_of_one_step_are_made_at_once(
    peers: Peers, server: Server
) -> None:
    both = asyncio.Barrier(2)

    async def wait_for_the_other(
        head: bytes, _reader: asyncio.StreamReader, out: asyncio.StreamWriter
    ) -> None:
        await both.wait()
        name = head.split(b" ")[1]
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + name)

    server._talk = wait_for_the_other
    requests = [Request("GET", f"{server.url}/{name}") for name in "ab"]

    replies = await peers.drive(once(*requests))

    assert [reply.body for reply in replies if isinstance(reply, Response)] == [
        b"/a",
        b"/b",
    ]


@pytest.mark.parametrize("status", ["301 Moved", "307 Temporary", "404 Not", "503 No"])
async def test_no_redirect_is_followed_and_every_status_is_an_answer(
    peers: Peers, server: Server, status: str
) -> None:
    server.will_answer(b"there", f"Location: {server.url}/other", status=status)

    reply = await get(peers, server.url)

    assert isinstance(reply, Response)
    assert reply.status == int(status[:3])
    assert len(server.heads) == 1


async def test_a_cookie_is_never_sent_back(peers: Peers, server: Server) -> None:
    server.will_answer(b"yes", "Set-Cookie: id=1")

    await get(peers, server.url)
    await get(peers, server.url)

    assert b"cookie" not in server.heads[1]


async def test_a_body_at_its_limit_is_taken(peers: Peers, server: Server) -> None:
    server.will_answer(b"x" * LIMIT)

    reply = await get(peers, server.url)

    assert isinstance(reply, Response)
    assert reply.body == b"x" * LIMIT


async def test_a_body_over_its_limit_is_a_failure(peers: Peers, server: Server) -> None:
    server.will_answer(b"x" * (LIMIT + 1))

    assert await get(peers, server.url) == Failure("body of more than 1000 bytes")


async def test_an_endless_body_is_cut_off(peers: Peers, server: Server) -> None:
    async def never_end(
        _head: bytes, _reader: asyncio.StreamReader, out: asyncio.StreamWriter
    ) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not out.is_closing():
            out.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await out.drain()

    server._talk = never_end

    assert await get(peers, server.url) == Failure("body of more than 1000 bytes")


async def test_gzip_is_decoded(peers: Peers, server: Server) -> None:
    server.will_answer(gzip.compress(b"x" * LIMIT), "Content-Encoding: GZIP")

    reply = await get(peers, server.url)

    assert isinstance(reply, Response)
    assert reply.body == b"x" * LIMIT


async def test_a_small_body_that_decodes_to_a_large_one_is_a_failure(
    peers: Peers, server: Server
) -> None:
    server.will_answer(gzip.compress(b"x" * 10_000_000), "Content-Encoding: gzip")

    assert await get(peers, server.url) == Failure("body of more than 1000 bytes")


async def test_a_large_body_that_decodes_to_nothing_is_a_failure(
    peers: Peers, server: Server
) -> None:
    header, empty_block = gzip.compress(b"")[:10], b"\0\0\0\xff\xff"
    server.will_answer(header + empty_block * 20_000, "Content-Encoding: gzip")

    assert await get(peers, server.url) == Failure("body of more than 1000 bytes")


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"yes")[:-1],
        gzip.compress(b"yes") + b"more",
        gzip.compress(b"yes") + gzip.compress(b"more"),
        b"",
    ],
    ids=["cut short", "more bytes", "a second body", "nothing"],
)
async def test_gzip_that_does_not_end_where_the_body_ends_is_a_failure(
    peers: Peers, server: Server, body: bytes
) -> None:
    server.will_answer(body, "Content-Encoding: gzip")

    reply = await get(peers, server.url)

    assert reply == Failure("gzip body is cut short or goes on after its end")


async def test_a_body_that_is_not_gzip_is_a_failure(
    peers: Peers, server: Server
) -> None:
    server.will_answer(b"plain", "Content-Encoding: gzip")

    reply = await get(peers, server.url)

    assert reply == Failure("body is not gzip, though it says so")


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "x-gzip"])
async def test_any_other_encoding_is_a_failure(
    peers: Peers, server: Server, encoding: str
) -> None:
    server.will_answer(zlib.compress(b"yes"), f"Content-Encoding: {encoding}")

    assert await get(peers, server.url) == Failure(f"body in encoding {encoding!r}")


async def test_a_peer_that_does_not_answer_is_a_failure(
    peers: Peers, server: Server
) -> None:
    server.will_hang()

    reply = await get(peers, server.url, timeout_s=0.05)

    assert reply == Failure("no whole answer within 0.05 s")


async def test_a_peer_that_is_not_there_is_a_failure(
    peers: Peers, server: Server
) -> None:
    await server.stop()

    reply = await get(peers, server.url)

    assert isinstance(reply, Failure)
    assert reply.reason.startswith("cannot connect: ")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_http_is_a_failure(
    peers: Peers, server: Server, raw: bytes
) -> None:
    async def say_and_close(
        _head: bytes, _reader: asyncio.StreamReader, out: asyncio.StreamWriter
    ) -> None:
        out.write(raw)
        out.close()

    server._talk = say_and_close

    assert isinstance(await get(peers, server.url), Failure)


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "http://", "not a url", "http://[::1/", "http://\0/"]
)
async def test_an_address_that_is_none_is_a_failure(peers: Peers, url: str) -> None:
    assert isinstance(await get(peers, url), Failure)


async def test_a_failure_never_repeats_what_a_url_holds(peers: Peers) -> None:
    reply = await get(peers, "ftp://user:secret@127.0.0.1/")

    assert isinstance(reply, Failure)
    assert "secret" not in reply.reason


async def test_a_pause_is_slept_with_its_share_of_jitter(
    peers: Peers, naps: Naps
) -> None:
    def paused() -> Exchange[str]:
        yield Pause(2.0, 3.0)
        return "done"

    assert await peers.drive(paused()) == "done"
    assert naps.seconds == [3.5]


async def test_what_an_exchange_raises_comes_out_of_it(peers: Peers) -> None:
    def fails() -> Exchange[str]:
        yield Pause(0.0, 0.0)
        raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        await peers.drive(fails())


async def test_a_cancelled_exchange_is_closed(peers: Peers, server: Server) -> None:
    server.will_hang()
    closed = asyncio.Event()

    def notices() -> Exchange[None]:
        try:
            yield (Request("GET", server.url),)
        finally:
            closed.set()

    task = asyncio.create_task(peers.drive(notices()))
    await server.called.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert closed.is_set()
