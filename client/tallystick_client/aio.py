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
from tallystick_client.results import Audited, Head, Proven, Upgrade
from tallystick_client.session import ONE_LOOK, Patience, Session, Wait, held_of
from tallystick_client.transport import AsyncTransport, ClientExchange, drive_async
from tallystick_client.trust_directory import open_trust
from tallystick_merkle.exchange.appending import Appended, AppendedBatch, LogAddress
from tallystick_merkle.exchange.base import Retry
from tallystick_merkle.exchange.trusting import Held
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
        self._session = Session(log, policy, open_trust(state, log.origin), retry)
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

    async def head(self) -> Head:
        """Read the newest head; believe it once it extends the one before."""
        return await self._drive(self._session.head())

    async def upgrade(
        self,
        *receipts: Appended | AppendedBatch | Held,
        patience: Patience = ONE_LOOK,
    ) -> Upgrade:
        """Turn promised receipts into witnessed ones; without any, all that are kept.

        With patience, waits for a witnessed head that holds them all.
        """
        held = [item for given in receipts for item in held_of(given)]
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
