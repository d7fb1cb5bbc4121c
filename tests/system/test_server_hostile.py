"""Hostile requests over raw sockets: refused, cut in time, and never a way in."""

from __future__ import annotations

import gzip
import select
from collections.abc import Iterator

import pytest

from tallystick_merkle.exchange.appending import MAX_BATCH_BYTES, append_batch
from tests.system.drive import drive
from tests.system.one_log import API, READ, OneLog, read_all, read_answer, statuses

pytestmark = [pytest.mark.system, pytest.mark.slow]

ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneLog]:
    """A server that is short of patience."""
    lines = ("keepalive_s = 0.5", "body_timeout_s = 0.5", "write_timeout_s = 1.0")
    with OneLog(tmp_path_factory.mktemp("hostile"), *lines) as one:
        one.start()
        entries = [bytes([number]) * 60_000 for number in range(64)]
        for number in range(4):
            drive(
                append_batch(
                    one.address, entries, policy=one.policy, key=f"fill-{number}"
                )
            )
        yield one


@pytest.fixture
def size(served: OneLog) -> Iterator[int]:
    """Whatever is said to the server, the log does not grow and the process lives."""
    before = served.size()
    yield before
    assert served.size() == before
    assert served.daemon is not None
    assert served.daemon.is_alive


def heads() -> dict[str, bytes]:
    """Endings of a request head that must never be taken for a request."""
    body = b"5\r\nhello\r\n0\r\n\r\n"
    both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    return {
        "length and chunks": both + body + SMUGGLED,
        "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
        + body
        + SMUGGLED,
        "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "a list of lengths": b"Content-Length: 5, 5\r\n\r\nhello",
        "a signed length": b"Content-Length: +5\r\n\r\nhello",
        "a negative length": b"Content-Length: -5\r\n\r\nhello",
        "a length in hex": b"Content-Length: 0x5\r\n\r\nhello",
        "a length with a point": b"Content-Length: 5.0\r\n\r\nhello",
        "a length of thirty digits": b"Content-Length: " + b"9" * 30 + b"\r\n\r\nhello",
        "an empty length": b"Content-Length: \r\n\r\nhello",
        "another coding": b"Transfer-Encoding: xchunked\r\n\r\n" + body,
        "gzip and chunks": b"Transfer-Encoding: gzip, chunked\r\n\r\n" + body,
        "chunks twice": b"Transfer-Encoding: chunked\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + body,
        "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n" + body,
        "a tab before the colon": b"Content-Length\t: 5\r\n\r\nhello",
        "a folded line": b"X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
        "bare line feeds": b"X: a\nContent-Length: 5\n\nhello",
        "a bare return": b"X: a\rContent-Length: 5\r\n\r\nhello",
        "a header without a name": b": x\r\nContent-Length: 5\r\n\r\nhello",
        "a header without a colon": b"nonsense\r\nContent-Length: 5\r\n\r\nhello",
        "a zero byte": b"X: a\0b\r\nContent-Length: 5\r\n\r\nhello",
        "a chunk size in a word": b"Transfer-Encoding: chunked\r\n\r\nfive\r\nhello",
        "a negative chunk": b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        "a chunk without its end": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX"
        b"0\r\n\r\n",
        "a chunk of 2^64": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nx",
        "too many headers": b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n",
        "a long header": b"X: " + b"y" * 70_000 + b"\r\n\r\n",
    }


@pytest.mark.parametrize("name", heads())
def test_a_request_with_a_doubtful_head_is_refused_and_nothing_follows(
    served: OneLog, size: int, name: str
) -> None:
    said = served.say(served.post(key="hostile") + heads()[name])

    assert statuses(said) in ([400], [408], [415], [])
    assert b"tally_" not in said


@pytest.mark.parametrize(
    "line",
    [
        b"GET /livez HTTP/9.9",
        b"GET /livez HTTP/1.1 x",
        b"GET /li vez HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"G\xc3\x84T / HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1",
        b"",
    ],
    ids=lambda line: repr(line[:24]),
)
def test_a_request_line_that_is_none_is_refused(
    served: OneLog, size: int, line: bytes
) -> None:
    said = served.say(line + b"\r\nHost: x\r\n\r\n")

    assert statuses(said) in ([400], [404], [])


