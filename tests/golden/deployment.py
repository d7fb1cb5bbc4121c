"""A whole deployment in one folder, driven in this process: log, witnesses, client.

    server/      data directory of the log server         anchors/log   its anchor
    w1/, w2/     data directories of two witnesses        anchors/w1    that of w1
    state/       a client's memory of the log

It opens what is there by the doors that a start goes through.  The clock is the
caller's.  The keys and tokens are for tests and known to everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tallystick_merkle.checkpoint import parse_checkpoint
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.base import Reply, Request, Response
from tallystick_merkle.keys import (
    KeyType,
    SigningKey,
    format_vkey,
    make_signing_key,
)
from tallystick_merkle.note import format_note, parse_note
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_merkle.tile import format_bundle, parse_tile_path
from tallystick_merkle.witnessing import (
    AddCheckpoint,
    format_add_checkpoint,
    parse_cosignatures,
)
from tallystick_server.clock import SetClock
from tallystick_server.config.model import LogSettings
from tallystick_server.errors import ServerError
from tallystick_server.log.commit import Placed, Submission
from tallystick_server.log.digests import batch_digest, entry_digest
from tallystick_server.log.reader import Reader
from tallystick_server.log.writer import Released, Writer
from tallystick_server.storage.base import LogStore, Published
from tallystick_server.wiring.opening import open_for_writing
from tallystick_witness.config import WitnessSettings
from tallystick_witness.service import Answer
from tallystick_witness.wiring import open_witness

LOG = "golden"
ORIGIN = "golden.example/log"
WITNESSES = {"w1": KeyType.COSIGNATURE, "w2": KeyType.MLDSA44}
Ask = Callable[[bytes], Answer]
READ_URL = "https://golden.example/t/golden"


def seed_of(what: str) -> bytes:
    """Give the seed of a test key: the hash of what it is for."""
    return sha256(b"tallystick golden test key: " + what.encode()).digest()


LOG_KEY: SigningKey = make_signing_key(
    name=ORIGIN, type=KeyType.ED25519, seed=seed_of("signing")
)
WITNESS_KEYS = {
    name: make_signing_key(name=f"{name}.golden.example", type=kind, seed=seed_of(name))
    for name, kind in WITNESSES.items()
}


def policy_text(urls: Sequence[str] = ("", "")) -> str:
    """Write the policy: both witnesses must have cosigned."""
    lines = [f"log {format_vkey(LOG_KEY.verifier)}"]
    lines += [
        f"witness {name} {format_vkey(key.verifier)} {url}".rstrip()
        for (name, key), url in zip(WITNESS_KEYS.items(), urls, strict=True)
    ]
    return "\n".join([*lines, "group both all w1 w2", "quorum both", ""])


POLICY: Policy = parse_policy(policy_text().encode())


@dataclass
class OpenLog:
    """The log, opened for writing, and its witnesses."""

    place: Path
    clock: SetClock
    writer: Writer
    store: LogStore
    published: Published | None

    @property
    def reader(self) -> Reader:
        """Read up to the newest head."""
        return Reader(self.store, self.writer.state.head)

    def append(self, key: str, *entries: bytes) -> tuple[Placed, Released]:
        """Append one entry, or a batch of them, under an idempotency key."""
        body = entries[0] if len(entries) == 1 else format_bundle(list(entries))
        digest = entry_digest(body) if len(entries) == 1 else batch_digest(body)
        submission = Submission(f"producer\0{key}".encode(), digest, tuple(entries))
        released = self.writer.commit([submission])
        (placed,) = released.outcomes
        assert isinstance(placed, Placed)
        return placed, released

    def publish(self) -> Published:
        """Have both witnesses cosign the newest head, and publish it."""
        head = self.writer.mark_publishable()
        note = parse_note(head.note)
        lines = [
            line
            for name in WITNESSES
            for line in parse_cosignatures(self.submit(name, head.note).body)
        ]
        whole = format_note(note.with_signatures(lines))
        published = Published(head.size, whole, self.clock.now_ms())
        self.writer.publish(published)
        self.published = published
        return published

    def submit(self, name: str, note: bytes, *, size: int | None = None) -> Answer:
        """Submit a head to a witness, from where it stands."""
        size = self.writer.state.head.size if size is None else size
        with opened_witness(self.place, name, self.clock) as (ask, old):
            is_step = 0 < old < size
            proof = self.reader.consistency(old=old, new=size) if is_step else ()
            return ask(format_add_checkpoint(AddCheckpoint(old, proof, note)))

    def answer(self, request: Request) -> Reply:
        """Answer a reader of tiles as the server would."""
        path = request.url.removeprefix(f"{READ_URL}/")
        try:
            if path == "checkpoint":
                assert self.published is not None
                return Response(200, {}, self.published.note)
            tile = parse_tile_path(path)
            reader = self.reader
            body = reader.bundle(tile) if tile.is_bundle else reader.tile(tile)
        except (MalformedError, ServerError):
            return Response(404, {}, b"")
        return Response(200, {}, body)


@contextmanager
def opened_log(place: Path, clock: SetClock) -> Iterator[OpenLog]:
    """Open the log for writing, through all that a start checks."""
    policy = place / "policy"
    policy.write_text(policy_text(), encoding="utf-8")
    settings = LogSettings(policy=policy, anchor=place / "anchors" / "log")
    with ExitStack() as stack:
        opened = open_for_writing(place / "server", LOG, settings, clock=clock)
        stack.callback(opened.close)
        assert opened.signer is not None
        writer = Writer(
            store=opened.store,
            signer=opened.signer,
            state=opened.state,
            clock=clock,
            anchor=opened.anchor,
        )
        yield OpenLog(place, clock, writer, opened.store, opened.published)


@contextmanager
def opened_witness(
    place: Path, name: str, clock: SetClock
) -> Iterator[tuple[Ask, int]]:
    """Open a witness through all that a start checks; give its door and its size."""
    anchor = place / "anchors" / "w1" if name == "w1" else None
    settings = WitnessSettings(data=place / name, anchor=anchor)
    with open_witness(settings, clock) as witness:
        note = witness.checkpoint(sha256(ORIGIN.encode()).hexdigest())
        old = 0 if note is None else size_of(note)
        yield witness.add_checkpoint, old


def size_of(note: bytes) -> int:
    """Read the size of a checkpoint."""
    return parse_checkpoint(parse_note(note).text).size
