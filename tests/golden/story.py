"""What happened in the golden deployment, step by step, the same each time.

The log has 302 entries: genesis, real events, small and large ones; heads that were
published, and newer ones that were only promised.  Everything but the signatures of
ML-DSA-44, which are hedged, comes out byte for byte the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tallystick_client.demo.place import sample_records
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import sign_checkpoint
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.frontier import load_edge
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.keys import KeyType, format_vkey, make_signing_key
from tallystick_merkle.note import format_note
from tallystick_merkle.receipt import parse_receipt
from tallystick_server.clock import SetClock
from tallystick_server.log.create import create_log
from tallystick_server.log.tokenfile import add_token, revoke_token
from tallystick_server.log.tokens import NewToken
from tallystick_witness.datadir import DataDir
from tallystick_witness.keyring import identify, write_keys
from tallystick_witness.operating import add_log, open_table, remove_log
from tallystick_witness.store.base import WitnessStore
from tallystick_witness.store.files import create_store
from tests.golden.deployment import (
    LOG,
    LOG_KEY,
    ORIGIN,
    WITNESS_KEYS,
    OpenLog,
    opened_log,
    seed_of,
)

BEGAN_MS = 1_700_000_000_000
"""When the log was made: 2023-11-14."""

PUBLISHED = (101, 264)
"""Sizes that were cosigned and published."""

SIZE = 302
"""Size of the newest head, which was only promised."""

WITNESSED_INDEXES = (7, 101, 263)
PROMISED_INDEX = 265
"""Entries of which the client keeps receipts."""

BATCH_KEY, SINGLE_KEY = "batch-1", "single-102"
"""Idempotency keys that were used."""


@dataclass(frozen=True, slots=True)
class Token:
    """The write token that works, and one that was revoked."""

    valid: str
    revoked: str


def events() -> list[bytes]:
    """Give the real events that come with the client: 103."""
    return sample_records().splitlines()


def small(start: int, stop: int) -> list[bytes]:
    """Give small entries."""
    return [b"golden entry %d" % at for at in range(start, stop)]


def steps() -> Iterator[tuple[str, list[bytes]]]:
    """Give each append: its idempotency key and its entries."""
    real = events()
    yield BATCH_KEY, real[:50]
    yield "batch-2", real[50:100]
    yield "single-101", [real[100]]
    yield SINGLE_KEY, [real[101]]
    yield "single-103", [b"\0" * 65_535]
    yield "batch-3", small(104, 264)
    yield "batch-4", small(264, 300)
    yield "single-300", [b"x"]
    yield "single-301", [real[102]]


def tell(place: Path) -> Token:
    """Make the whole deployment below `place`."""
    clock = SetClock(BEGAN_MS)
    token = _make_server(place, clock)
    _make_witnesses(place, clock)
    with opened_log(place, clock) as log:
        for key, entries in steps():
            clock.advance(1_000)
            log.append(key, *entries)
            if log.writer.state.head.size in PUBLISHED:
                clock.advance(500)
                log.publish()
        _lie(log)
        _remember(log)
    return token


def _make_server(place: Path, clock: SetClock) -> Token:
    seeds = iter(["signing", "next", "recovery"])
    data = place / "server"
    (place / "anchors").mkdir(parents=True)
    create_log(
        data,
        name=LOG,
        origin=ORIGIN,
        recovery=None,
        clock=clock,
        draw_seed=lambda: seed_of(next(seeds)),
    )
    valid = _add_token(data, clock, "producer")
    former = _add_token(data, clock, "former-producer")
    clock.advance(1_000)
    revoke_token(data, log=LOG, token_id=former.token.id, clock=clock)
    return Token(valid.text, former.text)


def _add_token(data: Path, clock: SetClock, name: str) -> NewToken:
    def draw(count: int) -> bytes:
        return seed_of(f"token of {name}, {count} bytes")[:count]

    return add_token(data, log=LOG, clock=clock, draw=draw, principal=name)


def _follow(store: WitnessStore, vkey: str, clock: SetClock) -> None:
    add_log(store, vkey=vkey, origin=None, reopen=False, clock=clock)


def _make_witnesses(place: Path, clock: SetClock) -> None:
    """Make both, following the log; the first once followed another log too."""
    for name, key in WITNESS_KEYS.items():
        data = DataDir(place / name)
        data.root.mkdir(mode=0o700)
        write_keys(data.keys, [key])
        create_store(data.store, identify([key]))
        with open_table(data.root) as store:
            _follow(store, format_vkey(LOG_KEY.verifier), clock)
            if name == "w1":
                other = make_signing_key(
                    name="other.example", type=KeyType.ED25519, seed=seed_of("other")
                )
                _follow(store, format_vkey(other.verifier), clock)
                remove_log(store, origin="other.example", clock=clock)


def _lie(log: OpenLog) -> None:
    """Sign another root for a size that was cosigned: both witnesses keep that."""
    other = Checkpoint(ORIGIN, PUBLISHED[-1], b"\x66" * 32)
    note = format_note(sign_checkpoint(other, LOG_KEY))
    for name in WITNESS_KEYS:
        assert log.submit(name, note, size=other.size).status == 422


def _remember(log: OpenLog) -> None:
    """Let a client believe the published heads, and keep receipts and an audit."""
    trust = DirectoryTrust(log.place / "state", ORIGIN)
    assert log.published is not None
    note, size = log.published.note, log.published.size
    assert trust.advance(old=None, new=note)
    reader, head = log.reader, log.writer.state.head
    entries = log.store.read_entries(0, head.size)

    def held(index: int, size: int, note: bytes) -> Held:
        data = reader.receipt(index=index, size=size, root=reader.root(size), note=note)
        return Held(parse_receipt(data), leaf_hash(entries[index]))

    trust.keep_witnessed([held(index, size, note) for index in WITNESSED_INDEXES])
    trust.keep_promised([held(PROMISED_INDEX, head.size, head.note)])
    trust.keep_edge(load_edge(size, log.store.read_row))
    trust.keep_evidence("fork", {"first.checkpoint": note, "second.checkpoint": b"x\n"})
