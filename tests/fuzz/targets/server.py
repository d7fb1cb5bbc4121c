"""Targets: what a log server reads from requests, files and its store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from tallystick_merkle.tile import format_bundle
from tallystick_server.clock import SetClock
from tallystick_server.config.load import load
from tallystick_server.errors import (
    BadRequestError,
    IntegrityError,
    RequestError,
    ServerError,
    UsageError,
)
from tallystick_server.log.anchor import format_mark, parse_anchor, read_anchor
from tallystick_server.log.tokenfile import format_tokens, read_tokens
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.log.tokens import NewToken, make_token
from tallystick_server.storage import records, sides
from tallystick_server.storage.base import (
    Head,
    Published,
    Side,
    UsedId,
    UsedKey,
    VaultMark,
)
from tallystick_server.storage.seals import seal
from tallystick_server.web.append import _parse_batch
from tallystick_server.web.compressed import accepts_gzip
from tallystick_server.web.incoming import read_number, read_query, read_wait
from tests.fuzz.place import put
from tests.fuzz.target import Target, check_spelling

_ORIGIN = "log.example/audit"
_LOG = "audit"
_KEY = b"principal\0key"
_ID = bytes(range(16))
_ABOUT = (b"format", b"kind", b"origin", b"created_ms")


def _token(fill: int) -> NewToken:
    return make_token(
        log=_LOG, created_ms=1_700_000_000_000, draw=lambda count: bytes([fill]) * count
    )


_TOKENS = [_token(1), _token(2)]


def batch_body(data: bytes) -> None:
    """The body of POST entries:batch."""
    with suppress(RequestError):
        check_spelling(data, format_bundle(_parse_batch(data)))


def query(data: bytes) -> None:
    """The query of an append, of a proof, and of a request that has none."""
    raw = data.decode("latin-1")
    with suppress(BadRequestError):
        assert 0.0 <= read_wait(raw, 20.0) <= 20.0
    with suppress(BadRequestError):
        found = read_query(raw, "index", "size")
        assert "&".join(f"{name}={value}" for name, value in found.items()) == raw
        number = read_number(found, "index")
        assert str(number) == found["index"]


def accept_encoding(data: bytes) -> None:
    """The Accept-Encoding header: nothing may be raised at all."""
    assert accepts_gzip(data.decode("utf-8", "surrogateescape")) in (False, True)


def authorization(data: bytes) -> None:
    """The Authorization header: only the token itself is admitted."""
    header = data.decode("utf-8", "surrogateescape")
    tokens = [new.token for new in _TOKENS]
    path = put("admitted.json", format_tokens(tokens))
    gate = TokenGate(_LOG, path, SetClock())
    with suppress(RequestError):
        gate.admit(header, "append")
        assert header[7:] in {new.text for new in _TOKENS}
        gate.admit(header, "append")


def token_file(data: bytes) -> None:
    """A log's token file; what is read can be written, and used as a key's owner."""
    with suppress(UsageError):
        tokens = read_tokens(put("tokens.json", data))
        written = format_tokens(tokens)
        assert read_tokens(put("tokens.json", written)) == tokens
        for token in tokens:
            token.principal.encode()
            token.may(("append",), 0)


def anchor(data: bytes) -> None:
    """A log's anchor file, the torn last line of a crash included."""
    with suppress(IntegrityError):
        mark = read_anchor(put("anchor", data), origin=_ORIGIN)
        if mark is not None:
            assert format_mark(_ORIGIN, mark) in data
            assert parse_anchor(format_mark(_ORIGIN, mark), origin=_ORIGIN) == mark


def stored_records(data: bytes) -> None:
    """The keys and values of a store; where the kind is upper case its seal fits.

    What is read is what would be written.
    """
    kind, value = data[:1], data[1:]
    with suppress(ServerError):
        match kind.lower():
            case b"i":
                index = records.unpack_index(value, table=records.ENTRIES)
                check_spelling(value, records.pack_index(index))
            case b"r":
                level, block = records.unpack_row_key(value)
                check_spelling(value, records.pack_row_key(level, block))
            case b"h":
                value = _sealed(kind, records.HEADS, records.pack_index(7), value)
                head, parent = records.unpack_linked_head(7, memoryview(value))
                check_spelling(value, records.pack_head(head, parent=parent))
            case b"u":
                value = _sealed(kind, records.KEYS, _KEY, value)
                used = records.unpack_used_key(_KEY, memoryview(value))
                check_spelling(value, records.pack_used_key(_KEY, used))
            case b"p":
                value = _sealed(kind, records.META, records.PUBLISHED, value)
                published = records.unpack_published(memoryview(value))
                check_spelling(value, records.pack_published(published))
            case b"s" | b"d" | b"v":
                _read_side(kind, value)
            case _:
                _read_about(value)


