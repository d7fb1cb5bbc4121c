"""Targets: what a client makes of the answers of a hostile log or witness.

The first byte says which answer is another's, and of what kind; the rest is its body.
A hostile log has its real keys, and signs what it likes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from tallystick_merkle.checkpoint import parse_checkpoint
from tallystick_merkle.cosignature import cosign
from tallystick_merkle.errors import KernelError
from tallystick_merkle.exchange.appending import append_batch, append_entry
from tallystick_merkle.exchange.auditing import audit_to
from tallystick_merkle.exchange.base import (
    Exchange,
    Failure,
    Reply,
    Request,
    Response,
)
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.exchange.trusting import (
    Held,
    prove_entry,
    read_head,
    upgrade_receipts,
)
from tallystick_merkle.exchange.witness import ask_witness, read_witness_head
from tallystick_merkle.frontier import EMPTY_EDGE, Edge, grow
from tallystick_merkle.hashing import leaf_hash, leaf_hashes
from tallystick_merkle.note import Note, format_note, sign_note
from tallystick_merkle.policy import Judged
from tallystick_merkle.receipt import check_receipt, format_receipt, parse_receipt
from tallystick_merkle.tile import Tile, bundles_of, format_tile_path, tiles_of
from tallystick_merkle.witnessing import SIZE_TYPE
from tests.fakes.driving import drive
from tests.fakes.memory_log import MemoryLog
from tests.fuzz.target import Target, check_spelling
from tests.unit.merkle.exchange.logs import (
    LOG_KEY,
    ORIGIN,
    POLICY,
    WITNESSES,
    judged,
    log_of,
)

Answer = Callable[[Request], Reply]

_SIZE = 300
_OLD = 260
_ENTRIES = [b"one", b"two", b"three"]
_MOST_STEPS = 200

_KINDS = (
    (200, "application/json"),
    (201, "application/json"),
    (200, "text/plain; charset=utf-8"),
    (400, "application/problem+json"),
    (409, SIZE_TYPE),
    (409, "text/plain"),
    (503, "application/problem+json; charset=utf-8"),
    (404, "text/plain"),
)


class EndlessError(AssertionError):
    """An exchange that goes on asking."""


@cache
def _log() -> MemoryLog:
    """A published log of 300 entries."""
    return log_of(_SIZE)


@cache
def _trusted() -> bytes:
    """An older head of it, believed."""
    return _log().witnessed(_OLD)


def _play(exchange: Exchange[object], answer: Answer) -> object:
    """Drive an exchange that has to end."""
    steps = 0

    def counted(request: Request) -> Reply:
        nonlocal steps
        steps += 1
        if steps > _MOST_STEPS:
            raise EndlessError(f"asked {steps} times, at last {request.url}")
        return answer(request)

    return drive(exchange, counted)


def _reply(data: bytes) -> Reply:
    """Make a reply of a kind and a body."""
    kind, body = (data[0] & 127) % (len(_KINDS) + 1), data[1:]
    if kind == len(_KINDS):
        return Failure(body.decode("utf-8", "replace"))
    status, content_type = _KINDS[kind]
    wish = body[:8].decode("latin-1")
    return Response(status, {"content-type": content_type, "retry-after": wish}, body)


def append_answer(data: bytes) -> None:
    """The answer to an append; what is taken proves what it says."""
    reply = _reply(data or b"\0")
    exchange = append_entry(_log().address, b"one", policy=POLICY, key="key")
    with suppress(KernelError):
        done = drive(exchange, lambda _: reply)
        check_receipt(done.receipt, leaf=leaf_hash(b"one"), policy=POLICY)
        check_spelling(
            format_receipt(done.receipt),
            format_receipt(parse_receipt(format_receipt(done.receipt))),
        )


def batch_answer(data: bytes) -> None:
    """The answer to a batch; each receipt taken proves what it says."""
    reply = _reply(data or b"\0")
    entries = _ENTRIES[:1] if data[:1] > b"\x7f" else _ENTRIES
    exchange = append_batch(_log().address, entries, policy=POLICY, key="key")
    with suppress(KernelError):
        done = drive(exchange, lambda _: reply)
        for position in done.positions:
            leaf = leaf_hash(_ENTRIES[position])
            check_receipt(done.receipt(position), leaf=leaf, policy=POLICY)
        for position in done.refusals:
            with suppress(KernelError):
                done.index(position)


def served_checkpoint(data: bytes) -> None:
    """A served checkpoint, as it came."""
    _read_log({"checkpoint": data})


def signed_checkpoint(data: bytes) -> None:
    """A checkpoint of any text at all, signed and cosigned by the keys we know."""
    _read_log({"checkpoint": _sign(data)})


def served_tile(data: bytes) -> None:
    """A tile or bundle with other bytes than the tree has."""
    tiles = (Tile(0, 1, 44), Tile(0, 0), Tile(1, 0, 1), Tile(-1, 1, 44), Tile(-1, 0))
    tile = tiles[data[0] % len(tiles)] if data else tiles[0]
    _read_log({format_tile_path(tile): data[1:]})


def witness_answer(data: bytes) -> None:
    """A witness's answers: to a checkpoint, and to who asks for its head."""
    reply = _reply(data or b"\0")
    with suppress(KernelError):
        exchange = ask_witness(
            "https://w.example",
            checkpoint=b"",
            size=5,
            old=3,
            prove=lambda _: (bytes(32),),
        )
        _play(exchange, lambda _: reply)
    with suppress(KernelError):
        _play(read_witness_head("https://w.example", ORIGIN), lambda _: reply)


