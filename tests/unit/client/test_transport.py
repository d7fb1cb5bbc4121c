from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_client.transport import (
    Body,
    BodyError,
    ClientExchange,
    describe_failure,
    drive,
    drive_async,
    on_disk,
    request_headers,
)
from tallystick_merkle.exchange.base import Failure, Pause, Reply, Request

ASK = Request("GET", "http://log.example/x")


class Echo:
    """Answers each request with a failure that names its URL."""

    def perform(self, requests: tuple[Request, ...]) -> tuple[Reply, ...]:
        return tuple(Failure(request.url) for request in requests)

    def close(self) -> None:
        pass


class AsyncEcho:
    async def perform(self, requests: tuple[Request, ...]) -> tuple[Reply, ...]:
        return tuple(Failure(request.url) for request in requests)

    async def close(self) -> None:
        pass


def story(done: list[str]) -> ClientExchange[str]:
    """Ask, pause and work on the disk; note what came, and the end."""
    try:
        replies = yield (ASK,)
        done.append(str(replies))
        yield Pause(1.0, 0.5)
        kept = yield from on_disk(lambda: "kept")
        done.append(kept)
        return "end"
    finally:
        done.append("closed")


def both(done: list[str], slept: list[float]) -> Iterator[str]:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    yield drive(story(done), Echo(), sleep=slept.append, random=lambda: 0.5)
    yield asyncio.run(
        drive_async(story(done), AsyncEcho(), sleep=sleep, random=lambda: 0.5)
    )


def feed(body: Body, data: bytes, cuts: list[int]) -> bytes:
    at = 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        body.feed(data[at:cut])
        at = cut
    return body.finish()


def test_both_drivers_answer_pause_and_work_alike() -> None:
    done: list[str] = []
    slept: list[float] = []

    ends = list(both(done, slept))

    assert ends == ["end", "end"]
    assert done[:3] == done[3:] == [str((Failure(ASK.url),)), "kept", "closed"]
    assert slept == [1.25, 1.25]


def test_an_error_of_disk_work_goes_to_the_caller_and_closes_the_exchange() -> None:
    closed: list[str] = []

    def exchange() -> ClientExchange[None]:
        try:
            yield from on_disk(lambda: 1 // 0)
        finally:
            closed.append("closed")

    with pytest.raises(ZeroDivisionError):
        drive(exchange(), Echo(), sleep=print, random=lambda: 0.0)

    assert closed == ["closed"]


@given(st.binary(max_size=2000), st.lists(st.integers(0, 5000), max_size=5))
def test_a_body_is_the_same_however_it_was_cut(data: bytes, cuts: list[int]) -> None:
    plain = feed(Body(encoding="", limit=2000), data, cuts)
    packed = feed(Body(encoding="gzip", limit=2000), gzip.compress(data), cuts)

    assert plain == packed == data


@pytest.mark.parametrize("encoding", ["", "gzip"])
@pytest.mark.parametrize(("length", "is_taken"), [(100, True), (101, False)])
def test_a_body_may_be_as_long_as_its_limit(
    encoding: str, length: int, is_taken: bool
) -> None:
    data = b"x" * length
    wire = gzip.compress(data) if encoding else data
    body = Body(encoding=encoding, limit=100)

    if is_taken:
        assert feed(body, wire, []) == data
    else:
        with pytest.raises(BodyError, match="more than 100 bytes"):
            feed(body, wire, [])


@pytest.mark.slow
def test_a_bomb_costs_no_more_than_its_limit() -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    body = Body(encoding="gzip", limit=64 * 1024)
    tracemalloc.start()

    with pytest.raises(BodyError):
        body.feed(bomb)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


@given(st.binary(max_size=300), st.integers(0, 400))
def test_gzip_that_is_cut_or_damaged_is_our_own_error(data: bytes, at: int) -> None:
    wire = bytearray(gzip.compress(data))
    place = at % len(wire)
    wire[place] ^= 0xFF
    body = Body(encoding="gzip", limit=1000)

    try:
        found = feed(body, bytes(wire), [])
    except BodyError:
        return
    assert found == data  # a changed name or time in the header does no harm


@pytest.mark.parametrize(
    "tail", [b"x", gzip.compress(b"more")], ids=["a byte", "a second body"]
)
def test_bytes_after_a_gzip_body_are_refused(tail: bytes) -> None:
    for cut in ([], [len(gzip.compress(b"data"))]):
        with pytest.raises(BodyError, match="after the end"):
            feed(Body(encoding="gzip", limit=100), gzip.compress(b"data") + tail, cut)


def test_a_gzip_body_that_is_cut_short_is_refused() -> None:
    with pytest.raises(BodyError, match="cut short"):
        feed(Body(encoding="gzip", limit=100), gzip.compress(b"data")[:-1], [])


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip"])
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(BodyError, match="expected gzip or none"):
        Body(encoding=encoding, limit=100)


def test_zlib_without_a_gzip_header_is_refused() -> None:
    with pytest.raises(BodyError, match="damaged"):
        feed(Body(encoding="gzip", limit=100), zlib.compress(b"data"), [])


def test_a_request_says_who_asks_and_what_it_takes() -> None:
    headers = request_headers(Request("GET", "http://x", headers={"X-Own": "1"}))

    assert headers["Accept-Encoding"] == "gzip, identity"
    assert headers["User-Agent"].startswith("tallystick/")
    assert headers["X-Own"] == "1"


def test_a_failure_is_one_short_line() -> None:
    failure = describe_failure(ValueError("first\nsecond\x1b[31m" + "x" * 1000))

    assert failure.reason.isprintable()
    assert len(failure.reason) <= 300


def test_a_failure_without_words_says_its_kind() -> None:
    assert describe_failure(ConnectionResetError()).reason == "ConnectionResetError"
