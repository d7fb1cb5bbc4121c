"""The asyncio client, driven from a command.

An audit reads thousands of tiles.  One event loop does that for a third of the cost
of the blocking client and its threads.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from tallystick_client.aio import AsyncTallystick
from tallystick_client.auditing import Progress
from tallystick_client.cli.network import Target
from tallystick_client.results import Audited


class DrivenClient:
    """Runs each audit to its end; one client and one event loop serve them all."""

    def __init__(self, target: Target) -> None:
        """Open nothing yet."""
        self._target = target
        self._runner = asyncio.Runner()
        self._client: AsyncTallystick | None = None

    def __enter__(self) -> Self:
        """Nothing is opened before the first audit."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client and its loop."""
        with self._runner as runner:
            if self._client is not None:
                runner.run(self._client.close())

    def audit(
        self, progress: Progress | None = None, *, from_start: bool = False
    ) -> Audited:
        """Hash what is new, or the whole log. Ctrl-C is a KeyboardInterrupt."""
        return self._runner.run(self._audit(progress, from_start))

    async def _audit(self, progress: Progress | None, from_start: bool) -> Audited:
        if self._client is None:
            target = self._target
            self._client = AsyncTallystick(
                target.log, target.policy, state=target.state
            )
        return await self._client.audit(progress, from_start=from_start)
