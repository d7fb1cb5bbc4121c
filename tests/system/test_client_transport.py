"""Both transports against a peer on loopback that plays by the rules, or does not."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tallystick_client.aiohttp_transport import AiohttpTransport
from tallystick_client.urllib3_transport import Urllib3Transport
from tallystick_merkle.exchange.base import Failure, Reply, Request, Response
from tests.system.loopback import Asked, Loopback, answer

pytestmark = pytest.mark.system

Perform = Callable[..., tuple[Reply, ...]]

BOMB = gzip.compress(bytes(50_000_000), 9)


WHOLE = {
    "/plain": answer(b"hello", "X-Kind: Plain", "Set-Cookie: a=b"),
    "/gzip": answer(gzip.compress(b"hello"), "Content-Encoding: gzip"),
    "/bomb": answer(BOMB, "Content-Encoding: gzip"),
    "/brotli": answer(b"hello", "Content-Encoding: br"),
    "/redirect": answer(b"", "Location: /plain", status="302 Found"),
    "/long": answer(b"x" * 1000),
    "/chunked": b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    + 10 * (b"64\r\n" + b"x" * 100 + b"\r\n")
    + b"0\r\n\r\n",
    "/short": answer(b"hello", length=100),
    "/teapot": answer(b"no", status="418 Teapot"),
    "/rubbish": b"rubbish\r\n\r\n",
    "/nothing": b"",
}


async def play(asked: Asked) -> AsyncIterator[bytes]:
    """Answer by the path."""
    if asked.path == "/echo":
        yield answer(asked.body)
    elif asked.path == "/slow-body":
        yield answer(b"x", length=10**6)
        async for piece in drip(b"x"):
            yield piece
    elif asked.path == "/slow-head":
        yield b"HTTP/1.1 200 OK\r\n"
        async for piece in drip(b"X-More: y\r\n"):
            yield piece
    else:
        yield WHOLE[asked.path]


async def drip(piece: bytes) -> AsyncIterator[bytes]:
    """Give a little now and then, for ever."""
    while True:
        yield piece
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def peer() -> Iterator[Loopback]:
    with Loopback(play) as peer:
        yield peer


def perform_blocking(*requests: Request) -> tuple[Reply, ...]:
    transport = Urllib3Transport()
    try:
        return transport.perform(requests)
    finally:
        transport.close()


def perform_aio(*requests: Request) -> tuple[Reply, ...]:
    async def run() -> tuple[Reply, ...]:
        transport = AiohttpTransport()
        try:
            return await transport.perform(requests)
        finally:
            await transport.close()

    return asyncio.run(run())


@pytest.fixture(params=[perform_blocking, perform_aio], ids=["urllib3", "aiohttp"])
def perform(request: pytest.FixtureRequest) -> Perform:
    chosen: Perform = request.param
    return chosen


def get(
    peer: Loopback, path: str, *, limit: int = 1000, timeout_s: float = 10.0
) -> Request:
    return Request("GET", peer.url + path, limit=limit, timeout_s=timeout_s)


@pytest.mark.parametrize("path", ["/plain", "/gzip"])
def test_an_answer_comes_decoded_with_lower_case_headers(
    perform: Perform, peer: Loopback, path: str
) -> None:
    (reply,) = perform(get(peer, path))

    assert isinstance(reply, Response)
    assert (reply.status, reply.body) == (200, b"hello")
    assert "content-length" in reply.headers


def test_an_answer_that_says_no_is_an_answer(perform: Perform, peer: Loopback) -> None:
    (reply,) = perform(get(peer, "/teapot"))

    assert isinstance(reply, Response)
    assert reply.status == 418


def test_requests_of_one_step_are_answered_in_order(
    perform: Perform, peer: Loopback
) -> None:
    requests = [
        Request("POST", f"{peer.url}/echo", b"%d" % number) for number in range(20)
    ]

    replies = perform(*requests)

    bodies = [reply.body for reply in replies if isinstance(reply, Response)]
    assert bodies == [b"%d" % number for number in range(20)]


def test_a_request_carries_its_body_and_headers(
    perform: Perform, peer: Loopback
) -> None:
    headers = {"Authorization": "Bearer x", "Idempotency-Key": "k"}

    perform(Request("POST", f"{peer.url}/echo", b"entry", headers))

    asked = peer.asked[-1]
    assert (asked.method, asked.body) == ("POST", b"entry")
    assert asked.headers["Authorization"] == "Bearer x"
    assert asked.headers["Accept-Encoding"] == "gzip, identity"
    assert asked.headers["User-Agent"].startswith("tallystick/")


def test_no_cookie_is_kept(peer: Loopback) -> None:
    transport = Urllib3Transport()
    transport.perform((get(peer, "/plain"),))
    transport.perform((get(peer, "/plain"),))
    transport.close()

    async def twice() -> None:
        aio = AiohttpTransport()
        await aio.perform((get(peer, "/plain"),))
        await aio.perform((get(peer, "/plain"),))
        await aio.close()

    asyncio.run(twice())

    assert all("Cookie" not in asked.headers for asked in peer.asked)


def test_a_redirect_is_not_followed(perform: Perform, peer: Loopback) -> None:
    seen = len(peer.asked)

    (reply,) = perform(get(peer, "/redirect"))

    assert isinstance(reply, Response)
    assert reply.status == 302
    assert [asked.path for asked in peer.asked[seen:]] == ["/redirect"]


@pytest.mark.parametrize("path", ["/long", "/chunked"])
def test_a_body_is_read_up_to_its_limit(
    perform: Perform, peer: Loopback, path: str
) -> None:
    whole, over = perform(get(peer, path, limit=1000), get(peer, path, limit=999))

    assert isinstance(whole, Response)
    assert whole.body == b"x" * 1000
    assert over == Failure("a body of more than 999 bytes")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/bomb", "a body of more than 1000 bytes"),
        ("/brotli", "content encoding 'br', expected gzip or none"),
    ],
)
def test_a_body_that_is_not_taken_is_a_failure(
    perform: Perform, peer: Loopback, path: str, reason: str
) -> None:
    assert perform(get(peer, path)) == (Failure(reason),)


@pytest.mark.parametrize("path", ["/short", "/rubbish", "/nothing"])
def test_an_answer_that_breaks_off_is_a_failure(
    perform: Perform, peer: Loopback, path: str
) -> None:
    (reply,) = perform(get(peer, path))

    assert isinstance(reply, Failure)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/slow-body", "/slow-head"])
def test_an_answer_that_only_drips_is_cut_off(
    perform: Perform, peer: Loopback, path: str
) -> None:
    (reply,) = perform(get(peer, path, limit=10**6, timeout_s=0.3))

    assert isinstance(reply, Failure)


def test_a_port_where_nobody_listens_is_a_failure(perform: Perform) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    (reply,) = perform(Request("GET", f"http://127.0.0.1:{port}/", timeout_s=5.0))

    assert reply == Failure("connection refused: nobody listens there")


def test_a_transport_may_be_used_again_after_a_failure(peer: Loopback) -> None:
    transport = Urllib3Transport()

    replies = [
        *transport.perform((get(peer, "/bomb"),)),
        *transport.perform((get(peer, "/plain"),)),
    ]
    transport.close()

    assert [type(reply) for reply in replies] == [Failure, Response]
