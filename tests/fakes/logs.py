"""A log in memory for tests of the server's own parts, and a whole check of it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from tallystick_merkle.checkpoint import Checkpoint, parse_checkpoint
from tallystick_merkle.cosignature import open_checkpoint
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.genesis import (
    EVENTS,
    RAW,
    Genesis,
    event_settings,
    format_genesis,
)
from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.keys import KeyType, SigningKey, make_signing_key
from tallystick_merkle.note import parse_note
from tallystick_server.clock import SetClock
from tallystick_server.log.commit import LogState, Submission
from tallystick_server.log.keyring import KeySigner
from tallystick_server.storage.base import Commit, Head, LogStore
from tallystick_server.storage.memory import MemoryStore
from tests.reference.rfc6962 import Tree, leaf

ORIGIN = "example.com/log"
NAME = "events"


def log_key(seed: int = 1) -> SigningKey:
    """The signing key of the log in memory."""
    return make_signing_key(name=ORIGIN, type=KeyType.ED25519, seed=bytes([seed]) * 32)


@dataclass
class MemoryLog:
    """A store with its genesis entry, its clock and its signer."""

    store: MemoryStore
    signer: KeySigner
    clock: SetClock
    state: LogState


def memory_log(kind: str = RAW) -> MemoryLog:
    """Make a new log in memory, of size 1."""
    clock = SetClock()
    signer = KeySigner(log_key())
    settings = event_settings(b"t" * 16) if kind == EVENTS else ()
    genesis = Genesis(kind, ORIGIN, clock.now_ms(), b"n" * 32, b"r" * 32, settings)
    entry = format_genesis(genesis)
    growth = grow(EMPTY_EDGE, leaf_hashes([entry]))
    note = signer.sign(Checkpoint(ORIGIN, 1, growth.root))
    head = Head(1, growth.root, note, clock.now_ms())
    first = Commit(0, sha256(b"").digest(), (entry,), growth.rows, (), head)
    state = LogState(ORIGIN, growth.edge, head)
    return MemoryLog(MemoryStore(first), signer, clock, state)


def submission(key: str, *entries: bytes) -> Submission:
    """One request: its key and its entries."""
    return Submission(key.encode(), sha256(b"|".join(entries)).digest(), entries)


def check_log(store: LogStore) -> list[bytes]:
    """Re-derive the whole log from its entries; give them.

    Every signed head must verify and be the root of its prefix, by the reference.
    """
    last = store.load().head
    entries = store.read_entries(0, last.size)
    tree = Tree([leaf(entry) for entry in entries])
    sizes = []
    for head in store.heads():
        opened = open_checkpoint(head.note, [log_key().verifier])
        assert opened.checkpoint == Checkpoint(ORIGIN, head.size, head.root)
        assert tree.root(head.size) == head.root
        sizes.append(head.size)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == last.size
    assert parse_checkpoint(parse_note(last.note).text).size == last.size
    return entries
