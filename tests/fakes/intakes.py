"""An intake of events over a log and a vault in memory."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from os import urandom
from pathlib import Path
from typing import Any, Self

from tallystick_merkle.event import Event
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.genesis import EVENTS
from tallystick_merkle.policy import Policy
from tallystick_server.ingest.deadletters import DeadLetters
from tallystick_server.ingest.followed import Followed
from tallystick_server.ingest.intake import Intake
from tallystick_server.ingest.keys import Keys
from tallystick_server.ingest.letterfile import Bounds
from tallystick_server.ingest.opened import Records
from tallystick_server.ingest.producers import Producers
from tallystick_server.ingest.schemas.registry import Registry, Unknown
from tallystick_server.ingest.sealers import Sealers, ThreadBench
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.reader import Reader
from tallystick_server.log.sequencer import QueueLimits, Sequencer
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import LogStore
from tallystick_server.vault.base import Vault, VaultKey
from tallystick_server.vault.memory import MemoryVault
from tests.fakes.logs import NAME, ORIGIN, MemoryLog, log_key, memory_log

TENANT = (b"t" * 16).hex()


def event_json(number: int = 0, **members: Any) -> dict[str, Any]:  # noqa: ANN401 -- any
    """The JSON shape of an event; `members` replace those of the default."""
    body: dict[str, Any] = {
        "event_id": f"0197f0c2-7a11-7abc-8def-{number:012x}",
        "action": "user.role.updated",
        "actor": {"type": "user", "id": "alice@example.com"},
        "targets": [
            {"type": "user", "id": "bob@example.com"},
            {"type": "project", "id": "apollo"},
        ],
        "occurred_at": "2023-11-14T22:13:20.000Z",
        "outcome": {"result": "success", "code": "200"},
        "producer": {"service": "billing", "instance": "i-1", "sequence": number},
        "reason": "promoted",
        "before": {"role": "viewer"},
        "after": {"role": "administrator"},
        "request": {"ip": "203.0.113.77", "user_agent": "curl/8.5"},
        "details": {"ticket": {"id": "OPS-4711", "urgent": True}},
    }
    return {**body, **members}


def make_event(number: int = 0, **members: Any) -> Event:  # noqa: ANN401 -- any
    """An event of the principal `billing`."""
    return parse_event(event_json(number, **members), service="billing")


def fake_mac(data: bytes) -> bytes:
    """The MAC of a snapshot, under a key that stands here."""
    return hmac.digest(b"snapshots", data, "sha256")


@dataclass
class FakeLetterKeys:
    """The key of dead letters, out of a vault in memory."""

    vault: Vault

    def current(self) -> VaultKey:
        return self.vault.ensure([b"letters"])[b"letters"]

    def find(self, kid: bytes) -> VaultKey | None:
        return self.vault.by_kid([kid]).get(kid)


@dataclass
class Forgetful:
    """A vault in which some keys were destroyed, as whoever reads meets it."""

    vault: Vault
    lost: set[bytes] = field(default_factory=set)

    def by_kid(self, kids: Sequence[bytes]) -> dict[bytes, VaultKey]:
        return self.vault.by_kid([kid for kid in kids if kid not in self.lost])


class IntakeBench:
    """One log of events in memory, and its intake; use it as a context."""

    def __init__(
        self,
        folder: Path,
        *,
        inner: MemoryLog | None = None,
        store: LogStore | None = None,
        vault: Vault | None = None,
        policy: Policy | None = None,
        registry: Registry | None = None,
        unknown: Unknown = "allow",
    ) -> None:
        self.inner = inner or memory_log(EVENTS)
        self.vault = vault or MemoryVault()
        self.registry = registry or Registry(log_name=NAME, unknown=unknown)
        self.letters = DeadLetters(
            folder / "letters.sqlite",
            origin=ORIGIN,
            bounds=Bounds(100, 1 << 20, 30),
            keys=FakeLetterKeys(self.vault),
            clock=self.inner.clock,
            draw=urandom,
            refusal=lambda: self.log.refusal if self.log.is_read_only else None,
        )
        self.producers = Producers()
        self.failures: list[BaseException] = []
        self.free = 1 << 40
        self.store = store or self.inner.store
        stored = self.store.load()
        self.log = Log(
            Identity(NAME, ORIGIN, EVENTS, log_key().verifier),
            reader=Reader(self.store, stored.head),
            head=stored.head,
            published=None,
            policy=policy,
            clock=self.inner.clock,
            limits=LogLimits(),
            free_bytes=lambda: self.free,
        )
        self.writer = Writer(
            store=self.store,
            signer=self.inner.signer,
            state=self.inner.state,
            clock=self.inner.clock,
            anchor=None,
        )
        self.pool = ThreadPoolExecutor(2)
        numbers = count()
        self.draw = lambda size: b"".join(
            next(numbers).to_bytes(8, "big") for _ in range(size // 8 + 1)
        )[:size]
        self.reading = Forgetful(self.vault)
        records = Records(self.log, self.reading, self.pool)
        self.intake = Intake(
            log=self.log,
            tenant=TENANT,
            keys=Keys(self.vault, self.pool, on_failure=self.failures.append),
            registry=self.registry,
            unknown=unknown,
            sealers=Sealers(ThreadBench(self.pool, self.draw)),
            producers=self.producers,
            letters=self.letters,
            records=records,
            followed=Followed(
                {"producers": self.producers, "schemas": self.registry},
                records,
                origin=ORIGIN,
                path=folder / "derived" / "followed.cbor",
                size=lambda: self.log.head.size,
                root_at=self.log.reader.root,
                mac=fake_mac,
            ),
            executor=self.pool,
            clock=self.inner.clock,
            draw=self.draw,
        )

    async def __aenter__(self) -> Self:
        self.sequencer = Sequencer(
            self.writer, limits=QueueLimits(), on_head=self.log.saw_head
        )
        self.sequencer.start()
        self.log.attach(
            self.sequencer,
            stop=self.writer.stop_signing,
            stopped=lambda: self.writer.stopped,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.intake.finish()
        await self.log.close()
        await self.letters.close()
        await asyncio.to_thread(self.pool.shutdown)