def _read_side(kind: bytes, value: bytes) -> None:
    """What a log of events has beside its leaves: a record, an id, the vault's mark."""
    match kind.lower():
        case b"s":
            value = _sealed(kind, sides.RECORDS, records.pack_index(7), value)
            one = sides.unpack_record(7, memoryview(value))
            side = Side(7, _ID, "producer", one.index_entry, one.record)
            check_spelling(value, sides.pack_record(side))
        case b"d":
            value = _sealed(kind, sides.IDS, _ID, value)
            used = sides.unpack_used_id(_ID, memoryview(value))
            check_spelling(value, sides.pack_used_id(_ID, used))
        case _:
            value = _sealed(kind, records.META, sides.VAULT, value)
            mark = sides.unpack_vault(memoryview(value))
            check_spelling(value, sides.pack_vault(mark))


def _sealed(kind: bytes, table: bytes, key: bytes, value: bytes) -> bytes:
    return seal(table, key, value) if kind.isupper() else value


def _read_about(value: bytes) -> None:
    """The items of the table `meta`, parted by NUL."""
    found = dict(zip(_ABOUT, value.split(b"\0"), strict=False))
    about = records.unpack_about(found.get)
    assert dict(records.pack_about(about)) == found


def server_config(data: bytes) -> None:
    """A server's TOML file."""
    with suppress(UsageError):
        load(file=put("server.toml", data), environment={})


def server_environment(data: bytes) -> None:
    """A server's environment: NAME=VALUE, parted by NUL as the system does."""
    with suppress(UsageError):
        load(file=None, environment=parse_environment(data, "TALLYSTICK_"))


def parse_environment(data: bytes, prefix: str) -> dict[str, str]:
    """Read an environment as Python does: bytes that are no UTF-8 are surrogates."""
    text = data.decode("utf-8", "surrogateescape")
    pairs = (part.partition("=") for part in text.split("\0"))
    return {prefix + name: value for name, _, value in pairs}


TARGETS: dict[str, Target] = {
    "batch-body": batch_body,
    "query": query,
    "accept-encoding": accept_encoding,
    "authorization": authorization,
    "token-file": token_file,
    "server-anchor": anchor,
    "server-records": stored_records,
    "server-config": server_config,
    "server-environment": server_environment,
}


def seeds() -> dict[str, list[bytes]]:
    """Good inputs."""
    marks = [(size, bytes([size]) * 32) for size in (1, 2, 9)]
    lines = b"".join(format_mark(_ORIGIN, mark) for mark in marks)
    about = records.About("raw", _ORIGIN, 1_700_000_000_000)
    head = Head(7, bytes(32), b"note\n", 1_700_000_000_000)
    stored_values = [
        (b"h", records.pack_head(head, parent=6)),
        (
            b"u",
            records.pack_used_key(_KEY, UsedKey(bytes(32), 4, 2, 1_700_000_000_000)),
        ),
        (b"p", records.pack_published(Published(7, b"note\n", 1_700_000_000_000))),
        (b"s", sides.pack_record(Side(7, _ID, "producer", b"entry", b"record"))),
        (b"d", sides.pack_used_id(_ID, UsedId(7, "producer", 1_700_000_000_000))),
        (b"v", sides.pack_vault(VaultMark(bytes(16), 9, bytes(16)))),
    ]
    pack: Callable[[list[tuple[bytes, bytes]]], bytes] = lambda items: b"\0".join(  # noqa: E731 -- used once
        value for _, value in items
    )
    return {
        "batch-body": [format_bundle([b"one", b"", b"t" * 300])],
        "query": [b"wait=witnessed&timeout=5", b"index=3&size=9", b"wait=durable"],
        "accept-encoding": [b"gzip;q=0.5, *;q=0", b"br, gzip", b"identity"],
        "authorization": [b"Bearer " + new.text.encode() for new in _TOKENS],
        "token-file": [format_tokens([new.token for new in _TOKENS])],
        "server-anchor": [
            lines,
            lines[:-9],
            lines + bytes(40),
            lines + bytes(40) + b"\n",
        ],
        "server-records": [
            b"i" + records.pack_index(9),
            b"r" + records.pack_row_key(0, 9),
            *(kind + stored for kind, stored in stored_values),
            *(kind.upper() + stored[:-8] for kind, stored in stored_values),
            b"a" + pack(records.pack_about(about)),
        ],
        "server-config": [
            b'[server]\nlisten = "127.0.0.1:8440"\n[logs.a]\nanchor = "/mnt/a"\n',
            b'[server]\ndata = "d"\nkeepalive_s = 3.5\n[logs.b]\npolicy = "p"\n',
        ],
        "server-environment": [
            b"SERVER__LISTEN=127.0.0.1:0\0LOGS__AUDIT__POLICY=p",
            b'LOGS={"audit": {"policy": "p"}}\0SERVER__READ_ONLY=true',
            b"SERVER={}",
        ],
    }