def test_no_doubtful_request_was_an_error_of_ours(served: OneLog) -> None:
    levels = {line["level"] for line in served.logged()}

    assert levels <= {"info", "warning"}


def test_pipelined_requests_are_answered_in_order(served: OneLog, size: int) -> None:
    said = served.say(ASK + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" + ASK + LAST)

    assert statuses(said) == [200, 404, 200, 200]


@pytest.mark.parametrize(
    "begun", [b"", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["idle", "half"]
)
def test_a_connection_that_never_asks_is_closed_in_time(
    served: OneLog, size: int, begun: bytes
) -> None:
    assert served.say(begun) == b""


def test_a_head_that_only_drips_is_cut_in_time(served: OneLog, size: int) -> None:
    with served.connected() as link:
        link.sendall(b"GET /livez HTTP/1.1\r\n")
        drops = 0
        while not select.select([link], [], [], 0.05)[0]:
            link.sendall(b"X: y\r\n")
            drops += 1

        assert read_all(link) == b""
    assert drops > 1


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 100\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
    ids=["length", "no chunk", "a chunk"],
)
def test_a_body_that_does_not_come_is_given_up_in_time(
    served: OneLog, size: int, head: bytes
) -> None:
    said = served.say(served.post() + head)

    assert statuses(said) == [408]
    assert b"problems/timed-out" in said


@pytest.mark.parametrize("path", ["entries", "entries:batch"])
def test_a_huge_length_is_refused_before_its_body(
    served: OneLog, size: int, path: str
) -> None:
    said = served.say(
        served.post(f"{API}/{path}") + b"Content-Length: 1000000000000\r\n\r\n"
    )

    assert statuses(said) == [413]


def test_a_batch_of_one_byte_too_many_is_refused(served: OneLog, size: int) -> None:
    length = MAX_BATCH_BYTES + 1
    head = served.post(f"{API}/entries:batch") + b"Content-Length: %d\r\n\r\n" % length
    with served.connected() as link:
        link.sendall(head + b"\0" * 100_000)
        said = read_all(link)

    assert statuses(said) == [413]


def test_a_chunked_batch_of_one_byte_too_many_is_refused(
    served: OneLog, size: int
) -> None:
    chunk = b"100000\r\n" + b"\0" * 0x100000 + b"\r\n"
    head = served.post(f"{API}/entries:batch") + b"Transfer-Encoding: chunked\r\n\r\n"

    said = served.say(head + chunk * 8 + b"1\r\n\0\r\n0\r\n\r\n")

    assert statuses(said) == [413]


def test_a_compressed_body_is_refused_unopened(served: OneLog, size: int) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000, 9)
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)

    said = served.say(served.post() + head + bomb)

    assert statuses(said) == [415]


def test_a_body_is_asked_for_only_if_it_could_be_taken(
    served: OneLog, size: int
) -> None:
    expects = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    asked = served.say(served.post() + expects % 3)
    refused = served.say(served.post() + expects % 10**9)

    assert statuses(asked) == [100, 408]
    assert statuses(refused) == [413]


def test_an_expected_body_is_taken(served: OneLog) -> None:
    with served.connected() as link:
        link.sendall(
            served.post(key="expected")
            + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert link.recv(100).startswith(b"HTTP/1.1 100")
        link.sendall(b"hello")
        status, _ = read_answer(link)

    assert status == 201


def test_a_client_that_takes_nothing_of_its_answers_is_cut(
    served: OneLog, size: int
) -> None:
    bundle = f"GET {READ}/tile/entries/000 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with served.connected() as link:
        link.sendall(bundle * 8)
        poll = select.poll()
        poll.register(link, 0)  # wakes on a reset alone
        woken = poll.poll(30_000)

    assert woken
    assert any(line["event"] == "stalled connections cut" for line in served.logged())
