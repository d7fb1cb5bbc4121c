"""A witness for the server's runs: the real one, in this process, behind loopback.

It is not the one that is crashed: it must only remember. What it was shown and what it
cosigned is kept beside it, as a second memory of every head that the log let out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tallystick_merkle.keys import KeyType, VerifierKey, format_vkey, make_signing_key
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_merkle.witnessing import origin_hash, parse_add_checkpoint
from tallystick_witness.anchor import NoAnchor
from tallystick_witness.clock import SystemClock, Timekeeper
from tallystick_witness.keyring import identify
from tallystick_witness.service import Witness
from tallystick_witness.state import FollowedLog, Head, LogState
from tallystick_witness.store.memory import MemoryStore
from tests.system.loopback import Asked, answer

KEY = make_signing_key(
    name="witness.example/inside", type=KeyType.COSIGNATURE, seed=b"\x07" * 32
)


@dataclass
class Inside:
    """A witness of one log, with what it was shown."""

    log: VerifierKey
    head: Head | None = None
    shown: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryStore(identify([KEY]))
        self.store.follow(FollowedLog(self.log, LogState.ACTIVE, 0))
        if self.head is not None:
            self.store.advance(self.log.name, None, self.head)
        self._witness = Witness(
            keys=[KEY],
            store=self.store,
            anchor=NoAnchor(),
            timekeeper=Timekeeper(SystemClock()),
            has_room=lambda: True,
            is_alone=lambda: True,
        )

    def last(self) -> Head | None:
        """The head that it cosigned last."""
        found = self.store.find(origin_hash(self.log.name))
        assert found is not None
        return found.head

    def respond(self, asked: Asked) -> bytes:
        """Answer a request."""
        if asked.method == "POST":
            self.shown.append(parse_add_checkpoint(asked.body).checkpoint)
            said = self._witness.add_checkpoint(asked.body)
            kind = f"Content-Type: {said.content_type}"
            return answer(said.body, kind, status=f"{said.status} -")
        note = self._witness.checkpoint(asked.path.split("/")[1])
        if note is None:
            return answer(b"never\n", "Content-Type: text/plain", status="404 -")
        return answer(note, "Content-Type: text/plain")


class Desk:
    """Answers for the witness of the run that is under way: the script of a Loopback.

    One address for all runs, so that their policy is one file.
    """

    def __init__(self) -> None:
        self.inside: Inside | None = None

    async def __call__(self, asked: Asked) -> AsyncIterator[bytes]:
        """Answer one request."""
        assert self.inside is not None
        yield self.inside.respond(asked)


def policy_text(log_vkey: str, url: str) -> str:
    """The policy that asks for this witness."""
    vkey = format_vkey(KEY.verifier)
    return f"log {log_vkey}\nwitness inside {vkey} {url}\nquorum inside\n"


def policy_of(log_vkey: str, url: str) -> Policy:
    """The same, parsed."""
    return parse_policy(policy_text(log_vkey, url).encode())
