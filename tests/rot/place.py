"""A log of some thousand real events on disk, whole, to be copied and damaged."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from itertools import count
from pathlib import Path

from tallystick_merkle.checkpoint import parse_checkpoint
from tallystick_merkle.cosignature import cosign
from tallystick_merkle.frontier import EMPTY_EDGE, Edge, grow
from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.keys import KeyType, format_vkey, make_signing_key
from tallystick_merkle.note import format_note, parse_note
from tallystick_merkle.tile import format_bundle
from tallystick_server.clock import SetClock
from tallystick_server.log.commit import Submission
from tallystick_server.log.create import create_log
from tallystick_server.log.digests import batch_digest, entry_digest
from tallystick_server.log.fsck import Known
from tallystick_server.log.keyring import KeySigner, read_key
from tallystick_server.log.paths import key_path, store_directory
from tallystick_server.log.startup import load_state
from tallystick_server.log.tokenfile import change_tokens, tokens_path
from tallystick_server.log.tokens import make_token
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import Head, Published
from tallystick_server.storage.lmdb import open_store

NAME = "events"
ORIGIN = "rot.example/events"
WITNESS = make_signing_key(name="w.example", type=KeyType.COSIGNATURE, seed=b"w" * 32)
PRINCIPAL = "service"
NOW_MS = 1_700_000_000_000

_SAMPLE = files("tallystick_client.samples").joinpath("cloudtrail-103.ndjson")


@dataclass(frozen=True)
class Place:
    """A data directory with one log that nobody has open, and what it holds.

    `entries` are all of them, `requests` the bodies that were sent, by idempotency key;
    `sizes` those of its heads, `edge` that of the whole tree.
    """

    data: Path
    known: Known
    token: str
    entries: tuple[bytes, ...]
    requests: dict[str, tuple[bytes, ...]]
    sizes: tuple[int, ...]
    edge: Edge

    @property
    def store(self) -> Path:
        """The folder of the store."""
        return store_directory(self.data, NAME)

    @property
    def file(self) -> Path:
        """The file that rots."""
        return self.store / "data.mdb"

    @property
    def policy(self) -> Path:
        """The policy: it knows a witness and asks nobody."""
        return self.data / "policy"

    def copy(self, to: Path) -> Place:
        """Copy the whole place; `to` is cleared first."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.data, to)
        (to / store_directory(to, NAME) / "lock.mdb").unlink(missing_ok=True)
        return replace(self, data=to)


def events(size: int) -> list[bytes]:
    """Give real events, each of them with a number of its own."""
    lines = _SAMPLE.read_bytes().splitlines()
    return [b'%s,"n":%d}' % (lines[at % len(lines)][:-1], at) for at in range(size)]


def make_place(data: Path, *, size: int) -> Place:
    """Make a log of `size` events and the genesis entry; publish a head of it."""
    clock = SetClock(wall_ms=NOW_MS)
    numbers = count()
    made = create_log(
        data,
        name=NAME,
        origin=ORIGIN,
        recovery=None,
        clock=clock,
        draw_seed=lambda: sha256(b"%d" % next(numbers)).digest(),
    )
    token = make_token(
        log=NAME, created_ms=NOW_MS, draw=lambda n: b"t" * n, principal=PRINCIPAL
    )
    change_tokens(tokens_path(data, NAME), lambda tokens: [*tokens, token.token])
    lines = [
        f"log {format_vkey(made.key)}",
        f"witness w {format_vkey(WITNESS.verifier)}",
    ]
    (data / "policy").write_text("\n".join([*lines, "quorum none\n"]), "utf-8")
    requests = dict(_requests(events(size)))
    store = open_store(store_directory(data, NAME))
    signer = KeySigner(read_key(key_path(data, NAME)))
    state, _ = load_state(store, signer.key)
    writer = Writer(store=store, signer=signer, state=state, clock=clock, anchor=None)
    for number, (key, entries) in enumerate(requests.items()):
        clock.advance(7)
        writer.commit([_submission(key, entries)])
        if number == len(requests) * 3 // 4:
            writer.publish(cosigned(writer.state.head))
    sizes = tuple(head.size for head in store.heads())
    stored = tuple(store.read_entries(0, writer.state.head.size))
    store.close()
    known = Known(made.key, made.next_key, made.recovery_key)
    edge = grow(EMPTY_EDGE, leaf_hashes(list(stored))).edge
    return Place(data, known, token.text, stored, requests, sizes, edge)


def cosigned(head: Head) -> Published:
    """What is published of a head: with the witness's line."""
    note = parse_note(head.note)
    line = cosign(parse_checkpoint(note.text), WITNESS, time_s=head.time_ms // 1000)
    return Published(
        head.size, format_note(note.with_signatures([line])), head.time_ms + 1
    )


def _requests(entries: list[bytes]) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """Cut entries into requests of many lengths, one of them alone now and then."""
    chance = random.Random(6)
    at = 0
    while at < len(entries):
        width = chance.choice([1, 1, 2, 9, 60, 250])
        yield f"request-{at:05d}", tuple(entries[at : at + width])
        at += width


def _submission(key: str, entries: tuple[bytes, ...]) -> Submission:
    digest = (
        entry_digest(entries[0])
        if len(entries) == 1
        else batch_digest(format_bundle(list(entries)))
    )
    return Submission(f"{PRINCIPAL}\0{key}".encode(), digest, entries)
