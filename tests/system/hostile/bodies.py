"""Bodies, batches, tokens, keys, queries and encodings that must change nothing."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

from tallystick_merkle.exchange.appending import MAX_BATCH, MAX_BATCH_BYTES
from tests.system.hostile.attack import CUT, Case, case

BOMB = 64 * 1024 * 1024
"""Bytes that a bomb would unpack to."""

_HELLO = b"Content-Length: 5\r\n\r\nhello"
_CLOSE = b"Connection: close\r\n"


def encodings(post: bytes) -> Iterator[Case]:
    """Give bombs in every encoding: refused unopened. `post` begins a POST."""
    zeros = zlib.compress(b"\0" * BOMB, 9)
    bombs = {
        b"gzip": gzip.compress(b"\0" * BOMB, 9),
        b"x-gzip": gzip.compress(b"\0" * BOMB, 9),
        b"deflate": zeros,
        b"br": b"\x5b\xff\xff\xff\x60" + b"\0" * 100,
        b"zstd": b"\x28\xb5\x2f\xfd" + b"\0" * 100,
        b"compress": b"\x1f\x9d" + b"\0" * 100,
        b"gzip, gzip": gzip.compress(gzip.compress(b"\0" * BOMB, 9)),
        b"gzip, identity": gzip.compress(b"hello"),
        b"GZIP": gzip.compress(b"hello"),
        b" gzip ": gzip.compress(b"hello"),
        b"\tdeflate": zlib.compress(b"hello"),
        b"unknown": b"hello",
    }
    for name, body in bombs.items():
        head = b"Content-Encoding: " + name + b"\r\n" + _CLOSE
        whole = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        yield case(f"encoding {name!r}", post + whole, 415)
        sized = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + sized
        yield case(f"encoding {name!r} in chunks", post + chunked, 415)
    twice = b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n" + _CLOSE
    yield case("encoding twice", post + twice + _HELLO, 415)


def sizes(post: bytes, batch: bytes) -> Iterator[Case]:
    """Give bodies that are too long, or say so. `batch` begins a POST of a batch."""
    for name, begin, most in (
        ("entry", post, 65_535),
        ("batch", batch, MAX_BATCH_BYTES),
    ):
        for length in (most + 1, 10**9, 10**12, 2**63 - 1):
            head = begin + b"Content-Length: %d\r\n\r\n" % length
            yield case(f"{name} of {length}", head, 413)
            expects = begin + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
            yield case(f"{name} of {length}, asked", expects % length, 413)
        chunk = b"100000\r\n" + b"\0" * 0x100000 + b"\r\n"
        data = begin + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 9
        yield case(f"{name} of 9 MiB in chunks", data + b"0\r\n\r\n", 413, CUT)
        small = b"1\r\nx\r\n" * (most + 1) if most < 2**20 else b""
        data = begin + b"Transfer-Encoding: chunked\r\n\r\n" + small + b"0\r\n\r\n"
        yield case(f"{name} in chunks of one byte", data, 400, 413, CUT)
        yield case(f"empty {name}", begin + b"Content-Length: 0\r\n\r\n", 400)
        yield case(f"{name} without a length", begin + b"\r\n", 400)


def expectations(post: bytes) -> Iterator[Case]:
    """Give abuses of Expect, and of the range headers of a request with a body."""
    for word in (b"200-ok", b"100-continue, 100-continue", b"", b"x" * 4000):
        data = post + b"Expect: " + word + b"\r\nContent-Length: 0\r\n\r\n"
        yield case(f"expect {word[:20]!r}", data, 400, 408, 417)
    twice = b"Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    yield case("expect twice, and nothing comes", post + twice, 408)
    old = post.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    asked = b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    yield case("expect over HTTP/1.0", old + asked, 408)


def batches(batch: bytes) -> Iterator[Case]:
    """Give batches whose framing is wrong."""
    one = b"\0\x05hello"
    bodies = {
        "a length over the end": b"\0\x06hello",
        "a length of all ones": b"\xff\xffhello",
        "half a length": one + b"\0",
        "a length alone": one + b"\0\x01",
        "trailing bytes": one + b"x",
        "no entry": b"",
        "one byte": b"\0",
        "10,001 entries": b"\0\x01x" * (MAX_BATCH + 1),
        "10,001 empty entries": b"\0\0" * (MAX_BATCH + 1),
        "a million empty entries": b"\0\0" * 1_000_000,
        "little endian": b"\x05\0hello",
        "text": b'["hello"]',
        "gzip": gzip.compress(one),
    }
    for name, body in bodies.items():
        data = batch + b"Content-Length: %d\r\n\r\n" % len(body) + body
        yield case(f"batch: {name}", data, 400)
    types = (b"application/json", b"text/plain", b"application/octet-stream;x=y", b"",
             b"multipart/form-data; boundary=x", b"x" * 4000)  # fmt: skip
    for kind in types:
        head = batch + b"Content-Type: " + kind + b"\r\nContent-Length: 7\r\n\r\n"
        yield case(f"batch of type {kind[:20]!r}", head + one, 415)


def tokens(path: str, token: str) -> Iterator[Case]:
    """Give everything that is not a token; one answer for all of them."""
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    values = {
        "none": "", "a wrong one": wrong, "half": token[:10], "twice": token + token,
        "with a space": token[:9] + " " + token[9:], "in capitals": token.upper(),
        "of odd letters": "tällystick", "of a snowman": "☃" * 40, "8 kB": "a" * 8000,
        "of nothing but points": "." * 100, "a path": "../../keys", "JSON": '{"a":1}',
        "JWT": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "a wildcard": "*", "nul": "null",
    }  # fmt: skip
    begin = f"POST {path} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\n".encode()
    begin += _CLOSE
    for name, value in values.items():
        for scheme in ("Bearer ", "Basic ", "Token ", "", "Bearer  ", "Bearer\t"):
            line = f"Authorization: {scheme}{value}\r\n".encode()
            yield case(f"token {name} after {scheme!r}", begin + line + _HELLO, 401)
    good = f"Authorization: Bearer {token}\r\n".encode()
    both = begin + good.replace(token.encode(), wrong.encode()) + good
    yield case("a wrong token before a good one", both + _HELLO, 400, 401)
    yield case(
        "bytes that are no text", begin + b"Authorization: \xff\xfe\r\n" + _HELLO, 401
    )
    asked = begin.replace(b" HTTP", f"?token={token} HTTP".encode(), 1)
    yield case("a token in the query", asked + _HELLO, 400, 401)
    cookie = begin + f"Cookie: token={token}\r\n".encode()
    yield case("a token in a cookie", cookie + _HELLO, 401)


def keys(path: str, token: str) -> Iterator[Case]:
    """Give idempotency keys that are none."""
    begin = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    values = ["", " ", "a b", "a\tb", "ä", "\x7f", "☃", "k" * 257, "k" * 8000, "a, b c"]
    yield case("no key", begin.encode() + _CLOSE + _HELLO, 400)
    for value in values:
        line = f"Idempotency-Key: {value}\r\n".encode()
        data = begin.encode() + line + _CLOSE + _HELLO
        yield case(f"key {value[:20]!r} of {len(value)}", data, 400)
    twice = b"Idempotency-Key: a\r\nIdempotency-Key: a\r\n"
    yield case("two keys", begin.encode() + twice + _CLOSE + _HELLO, 400)
    odd = b"Idempotency-Key: \xff\xfe\r\n"
    yield case("a key that is no text", begin.encode() + odd + _CLOSE + _HELLO, 400)


_ODD_NUMBERS = (
    "", "-1", "+1", "01", "1.0", "1e0", "0x1", "1_0", "%31", "٣", "%D9%A3", "１", "a",
    "9" * 30, "18446744073709551616", "1%00", "1%20", "1;2", "NaN", "1" * 500,
)  # fmt: skip


def queries(api: str) -> Iterator[Case]:
    """Give queries that are spelt in another way, or hold too much."""
    wholes = (
        "?leaf=1&leaf=1&size=2", "?leaf=1&size=2&size=2", "?leaf=1&size=2&x=y",
        "?leaf=1;size=2", "?leaf=1&&size=2", "?leaf=1&size=2&", "?&leaf=1&size=2",
        "?leaf&size=2", "?leaf=1=1&size=2", "?%6Ceaf=1&size=2", "?Leaf=1&size=2",
        "?leaf[]=1&size=2", "?leaf=1&size=2#x", "?leaf=+1&size=2", "?leaf=1+&size=2",
        "?" + "&".join(f"a{number}=1" for number in range(5_00)), "?" + "&" * 600,
        "?leaf=1&size=2\\r\\nX: y", "?leaf=<script>", "?leaf=' OR 1=1&size=2",
    )  # fmt: skip
    for path in ("proof/inclusion", "proof/consistency", "receipts/0"):
        for whole in wholes:
            yield _get(f"{api}/{path}{whole}", 400, 404, 422)
    for number in _ODD_NUMBERS:
        yield _get(f"{api}/proof/inclusion?leaf={number}&size=2", 400, 404, 422)
        yield _get(f"{api}/proof/consistency?old=1&new={number}", 400, 404, 422)
        yield _get(f"{api}/receipts/{number}", 400, 404, 422)


def waits(post: bytes) -> Iterator[Case]:
    """Give waits that are none; `post` begins a POST whose path has no query."""
    for query in (
        "wait=", "wait=x", "wait=durable&wait=durable", "wait=witnessed&timeout=0",
        "wait=witnessed&timeout=-1", "wait=witnessed&timeout=1e9", "timeout=5",
        "wait=witnessed&timeout=%31", "wait=witnessed&timeout=" + "9" * 400, "x=y",
        "wait=witnessed+", "wait=Witnessed", "WAIT=durable", "wait=durable;x",
    ):  # fmt: skip
        asked = post.replace(b" HTTP", f"?{query} HTTP".encode(), 1)
        yield case(f"query {query[:40]}", asked + _CLOSE + _HELLO, 400)


def ranges(path: str) -> Iterator[Case]:
    """Give ranges and conditions: none is known, so each gets the whole, or a 304."""
    lines = (
        "Range: bytes=0-0", "Range: bytes=-1", "Range: bytes=9-1",
        "Range: bytes=" + "0-," * 1000, "Range: bytes=0-" + "9" * 99,
        "If-None-Match: *", "If-None-Match: " + '"x",' * 1000, "If-Range: x",
        "If-Modified-Since: nonsense", "If-Match: x",
        "Accept-Encoding: " + "gzip," * 900,
        "Accept-Encoding: gzip;q=" + "9" * 400, "Accept-Encoding: *;q=0",
        "Accept-Encoding: \x7f", "X-Request-ID: " + "x" * 5000, "X-Request-ID: a\tb",
        "Content-Length: 5",
    )  # fmt: skip
    for line in lines:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{line}\r\n\r\n"
        yield case(f"{path} with {line[:40]}", head.encode(), 200, 304, 400, 408)


def _get(path: str, *statuses: int) -> Case:
    data = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    return case(f"GET {path[:60]}", data, *statuses)
