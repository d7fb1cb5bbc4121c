"""A serving witness over HTTP: the protocol's statuses, its pages, hostile bytes."""

from __future__ import annotations

import gzip
import http.client
import random
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tallystick_merkle.cosignature import open_checkpoint, verify_line
from tallystick_merkle.exchange.witness import (
    Conflict,
    Cosigned,
    ask_witness,
    read_witness_head,
)
from tallystick_merkle.keys import format_vkey, parse_vkey
from tallystick_merkle.witnessing import MAX_REQUEST, SIZE_TYPE, parse_size
from tests.system.drive import drive
from tests.system.stack import Daemon, run, run_json
from tests.unit.witness.world import LogTwin, ask

pytestmark = [pytest.mark.system, pytest.mark.slow]

Answer = tuple[int, dict[str, str], bytes]


class Served:
    """A witness with two keys, served by a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "witness"
        made = run_json(
            *("witness", "init", "--data", str(self.data)),
            *("--name", "witness.example/w1", "--type", "both"),
        )
        self.keys = [parse_vkey(vkey) for vkey in made["vkeys"]]
        self.daemon = Daemon(
            ["witness", "serve", "--data", str(self.data), "--listen", "127.0.0.1:0"],
            folder / "errors",
        )

    def follow(self, origin: str) -> LogTwin:
        log = LogTwin(origin)
        vkey = format_vkey(log.vkey)
        run("witness", "add-log", "--data", str(self.data), "--vkey", vkey)
        return log

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        link = http.client.HTTPConnection(self.daemon.listen, timeout=30)
        with closing(link):
            link.request(method, path, body, named)
            answer = link.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()

    def submit(self, body: bytes) -> Answer:
        return self.send("POST", "/add-checkpoint", body)

    def say(self, data: bytes) -> bytes:
        """Send raw bytes on a connection of their own; give what came back."""
        host, port = self.daemon.listen.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as link:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: link.recv(65536), b""))

    def status_line(self, data: bytes) -> bytes:
        """Send the start of a request, and read no more than the status line."""
        host, port = self.daemon.listen.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as link:
            link.sendall(data)
            with link.makefile("rb") as answer:
                return answer.readline()

    def is_well(self) -> bool:
        return self.send("GET", "/readyz")[0] == 200


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    witness = Served(tmp_path_factory.mktemp("witness"))
    yield witness
    code = witness.daemon.stop()
    assert code == 0


def test_the_kernels_own_exchange_is_understood(served: Served) -> None:
    log = served.follow("exchange.example/log")

    def submit(size: int, old: int) -> Cosigned | Conflict:
        return drive(
            ask_witness(
                served.daemon.url,
                checkpoint=log.note(size),
                size=size,
                old=old,
                prove=lambda seen: log.proof(seen, size),
            )
        )

    first, grown, behind = submit(5, 0), submit(13, 0), submit(8, 0)

    assert isinstance(first, Cosigned)
    assert isinstance(grown, Cosigned)
    assert behind == Conflict(13)
    for key, line in zip(served.keys, grown.lines, strict=True):
        verify_line(log.head(13), key, line)


def test_each_row_of_the_table_has_its_status(served: Served) -> None:
    log = served.follow("table.example/log")
    fork = LogTwin("table.example/log", salt=b"fork")
    unsigned = LogTwin("table.example/log").note(8).replace(b"\n8\n", b"\n7\n")

    assert served.submit(b"nonsense")[0] == 400
    assert served.submit(LogTwin("unknown.example").request(0, 8))[0] == 404
    assert served.submit(ask(0, (), unsigned))[0] == 403
    assert served.submit(ask(9, (), log.note(8)))[0] == 400
    assert served.submit(log.request(0, 8))[0] == 200
    assert served.submit(log.request(0, 9))[0] == 409
    assert served.submit(ask(8, (), log.note(9)))[0] == 422
    assert served.submit(ask(8, (), fork.note(8)))[0] == 422
    assert served.submit(log.request(8, 8))[0] == 200


def test_a_conflict_says_the_size_in_its_own_content_type(served: Served) -> None:
    log = served.follow("conflict.example/log")
    served.submit(log.request(0, 8))

    status, headers, body = served.submit(log.request(3, 9))

    assert status == 409
    assert headers["content-type"] == SIZE_TYPE
    assert parse_size(body) == 8


def test_the_monitoring_page_verifies_under_log_and_witness(served: Served) -> None:
    log = served.follow("page.example/log")
    before = served.send("GET", f"/{log.place}/checkpoint")
    served.submit(log.request(0, 8))

    status, headers, body = served.send("GET", f"/{log.place}/checkpoint")

    assert before[0] == 404
    assert (status, headers["cache-control"]) == (200, "no-cache")
    opened = open_checkpoint(body, [log.vkey, *served.keys])
    assert opened.checkpoint == log.head(8)
    assert len(opened.verified) == 3
    assert drive(read_witness_head(served.daemon.url, log.origin)) == body


def test_a_log_is_added_and_removed_while_the_witness_serves(served: Served) -> None:
    log = LogTwin("later.example/log")
    unknown = served.submit(log.request(0, 8))[0]
    served.follow(log.origin)
    known = served.submit(log.request(0, 8))[0]
    run(
        *("witness", "remove-log", "--data", str(served.data)),
        *("--origin", log.origin),
    )
    removed = served.submit(log.request(8, 9))[0]
    shown = served.send("GET", f"/{log.place}/checkpoint")[0]

    assert (unknown, known, removed, shown) == (404, 200, 404, 200)


def test_the_about_page_names_keys_and_prefixes(served: Served) -> None:
    status, headers, body = served.send("GET", "/")

    text = body.decode()
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    assert all(f"vkey {format_vkey(key)}\n" in text for key in served.keys)
    assert f"submission prefix {served.daemon.url}\n" in text
    assert f"monitoring prefix {served.daemon.url}\n" in text


def test_health_is_told(served: Served) -> None:
    assert served.send("GET", "/livez")[::2] == (200, b"ok\n")
    assert served.send("GET", "/readyz")[::2] == (200, b"ok\n")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/add-checkpoint", 405),
        ("PUT", "/add-checkpoint", 405),
        ("POST", "/", 405),
        ("GET", "/nothing", 404),
        ("GET", f"/{'A' * 64}/checkpoint", 404),
        ("GET", f"/{'a' * 63}/checkpoint", 404),
        ("GET", f"/{'a' * 64}/checkpoint/", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/%2e%2e/%00/%ff", 404),
    ],
)
def test_what_is_not_served_is_4xx(
    served: Served, method: str, path: str, status: int
) -> None:
    assert served.send(method, path)[0] == status


def test_a_body_of_128_kib_is_read(served: Served) -> None:
    log = served.follow("large.example/log")
    note = log.note(8)
    stranger = b"\xe2\x80\x94 s%02d " + b"A" * 4 * 400 + b"\n"
    lines = b"".join(stranger % number for number in range(70))
    body = ask(0, (), note + lines)
    assert 100 * 1024 < len(body) <= MAX_REQUEST

    assert served.submit(body)[0] == 200


def test_a_larger_body_is_413_before_it_is_read(served: Served) -> None:
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: %d\r\n\r\n" % (
        MAX_REQUEST + 1
    )

    assert served.status_line(head).startswith(b"HTTP/1.1 413 ")


def test_a_larger_body_in_chunks_is_413(served: Served) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"

    answer = served.status_line(post(CHUNKED, body=chunk * 3))

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
def test_an_encoded_body_is_415_and_not_unpacked(served: Served, coding: str) -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)

    status, _, _ = served.send("POST", "/add-checkpoint", bomb, Content_Encoding=coding)

    assert status == 415
    assert served.is_well()


def post(*fields: bytes, body: bytes = b"") -> bytes:
    """Write a POST request with these header fields."""
    lines = (b"POST /add-checkpoint HTTP/1.1", b"Host: w", *fields, b"", body)
    return b"\r\n".join(lines)


CHUNKED = b"Transfer-Encoding: chunked"
HOSTILE = [
    b"\0" * 100,
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    post(b"Content-Length: -1"),
    post(b"Content-Length: 9e9"),
    post(b"Content-Length: 5", b"Content-Length: 6", body=b"old 0\n"),
    post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    post(CHUNKED, body=b"zz\r\nold\r\n"),
    post(CHUNKED, body=b"5\r\nold 0\r\nffffffffffffffffff\r\n"),
    post(CHUNKED, body=b"5\r\nold 0"),
    post(b"Content-Length: 50", body=b"old 0\n"),
    post(b"Content-Length: 0", b"Expect: nonsense"),
    b"GET /\xff\xfe HTTP/1.1\r\nHost: w\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: w\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: w\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: w\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: w\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: w\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: w\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_no_bytes_on_the_wire_make_a_5xx(served: Served, data: bytes) -> None:
    answer = served.say(data)

    assert not answer.startswith(b"HTTP/1.1 5")
    assert served.is_well()


def test_no_body_makes_a_5xx(served: Served) -> None:
    log = served.follow("bodies.example/log")
    good = log.request(0, 8)
    dice = random.Random(20_231_114)
    link = http.client.HTTPConnection(served.daemon.listen, timeout=30)
    statuses = set()

    with closing(link):
        for _ in range(300):
            body = bytearray(good if dice.random() < 0.7 else dice.randbytes(300))
            for _ in range(dice.randrange(1, 4)):
                place = dice.randrange(len(body))
                body[place : place + dice.randrange(3)] = dice.randbytes(
                    dice.randrange(3)
                )
            link.request("POST", "/add-checkpoint", bytes(body))
            answer = link.getresponse()
            answer.read()
            statuses.add(answer.status)

    assert statuses <= {200, 400, 403, 404, 409, 422}
    assert {400, 403} <= statuses
    assert served.is_well()


def test_errors_are_one_line_of_text(served: Served) -> None:
    status, headers, body = served.submit(b"old \xff\x1b[2J")

    text = body.decode()
    assert status == 400
    assert headers["content-type"].startswith("text/plain")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["server"] == "tallystick"
    assert text.endswith("\n")
    assert text[:-1].isprintable()
