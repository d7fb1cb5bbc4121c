"""Where batches are worked on: one message in, one answer out.

    Teach   the schemas of a log, as they are now       → Ready
    Job     a batch of a log                            → Need, or Done
    Grant   the keys that were needed                   → Done

A workbench stands in a thread of the server, or in a process beside it, which is the
same to whoever asks.  It remembers keys and schemas, and of a batch only what it waits
with for keys: one at a time.  Each log's keys are remembered apart: what a log has not
asked its server for may be newer than the state of the vault that it commits (D16).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from tallystick_merkle import canonical
from tallystick_server.ingest.batchwork import (
    Batch,
    RefusedItem,
    SealedItem,
    Work,
    finish_batch,
    open_batch,
)
from tallystick_server.ingest.followed import MAX_SNAPSHOT
from tallystick_server.ingest.keys import KeyMemory, ReadyKey
from tallystick_server.ingest.noise import Noise
from tallystick_server.ingest.schemas.registry import Registry, Unknown
from tallystick_server.vault.base import VaultKey


class Teach(Struct, array_like=True, tag=True, frozen=True):
    """The schemas of a log, as `Registry.dump` gave them, packed."""

    log: str
    unknown: Unknown
    schemas: bytes


class Job(Struct, array_like=True, tag=True, frozen=True):
    """A batch of events of one principal for one log."""

    log: str
    tenant: str
    service: str
    month: str
    is_cbor: bool
    raws: list[bytes]


class Grant(Struct, array_like=True, tag=True, frozen=True):
    """Keys: the name, the id, the data key and the secret of each."""

    keys: list[tuple[bytes, bytes, bytes, bytes]]


class Ready(Struct, array_like=True, tag=True, frozen=True):
    """What was told is known."""


class Need(Struct, array_like=True, tag=True, frozen=True):
    """Names of keys that are needed."""

    names: list[bytes]


class Done(Struct, array_like=True, tag=True, frozen=True):
    """What came of a batch."""

    items: list[SealedItem]
    refused: list[RefusedItem]


Message = Teach | Job | Grant
Answer = Ready | Need | Done


class Workbench:
    """Works on batches. Used from one thread."""

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        """Know of no log and no key; `draw` gives random bytes."""
        self._draw = Noise(draw)
        self._rules: dict[str, Registry] = {}
        self._memories: dict[str, KeyMemory] = {}  # by log
        self._waiting: tuple[Batch, KeyMemory] | None = None

    def answer(self, message: Message) -> Answer:
        """Do what a message says."""
        if isinstance(message, Teach):
            rules = Registry(log_name=message.log, unknown=message.unknown)
            rules.load(canonical.decode(message.schemas, most=MAX_SNAPSHOT))
            self._rules[message.log] = rules
            return Ready()
        if isinstance(message, Job):
            return self._open(message)
        assert self._waiting is not None  # a grant follows a need
        (batch, memory), self._waiting = self._waiting, None
        granted: dict[bytes, ReadyKey] = {}
        for name, kid, dek, secret in message.keys:
            granted[name] = ReadyKey(VaultKey(kid, dek, secret))
            memory.keep(name, granted[name])
        return Done(finish_batch(batch, granted, self._draw), batch.refused)

    def _open(self, job: Job) -> Answer:
        work = Work(job.raws, job.is_cbor, job.service, job.tenant, job.month)
        rules = self._rules[job.log]
        memory = self._memories.setdefault(job.log, KeyMemory())
        batch = open_batch(work, rules, memory, self._draw)
        if batch.missing:
            self._waiting = batch, memory
            return Need(list(batch.missing))
        return Done(batch.items, batch.refused)
