"""The client for an event loop.

    async with AsyncTallystick(log, policy, state=Path("state")) as tallystick:
        appended = await tallystick.append(b"an event")  # durable, receipt checked
        await tallystick.upgrade(appended)               # witnessed, once cosigned

It only drives what `session` says; `blocking` drives the same with the same names.
The state on disk is written by threads, so the loop is never blocked.
"""

from __future__ import annotations

import asyncio
import random as chance
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tallystick_client.aiohttp_transport import AiohttpTransport
from tallystick_client.auditing import Progress
from tallystick_client.eventsession import (
    Draft,
    EventSession,
    Given,
    held_of_events,
)
from tallystick_client.results import Audited, Head, Proven, SubmittedEvents, Upgrade
from tallystick_client.session import ONE_LOOK, Patience, Wait
from tallystick_client.transport import AsyncTransport, ClientExchange, drive_async
from tallystick_client.trust_directory import open_trust
from tallystick_merkle.exchange.appending import Appended, AppendedBatch, LogAddress
from tallystick_merkle.exchange.base import Retry
from tallystick_merkle.exchange.eventreading import EventPage, Proof, ShownEvent
from tallystick_merkle.exchange.events import Emitted
from tallystick_merkle.policy import Policy

_T = TypeVar("_T")


class AsyncTallystick:
    """One log under one policy. Many calls may run at once on one loop.

    `state` is a directory in which the believed head, receipts and evidence are kept;
    without it, only the head is remembered, and only while the client lives.
    """

    def __init__(
        self,
        log: LogAddress,
        policy: Policy,
        *,
        state: Path | None = None,
        retry: Retry | None = None,
        transport: AsyncTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = chance.random,
    ) -> None:
        """Open nothing yet; `sleep` and `random` drive the pauses between retries."""
        self._session = EventSession(log, policy, open_trust(state, log.origin), retry)
        self._transport = AiohttpTransport() if transport is None else transport
        self._sleep = sleep
        self._random = random

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session.log!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def append(
        self,
        entry: bytes,
        key: str | None = None,
        *,
        wait: Wait = "durable",
        timeout_s: float = 30.0,
    ) -> Appended:
        """Append an entry of 1 to 65,535 bytes; return its checked receipt.

        `key` is the idempotency key: the same key and entry give the same place in
        the log again; None draws a new one.  `wait="witnessed"` may still return a
        promised receipt (D4): look at `status`.  Raises the kernel's errors.
        """
        return await self._drive(
            self._session.append(entry, key=key, wait=wait, timeout_s=timeout_s)
        )

    async def append_batch(
        self,
        entries: Sequence[bytes],
        key: str | None = None,
        *,
        wait: Wait = "durable",
        timeout_s: float = 60.0,
    ) -> AppendedBatch:
        """Append 1 to 10,000 entries, in order, under one key; see `append`.

        Entries the log refuses are in `refusals`; all others are in the log.
        """
        return await self._drive(
            self._session.append_batch(entries, key=key, wait=wait, timeout_s=timeout_s)
        )

    async def emit(
        self, event: Draft, *, wait: Wait = "durable", timeout_s: float = 30.0
    ) -> Emitted:
        """Submit one audit event to a log of events; return its checked receipt.

        The event's id makes a repeat safe.  That the leaf is of this very event was
        checked, too.  Raises RefusedError naming the places that are wrong in it, and
        the kernel's other errors.
        """
        return await self._drive(
            self._session.emit(event, wait=wait, timeout_s=timeout_s)
        )

    async def emit_batch(
        self,
        events: Sequence[Draft],
        *,
        wait: Wait = "durable",
        timeout_s: float = 60.0,
    ) -> SubmittedEvents:
        """Submit 1 to 10,000 audit events, in order; see `emit`.

        Events the log refuses are in `refusals`; all others are in the log.
        """
        return await self._drive(
            self._session.emit_batch(events, wait=wait, timeout_s=timeout_s)
        )

    async def event(self, event_id: str, *, is_sensitive: bool = False) -> ShownEvent:
        """Ask for one event. Its receipt was checked; its content is the log's word.

        `is_sensitive` asks for the values that their schema calls sensitive, too.
        """
        return await self._drive(
            self._session.event(event_id, is_sensitive=is_sensitive)
        )

    async def events(self, after: int | None = None, limit: int = 100) -> EventPage:
        """Ask for at most 1,000 events after an index, in the order of the log."""
        return await self._drive(self._session.events(after=after, limit=limit))

    async def disclose(
        self,
        event_id: str,
        *fields: str,
        show_names: bool = True,
        all_names: bool = False,
    ) -> Proof:
        """Ask for evidence that shows these fields of an event, and check it.

        `show_names` shows the names, not the values, of the fields beside them;
        `all_names` those of all groups, so that what is shown is single.
        """
        return await self._drive(
            self._session.disclose(
                event_id, fields, show_names=show_names, all_names=all_names
            )
        )

    async def head(self) -> Head:
        """Read the newest head; believe it once it extends the one before."""
        return await self._drive(self._session.head())

    async def upgrade(
        self,
        *receipts: Given,
        patience: Patience = ONE_LOOK,
    ) -> Upgrade:
        """Turn promised receipts into witnessed ones; without any, all that are kept.

        With patience, waits for a witnessed head that holds them all.
        """
        held = [item for given in receipts for item in held_of_events(given)]
        return await self._drive(
            self._session.upgrade(held if receipts else None, patience=patience)
        )

    async def prove(self, index: int, entry: bytes | None = None) -> Proven:
        """Make a checked receipt for an entry from tiles, at the believed head."""
        return await self._drive(self._session.prove(index, entry))

    async def audit(
        self, progress: Progress | None = None, *, from_start: bool = False
    ) -> Audited:
        """Hash what is new since the last audit, or with `from_start` the whole log.

        Raises ForkError, TreeMismatchError (with the index of a rewritten entry),
        ShrunkenLogError, StaleHeadError or PolicyNotMetError.
        """
        return await self._drive(self._session.audit(progress, from_start=from_start))

    async def _drive(self, exchange: ClientExchange[_T]) -> _T:
        return await drive_async(
            exchange, self._transport, sleep=self._sleep, random=self._random
        )
