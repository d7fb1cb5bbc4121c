"""Requests whose framing two readers could understand in two ways, and other heads.

Every case that ends in `SMUGGLED` has one request for a strict reader; a second answer
would mean that the rest was taken for another one.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.system.hostile.attack import CUT, Case, case

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"

REFUSED = (400, 408, 413, 415, CUT)
"""What may come of a request that must not be understood."""

_LENGTHS = {
    "two that differ": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "two that agree": b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "a list": b"Content-Length: 5, 5\r\n",
    "a list with a stranger": b"Content-Length: 5, 6\r\n",
    "a plus": b"Content-Length: +5\r\n",
    "a minus": b"Content-Length: -5\r\n",
    "a minus nought": b"Content-Length: -0\r\n",
    "hex": b"Content-Length: 0x5\r\n",
    "a point": b"Content-Length: 5.0\r\n",
    "an exponent": b"Content-Length: 5e0\r\n",
    "an underscore": b"Content-Length: 0_5\r\n",
    "thirty digits": b"Content-Length: " + b"9" * 30 + b"\r\n",
    "a thousand digits": b"Content-Length: " + b"9" * 1000 + b"\r\n",
    "2^64 + 5": b"Content-Length: 18446744073709551621\r\n",
    "2^32 + 5": b"Content-Length: 4294967301\r\n",
    "2^63": b"Content-Length: 9223372036854775808\r\n",
    "nothing": b"Content-Length: \r\n",
    "a word": b"Content-Length: five\r\n",
    "arabic digits": "Content-Length: ٥\r\n".encode(),
    "fullwidth digits": "Content-Length: ５\r\n".encode(),
    "a space inside": b"Content-Length: 1 5\r\n",
    "a semicolon": b"Content-Length: 5;x=y\r\n",
    "a quote": b'Content-Length: "5"\r\n',
    "a NUL": b"Content-Length: 5\0\r\n",
    "a vertical tab": b"Content-Length: \x0b5\r\n",
    "a space before the colon": b"Content-Length : 5\r\n",
    "a tab before the colon": b"Content-Length\t: 5\r\n",
    "a NUL in the name": b"Content\0-Length: 5\r\n",
    "an underscore in the name": b"Content_Length: 5\r\n",
}

_CODINGS = {
    "another": b"Transfer-Encoding: xchunked\r\n",
    "gzip first": b"Transfer-Encoding: gzip, chunked\r\n",
    "gzip after": b"Transfer-Encoding: chunked, gzip\r\n",
    "identity": b"Transfer-Encoding: identity\r\n",
    "chunked and identity": b"Transfer-Encoding: chunked, identity\r\n",
    "twice in one": b"Transfer-Encoding: chunked, chunked\r\n",
    "twice": CHUNKED + CHUNKED,
    "twice, one unknown": CHUNKED + b"Transfer-Encoding: x\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n",
    "a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "a quote": b'Transfer-Encoding: "chunked"\r\n',
    "a parameter": b"Transfer-Encoding: chunked;q=1\r\n",
    "a NUL after it": b"Transfer-Encoding: chunked\0\r\n",
    "a comma before it": b"Transfer-Encoding: ,chunked\r\n",
    "a kelvin sign": "Transfer-Encoding: chun\u212aed\r\n".encode(),
    "a folded line": b"Transfer-Encoding:\r\n chunked\r\n",
    "a line feed in the name": b"Transfer\n-Encoding: chunked\r\n",
}

_CHUNKS = {
    "a word for a size": b"five\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "a prefixed size": b"0x5\r\nhello\r\n0\r\n\r\n",
    "an underscore in the size": b"0_5\r\nhello\r\n0\r\n\r\n",
    "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "a size of 2^64": b"10000000000000000\r\nx",
    "a size of 2^64 + 5": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a size of 2^63": b"8000000000000000\r\nx",
    "a size of a thousand digits": b"f" * 1000 + b"\r\nx",
    "a chunk without its end": b"5\r\nhelloX0\r\n\r\n",
    "a chunk that is longer": b"4\r\nhello\r\n0\r\n\r\n",
    "a bare line feed after the size": b"5\nhello\r\n0\r\n\r\n",
    "a bare line feed after the chunk": b"5\r\nhello\n0\r\n\r\n",
    "bare line feeds at the end": b"5\r\nhello\r\n0\n\n",
    "a bare return after the size": b"5\rhello\r\n0\r\n\r\n",
    "a NUL in the size": b"5\0\r\nhello\r\n0\r\n\r\n",
    "a huge extension": b"5;" + b"x" * 100_000 + b"\r\nhelloX0\r\n\r\n",
    "an extension with a line feed": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a trailer without a colon": b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
    "a trailer with a NUL": b"5\r\nhello\r\n0\r\nX: a\0\r\n\r\n",
    "a huge trailer": b"5\r\nhello\r\n0\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    "many trailers": b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 2_000 + b"\r\n",
}

_HEADS = {
    "a folded line": b"X: a\r\n b\r\n\r\n",
    "a folded first line": b" X: a\r\n\r\n",
    "bare line feeds": b"X: a\n\n",
    "a bare return": b"X: a\rY: b\r\n\r\n",
    "a bare return at the end": b"X: a\r\n\r",
    "a header without a name": b": x\r\n\r\n",
    "a header without a colon": b"nonsense\r\n\r\n",
    "a NUL in a value": b"X: a\0b\r\n\r\n",
    "a NUL in a name": b"X\0: ab\r\n\r\n",
    "a space in a name": b"X Y: ab\r\n\r\n",
    "a control character": b"X: \x01\r\n\r\n",
    "a delete": b"X: \x7f\r\n\r\n",
    "bytes that are no text": b"X\xff: \xfe\r\n\r\n",
    "129 headers": b"".join(b"X-%d: y\r\n" % n for n in range(129)) + b"\r\n",
    "10,000 headers": b"X: y\r\n" * 10_000 + b"\r\n",
    "a header of 70 kB": b"X: " + b"y" * 70_000 + b"\r\n\r\n",
    "a name of 70 kB": b"X" * 70_000 + b": y\r\n\r\n",
    "a cookie of 70 kB": b"Cookie: " + b"a=b; " * 14_000 + b"\r\n\r\n",
}

_LINES = {
    "another version": b"GET /livez HTTP/9.9",
    "no version of ours": b"GET /livez HTTP/2.0",
    "a version of three digits": b"GET /livez HTTP/1.10",
    "no version": b"GET /livez",
    "HTTP/0.9": b"GET /",
    "a fourth word": b"GET /livez HTTP/1.1 x",
    "a space in the path": b"GET /li vez HTTP/1.1",
    "a tab in the path": b"GET /li\tvez HTTP/1.1",
    "a NUL in the path": b"GET /\x00 HTTP/1.1",
    "a method that is no word": b"G\xc3\x84T / HTTP/1.1",
    "a method in small letters": b"get /livez HTTP/1.1",
    "no method": b" /livez HTTP/1.1",
    "a long method": b"G" * 70_000 + b" / HTTP/1.1",
    "a long path": b"GET /" + b"x" * 70_000 + b" HTTP/1.1",
    "a long query": b"GET /?" + b"x" * 70_000 + b" HTTP/1.1",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM",
    "the hello of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a greeting of SSH": b"SSH-2.0-OpenSSH_9.6",
    "a redis command": b"*1\r\n$4\r\nPING",
    "nothing": b"",
    "ten empty lines": b"\r\n" * 10,
    "a million empty lines": b"\r\n" * 1_000_000,
}


def framing(post: bytes) -> Iterator[Case]:
    """Give cases of framing; `post` begins a POST, all but what tells its length."""
    both = (b"Content-Length: 5\r\n" + CHUNKED, CHUNKED + b"Content-Length: 5\r\n")
    for number, lines in enumerate(both):
        data = post + lines + b"\r\n" + HELLO + SMUGGLED
        yield case(f"length and chunks {number}", data, *REFUSED)
    for name, line in _LENGTHS.items():
        # Unknown to HTTP, an underscore makes another header: then there is no body.
        yield case(f"length: {name}", post + line + b"\r\nhello" + SMUGGLED, *REFUSED)
    for name, line in _CODINGS.items():
        yield case(
            f"coding: {name}", post + line + b"\r\n" + HELLO + SMUGGLED, *REFUSED
        )
    for name, body in _CHUNKS.items():
        data = post + CHUNKED + b"\r\n" + body + SMUGGLED
        yield case(f"chunks: {name}", data, *REFUSED)


def heads() -> Iterator[Case]:
    """Give request lines and header blocks that are none, or too much."""
    for name, block in _HEADS.items():
        data = b"GET /livez HTTP/1.1\r\nHost: x\r\n" + block
        yield case(f"head: {name}", data, 400, 408, 431, CUT)
    for name, line in _LINES.items():
        data = line + b"\r\nHost: x\r\n\r\n"
        yield case(f"line: {name}", data, 400, 404, 405, 414, 431, CUT)
    host = b"GET /livez HTTP/1.1\r\nConnection: close\r\n"
    yield case("no host", host + b"\r\n", 200, 400)
    yield case("two hosts", host + b"Host: a\r\nHost: b\r\n\r\n", 200, 400)
    yield case("a host that is none", host + b"Host: /\\\0\r\n\r\n", 400)
    yield case("an odd host", host + b"Host: http://[::1]:99999/\r\n\r\n", 200, 400)
    absolute = b"GET http://other.example/livez HTTP/1.1\r\nHost: x\r\n"
    yield case("absolute form", absolute + b"Connection: close\r\n\r\n", 200, 400, 404)
    upgrade = b"Connection: Upgrade, close\r\nUpgrade: "
    for word in (b"websocket", b"h2c", b"TLS/1.0"):
        data = b"GET /livez HTTP/1.1\r\nHost: x\r\n" + upgrade + word + b"\r\n\r\n"
        yield case(f"upgrade to {word.decode()}", data + SMUGGLED, 200, 400, 404, CUT)


def methods(paths: list[str]) -> Iterator[Case]:
    """Give every odd method on every path."""
    for path in paths:
        for method in ("TRACE", "PUT", "PATCH", "DELETE", "OPTIONS", "MKCOL", "QUERY"):
            yield _method(method, path, 404, 405, 400)
        yield _method("HEAD", path, 200, 304, 400, 401, 404, 405, 503, is_head=True)
    yield _method("OPTIONS", "*", 400, 404, 405)
    yield _method("CONNECT", "x:1", 400, 404, 405, CUT)
    yield _method("TRACE", "/livez", 405)


def _method(method: str, path: str, *statuses: int, is_head: bool = False) -> Case:
    data = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    return case(f"{method} {path}", data, *statuses, is_head=is_head)
