"""Both clients behind one face, so that one suite holds for both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tallystick_client.aio import AsyncTallystick
from tallystick_client.auditing import Progress
from tallystick_client.blocking import Tallystick
from tallystick_client.eventsession import Draft
from tallystick_client.results import Audited, Head, Proven, SubmittedEvents, Upgrade
from tallystick_client.session import ONE_LOOK, Patience, Wait
from tallystick_merkle.exchange.appending import Appended, AppendedBatch
from tallystick_merkle.exchange.eventreading import EventPage, Proof, ShownEvent
from tallystick_merkle.exchange.events import Emitted
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.policy import Policy
from tests.unit.client.fake_log import (
    LOG,
    POLICY,
    AsyncFakeTransport,
    FakeLog,
    FakeTransport,
)

T = TypeVar("T")

Open = Callable[..., "Driver"]
"""Opens a client of one kind on the log of a test."""


class Driver(Protocol):
    """What both clients can do."""

    slept: list[float]

    def append(
        self, entry: bytes, key: str | None = None, *, wait: Wait = "durable"
    ) -> Appended: ...

    def append_batch(
        self, entries: Sequence[bytes], key: str | None = None, *, wait: Wait
    ) -> AppendedBatch: ...

    def head(self) -> Head: ...

    def upgrade(
        self,
        *receipts: Appended | AppendedBatch | Held,
        patience: Patience = ONE_LOOK,
    ) -> Upgrade: ...

    def prove(self, index: int, entry: bytes | None = None) -> Proven: ...

    def audit(
        self, progress: Progress | None = None, *, from_start: bool = False
    ) -> Audited: ...

    def emit(self, event: Draft, *, wait: Wait = "durable") -> Emitted: ...

    def emit_batch(
        self, events: Sequence[Draft], *, wait: Wait = "durable"
    ) -> SubmittedEvents: ...

    def event(self, event_id: str) -> ShownEvent: ...

    def events(self, after: int | None = None, limit: int = 100) -> EventPage: ...

    def disclose(
        self,
        event_id: str,
        *fields: str,
        show_names: bool = True,
        all_names: bool = False,
    ) -> Proof: ...


class BlockingDriver:
    """The blocking client over a log in memory."""

    def __init__(self, log: FakeLog, state: Path | None, policy: Policy) -> None:
        self.slept: list[float] = []
        self._client = Tallystick(
            LOG,
            policy,
            state=state,
            transport=FakeTransport(log),
            sleep=self.slept.append,
            random=lambda: 0.5,
        )
        self.append = self._client.append
        self.append_batch = self._client.append_batch
        self.head = self._client.head
        self.upgrade = self._client.upgrade
        self.prove = self._client.prove
        self.audit = self._client.audit
        self.emit = self._client.emit
        self.emit_batch = self._client.emit_batch
        self.event = self._client.event
        self.events = self._client.events
        self.disclose = self._client.disclose


class AsyncDriver:
    """The client for an event loop over a log in memory, one loop a call."""

    def __init__(self, log: FakeLog, state: Path | None, policy: Policy) -> None:
        self.slept: list[float] = []
        self._client = AsyncTallystick(
            LOG,
            policy,
            state=state,
            transport=AsyncFakeTransport(log),
            sleep=self._sleep,
            random=lambda: 0.5,
        )
        self.append = _run(self._client.append)
        self.append_batch = _run(self._client.append_batch)
        self.head = _run(self._client.head)
        self.upgrade = _run(self._client.upgrade)
        self.prove = _run(self._client.prove)
        self.audit = _run(self._client.audit)
        self.emit = _run(self._client.emit)
        self.emit_batch = _run(self._client.emit_batch)
        self.event = _run(self._client.event)
        self.events = _run(self._client.events)
        self.disclose = _run(self._client.disclose)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def _run(
    method: Callable[..., Coroutine[Any, Any, T]],
) -> Callable[..., T]:
    return lambda *args, **kwargs: asyncio.run(method(*args, **kwargs))


def open_driver(
    kind: str, log: FakeLog, state: Path | None = None, policy: Policy = POLICY
) -> Driver:
    """Open a driver: "blocking" or "aio"."""
    if kind == "blocking":
        return BlockingDriver(log, state, policy)
    return AsyncDriver(log, state, policy)


KINDS = ("blocking", "aio")
