"""Make an opened log run: signer → writer → sequencer → log → what is hosted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tallystick_server.clock import Clock
from tallystick_server.config.load import Loaded
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.paths import log_directory
from tallystick_server.log.reader import Reader
from tallystick_server.log.sequencer import QueueLimits, Sequencer
from tallystick_server.log.startup import read_genesis
from tallystick_server.log.tokenfile import tokens_path
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.log.writer import Writer
from tallystick_server.ops.disk import free_bytes
from tallystick_server.web.freshness import Freshness
from tallystick_server.web.services import Hosted
from tallystick_server.wiring.opening import (
    OpenedLog,
    open_for_reading,
    open_for_writing,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Permissions:
    """Dangerous things that an operator allows for one start, by the log's name.

    `new_anchor`: begin an anchor anew.  `unproven`: sign though no quorum of witnesses
    confirmed that the log was not set back.
    """

    new_anchor: frozenset[str] = frozenset()
    unproven: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RunningLog:
    """A log that is served, and what it was opened with."""

    opened: OpenedLog
    hosted: Hosted

    @property
    def log(self) -> Log:
        """The log itself."""
        return self.hosted.log

    async def drain(self) -> None:
        """Take no more entries, commit what waits, publish what was committed."""
        await self.log.drain()

    async def close(self) -> None:
        """End the writer, then close what was opened."""
        await self.log.close()
        self.opened.close()


async def start_log(
    name: str, loaded: Loaded, clock: Clock, permissions: Permissions
) -> RunningLog:
    """Open a log and start it. Raises StartError or StoreError."""
    server, settings = loaded.settings.server, loaded.log(name)
    if server.read_only:
        opened = open_for_reading(server.data, name, settings)
    else:
        opened = open_for_writing(
            server.data,
            name,
            settings,
            clock=clock,
            allow_new_anchor=name in permissions.new_anchor,
        )
    if not detects_rollback(opened):
        log.warning("rollback not detectable", extra={"log": name})
    return run_log(
        opened,
        data=server.data,
        clock=clock,
        disk_margin_bytes=server.disk_margin_bytes,
    )


def run_log(
    opened: OpenedLog, *, data: Path, clock: Clock, disk_margin_bytes: int
) -> RunningLog:
    """Start a log's writer, if it has one, and make it ready to be hosted.

    Requires a running event loop.
    """
    log = _make_log(opened, data, clock, disk_margin_bytes)
    if opened.signer is not None:
        writer = Writer(
            store=opened.store,
            signer=opened.signer,
            state=opened.state,
            clock=clock,
            anchor=opened.anchor,
        )
        limits = QueueLimits(
            queue_entries=opened.settings.max_queue,
            queue_bytes=opened.settings.max_queue_bytes,
        )
        sequencer = Sequencer(writer, limits=limits, on_head=log.saw_head)
        sequencer.start()
        log.attach(sequencer, stop=writer.stop_signing, stopped=lambda: writer.stopped)
    hosted = Hosted(
        log,
        TokenGate(opened.name, tokens_path(data, opened.name), clock),
        Freshness(),
        detects_rollback=detects_rollback(opened),
        stale_after_ms=int(opened.settings.stale_after_s * 1000),
    )
    return RunningLog(opened, hosted)


def detects_rollback(opened: OpenedLog) -> bool:
    """Whether witnesses or an anchor would notice that the log was set back (D8)."""
    asks = opened.policy is not None and opened.policy.asks_for_witnesses
    return asks or opened.settings.anchor is not None


def _make_log(
    opened: OpenedLog, data: Path, clock: Clock, disk_margin_bytes: int
) -> Log:
    """Make the log that the rest of the server sees."""
    settings = opened.settings
    kind = read_genesis(opened.store).kind
    unwitnessed_s = settings.max_unwitnessed_s
    limits = LogLimits(
        min_free_bytes=disk_margin_bytes,
        max_unwitnessed_entries=settings.max_unwitnessed_entries,
        max_unwitnessed_ms=None if unwitnessed_s is None else int(unwitnessed_s * 1000),
    )
    return Log(
        Identity(opened.name, opened.state.origin, kind, opened.key),
        reader=Reader(opened.store),
        head=opened.state.head,
        published=opened.published,
        policy=opened.policy,
        clock=clock,
        limits=limits,
        free_bytes=partial(free_bytes, log_directory(data, opened.name)),
    )