def _sign(text: bytes) -> bytes:
    """Sign whatever a hostile log would."""
    try:
        lines = [sign_note(text, LOG_KEY)]
        lines += [cosign(parse_checkpoint(text), WITNESSES[0], time_s=1)]
    except KernelError:
        return text
    return format_note(Note(text, tuple(lines)))


def _read_log(replaced: dict[str, bytes]) -> None:
    """Read a head, prove an entry, upgrade a promise and audit, with lies between."""
    prefix, honest = _honest()
    served = honest | {f"{prefix}/{name}": data for name, data in replaced.items()}

    def answer(request: Request) -> Reply:
        found = served.get(request.url)
        return Response(404, {}, b"") if found is None else Response(200, {}, found)

    head = _head()
    if "checkpoint" in replaced:
        reader = TileReader(prefix)
        with suppress(KernelError):
            _play(
                read_head(reader, policy=POLICY, origin=ORIGIN, trusted=_trusted()),
                answer,
            )
        try:
            head = judged(replaced["checkpoint"])
        except KernelError:
            return
    _follow(TileReader(prefix), head, answer)


def _follow(reader: TileReader, head: Judged, answer: Answer) -> None:
    """Prove an entry at a head, upgrade a promise to it, and audit up to it."""
    leaf, held = _held()
    with suppress(KernelError):
        _play(prove_entry(reader, index=7, leaf=leaf, head=head, policy=POLICY), answer)
    with suppress(KernelError):
        _play(upgrade_receipts(reader, [held], head=head, policy=POLICY), answer)
    with suppress(KernelError):
        _play(audit_to(reader, _edge(), head=head, report=lambda _: None), answer)


@cache
def _honest() -> tuple[str, dict[str, bytes]]:
    """What an honest log serves: the prefix of its URLs, and bytes by URL."""
    log = _log()
    prefix, bundles = log.address.read_url, bundles_of(0, _SIZE, _SIZE)
    tiles = [*tiles_of(_SIZE), *tiles_of(_OLD), *bundles]
    served = {f"{prefix}/{format_tile_path(at)}": log.resource(at) for at in tiles}
    return prefix, served | {f"{prefix}/checkpoint": log.published}


@cache
def _head() -> Judged:
    """Its newest head, judged."""
    return judged(_log().published)


@cache
def _held() -> tuple[bytes, Held]:
    """A leaf of it, and a promised receipt of it."""
    leaf = leaf_hash(_log().entries[7])
    return leaf, Held(_log().receipt(7, _trusted(), _OLD), leaf)


@cache
def _edge() -> Edge:
    """Where an audit of it stands that has begun."""
    return grow(EMPTY_EDGE, leaf_hashes(_log().entries[:250])).edge


TARGETS: dict[str, Target] = {
    "append-answer": append_answer,
    "batch-answer": batch_answer,
    "served-checkpoint": served_checkpoint,
    "signed-checkpoint": signed_checkpoint,
    "served-tile": served_tile,
    "witness-answer": witness_answer,
}


def seeds() -> dict[str, list[bytes]]:
    """Honest answers."""
    log = log_of(5)
    single = _body(
        log, append_entry(log.address, b"one", policy=POLICY, key="a"), b"\1"
    )
    batches = _body(
        log,
        append_batch(log.address, _ENTRIES, policy=POLICY, key="b", wait="witnessed"),
        b"\1",
    )
    alone = _body(
        log,
        append_batch(log.address, _ENTRIES[:1], policy=POLICY, key="c"),
        b"\x80",
    )
    problem = json.dumps({"type": "a", "title": "b", "detail": "c", "status": 400})
    head = _log().published
    text = head.partition(b"\n\n")[0] + b"\n"
    lines = head.rpartition(b"\n\n")[2]
    return {
        "append-answer": [single, b"\3" + problem.encode()],
        "batch-answer": [batches, alone, b"\3" + problem.encode()],
        "served-checkpoint": [head, _log().promised(), _trusted()],
        "signed-checkpoint": [text, text.replace(b"300", b"4611686018427387904")],
        "served-tile": [
            bytes([at]) + _log().resource(tile)
            for at, tile in enumerate((Tile(0, 1, 44), Tile(1, 0, 1), Tile(-1, 1, 44)))
        ],
        "witness-answer": [
            b"\2" + lines,
            b"\x044\n",
            b"\x046\n",
            b"\x05",
            b"\2" + head,
        ],
    }


def _body(log: MemoryLog, exchange: Exchange[object], kind: bytes) -> bytes:
    """Catch the body with which a log answers."""
    bodies: list[bytes] = []

    def answer(request: Request) -> Reply:
        reply = log.answer(request)
        assert isinstance(reply, Response)
        bodies.append(reply.body)
        return reply

    drive(exchange, answer)
    return kind + bodies[0]
