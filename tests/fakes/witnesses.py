"""Witnesses that answer in memory: honest by the rules, or as a test tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tallystick_merkle.checkpoint import Checkpoint, parse_checkpoint
from tallystick_merkle.cosignature import cosign, open_log_checkpoint, sign_checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.exchange.base import Failure, Reply, Request, Response
from tallystick_merkle.keys import (
    KeyType,
    SigningKey,
    VerifierKey,
    format_vkey,
    make_signing_key,
)
from tallystick_merkle.note import format_note, format_signature, parse_note
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_merkle.proof import check_consistency
from tallystick_merkle.witnessing import (
    SIZE_TYPE,
    format_size,
    origin_hash,
    parse_add_checkpoint,
)
from tallystick_server.clock import SetClock
from tallystick_server.log.witnesses import (
    MemoryWitnesses,
    WitnessTarget,
    targets_of,
)
from tests.fakes.logs import ORIGIN, log_key

Tell = Callable[[Request], Awaitable[Reply]]


def status(code: int, body: bytes = b"", **headers: str) -> Response:
    return Response(code, {k.replace("_", "-"): v for k, v in headers.items()}, body)


class FakeWitness:
    """A witness of one log. `tell`, when set, answers in its place."""

    def __init__(
        self, name: str, clock: SetClock, *, types: Sequence[KeyType] = ()
    ) -> None:
        self.name = name
        self.url = f"https://{name}.example"
        self.clock = clock
        self.keys: list[SigningKey] = [
            make_signing_key(
                name=f"{name}.example",
                type=kind,
                seed=name.encode().ljust(31, b"-") + bytes([kind]),
            )
            for kind in types or (KeyType.COSIGNATURE,)
        ]
        self.size = 0
        self.root = b""
        self.note: bytes | None = None
        self.tell: Tell | None = None
        self.tell_head: Tell | None = None
        self.requests: list[Request] = []

    @property
    def submitted(self) -> list[tuple[int, int]]:
        """(old, size) of every add-checkpoint request that came."""
        found = []
        for request in self.requests:
            if request.method == "POST":
                asked = parse_add_checkpoint(request.body)
                text = parse_note(asked.checkpoint).text
                found.append((asked.old, parse_checkpoint(text).size))
        return found

    @property
    def verifiers(self) -> tuple[VerifierKey, ...]:
        return tuple(key.verifier for key in self.keys)

    async def answer(self, request: Request) -> Reply:
        """Answer as the witness protocol says, or as told."""
        self.requests.append(request)
        if request.url == f"{self.url}/add-checkpoint":
            return await self.tell(request) if self.tell else self.add(request)
        assert request.url == f"{self.url}/{origin_hash(ORIGIN)}/checkpoint"
        if self.tell_head:
            return await self.tell_head(request)
        return status(404) if self.note is None else status(200, self.note)

    def add(self, request: Request) -> Reply:
        """Cosign or refuse (c2sp.org/tlog-witness)."""
        asked = parse_add_checkpoint(request.body)
        opened = open_log_checkpoint(
            asked.checkpoint, origin=ORIGIN, log_keys=[log_key().verifier]
        )
        assert len(opened.note.signatures) == 1  # our own line and nothing else
        seen = opened.checkpoint
        if asked.old > seen.size:
            return status(400)
        if asked.old != self.size:
            return status(409, format_size(self.size), content_type=SIZE_TYPE)
        try:
            if asked.old:
                check_consistency(
                    old=asked.old,
                    new=seen.size,
                    old_root=self.root,
                    new_root=seen.root,
                    proof=asked.proof,
                )
        except KernelError as error:
            return status(422, str(error).encode())
        return status(200, self.cosign(seen, opened.raw))

    def cosign(self, seen: Checkpoint, raw: bytes) -> bytes:
        """Cosign without any check, and remember."""
        time_s = self.clock.now_ms() // 1000
        lines = [cosign(seen, key, time_s=time_s) for key in self.keys]
        self.size, self.root = seen.size, seen.root
        self.note = format_note(parse_note(raw).with_signatures(lines))
        return b"".join(map(format_signature, lines))

    def saw(self, size: int, root: bytes, *, seed: int = 1) -> None:
        """Have cosigned a head of another history under the log's key."""
        checkpoint = Checkpoint(ORIGIN, size, root)
        note = format_note(sign_checkpoint(checkpoint, log_key(seed)))
        self.cosign(checkpoint, note)


def always(reply: Reply) -> Tell:
    """Answer everything the same way."""

    async def tell(_: Request) -> Reply:
        return reply

    return tell


def never() -> Tell:
    """Take the request and never answer."""

    async def tell(_: Request) -> Reply:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("resolved")

    return tell


class Held:
    """A witness that answers honestly, but only when let go."""

    def __init__(self, witness: FakeWitness) -> None:
        self.go = asyncio.Event()
        self._witness = witness
        witness.tell = self._tell

    async def _tell(self, request: Request) -> Reply:
        await self.go.wait()
        return self._witness.add(request)


DOWN = Failure("it is down")


def ring_of(*witnesses: FakeWitness) -> MemoryWitnesses:
    """All witnesses, to be asked in memory."""
    return MemoryWitnesses({one.url: one.answer for one in witnesses})


def policy_of(quorum: str, *witnesses: FakeWitness) -> Policy:
    """A policy: a quorum of "none", or so many of the witnesses (all keys of each)."""
    lines = [f"log {format_vkey(log_key().verifier)}"]
    for one in witnesses:
        names = [f"{one.name}{number}" for number in range(len(one.keys))]
        lines += [
            f"witness {name} {format_vkey(key)} {one.url}"
            for name, key in zip(names, one.verifiers, strict=True)
        ]
        lines.append(f"group {one.name} all {' '.join(names)}")
    if quorum != "none":
        lines.append(f"group q {quorum} {' '.join(one.name for one in witnesses)}")
    return parse_policy(
        "\n".join(
            [*lines, f"quorum {quorum and ('none' if quorum == 'none' else 'q')}", ""]
        ).encode()
    )


def targets(policy: Policy) -> tuple[WitnessTarget, ...]:
    return targets_of(policy, {})
