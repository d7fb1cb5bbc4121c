"""Make one log run: open it, clear it, start it, and give what is hosted.

opened log → log that reads → keeper (clearance, writer, publisher) → hosted
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tallystick_server.clock import Clock
from tallystick_server.config.load import Loaded
from tallystick_server.errors import UsageError
from tallystick_server.log.clearance import rollback_is_detectable
from tallystick_server.log.evidence import FileEvidence
from tallystick_server.log.keyring import Signer
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.paths import log_directory, store_directory
from tallystick_server.log.publishing import PublishSettings
from tallystick_server.log.reader import Reader
from tallystick_server.log.sequencer import QueueLimits, Sequencer
from tallystick_server.log.startup import read_genesis
from tallystick_server.log.tokenfile import tokens_path
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.log.witnesses import PeerWitnesses, targets_of
from tallystick_server.log.writer import Writer
from tallystick_server.ops.disk import free_bytes, share_filesystem
from tallystick_server.ops.peers import Peers
from tallystick_server.web.freshness import Freshness
from tallystick_server.web.services import Hosted, Standing
from tallystick_server.wiring.keeping import Keeper
from tallystick_server.wiring.opening import (
    OpenedLog,
    open_for_reading,
    open_for_writing,
)

log = logging.getLogger(__name__)

EVIDENCE = "evidence"
"""Folder, in a log's own, of heads that contradict it."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Dangerous things that an operator allows for one start, by the log's name.

    `new_anchor`: begin an anchor anew.  `unproven`: sign though no quorum of witnesses
    confirmed that the log was not set back.
    """

    new_anchor: frozenset[str] = frozenset()
    unproven: frozenset[str] = frozenset()


def check_permissions(
    permissions: Permissions, loaded: Loaded, names: Collection[str]
) -> None:
    """Raise UsageError for a permission that could have no effect.

    It was meant for something: for a log that is misspelt, or one whose anchor was
    never configured.  `names` are the logs that there are.
    """
    asked = {"--new-anchor": permissions.new_anchor}
    asked["--sign-unproven"] = permissions.unproven
    for flag, wanted in asked.items():
        if missing := sorted(wanted.difference(names)):
            known = ", ".join(names) or "none"
            raise UsageError(
                f"{flag} {missing[0]}: there is no such log (there is: {known})"
            )
        if wanted and loaded.settings.server.read_only:
            raise UsageError(f"{flag}: a read-only server signs nothing")
    for name in sorted(permissions.new_anchor):
        if loaded.log(name).anchor is None:
            raise UsageError(
                f"--new-anchor {name}: this log has no anchor; name its file in the "
                f"configuration: [logs.{name}] anchor"
            )


@dataclass(frozen=True, slots=True)
class World:
    """What every log of a process works with.

    `on_failure` is told the name of a log whose writer has failed, and the error: the
    process must end (D10).
    """

    clock: Clock
    peers: Peers
    permissions: Permissions
    on_failure: Callable[[str, BaseException], None]


@dataclass(frozen=True, slots=True)
class RunningLog:
    """A log that is served, what it was opened with, and who keeps it, if anybody."""

    opened: OpenedLog
    hosted: Hosted
    keeper: Keeper | None

    @property
    def log(self) -> Log:
        """The log itself."""
        return self.hosted.log

    async def close(self) -> None:
        """End the writer, then close what was opened."""
        await self.log.close()
        self.opened.close()


async def start_log(name: str, loaded: Loaded, world: World) -> RunningLog:
    """Open a log, ask its witnesses, and start it. Raises StartError or StoreError.

    Requires a running event loop.
    """
    server, settings = loaded.settings.server, loaded.log(name)
    if server.read_only:
        opened = open_for_reading(server.data, name, settings)
    else:
        opened = open_for_writing(
            server.data,
            name,
            settings,
            clock=world.clock,
            allow_new_anchor=name in world.permissions.new_anchor,
        )
    try:
        running = _make_running(opened, loaded, world)
        if not running.hosted.detects_rollback:
            log.warning("rollback not detectable", extra={"log": name})
        if running.hosted.anchor_shares_disk:
            log.warning("anchor beside the store", extra={"log": name})
        if running.keeper is not None:
            await running.keeper.clear()
    except BaseException:
        opened.close()
        raise
    return running


def _make_running(opened: OpenedLog, loaded: Loaded, world: World) -> RunningLog:
    """Put the parts of one log together; nothing is signed yet."""
    server, settings, name = loaded.settings.server, opened.settings, opened.name
    clock = world.clock
    shown = _make_log(opened, server.data, clock, server.disk_margin_bytes)
    standing = Standing()
    targets = targets_of(opened.policy, settings.monitoring)
    keeper = None
    if opened.signer is not None:
        keeper = Keeper(
            opened,
            shown,
            standing,
            targets,
            PeerWitnesses(world.peers, timeout_s=server.witness_timeout_s),
            FileEvidence(log_directory(server.data, name) / EVIDENCE),
            clock,
            start_writer=partial(_start_writer, opened, opened.signer, shown, world),
            publish_settings=PublishSettings(republish_s=settings.republish_s),
            may_be_unproven=name in world.permissions.unproven,
        )
    hosted = Hosted(
        shown,
        TokenGate(name, tokens_path(server.data, name), clock),
        Freshness(),
        standing,
        detects_rollback=rollback_is_detectable(
            targets, has_anchor=settings.anchor is not None
        ),
        anchor_shares_disk=opened.anchor is not None
        and settings.anchor is not None
        and share_filesystem(settings.anchor, store_directory(server.data, name)),
        stale_after_ms=int(settings.stale_after_s * 1000),
    )
    return RunningLog(opened, hosted, keeper)


def _make_log(
    opened: OpenedLog, data: Path, clock: Clock, disk_margin_bytes: int
) -> Log:
    """Make the log that the rest of the server sees; it reads, and takes nothing."""
    settings = opened.settings
    unwitnessed_s = settings.max_unwitnessed_s
    kind = read_genesis(opened.store).kind
    free: Callable[[], int] = partial(free_bytes, log_directory(data, opened.name))
    limits = LogLimits(
        min_free_bytes=disk_margin_bytes,
        max_unwitnessed_entries=settings.max_unwitnessed_entries,
        max_unwitnessed_ms=None if unwitnessed_s is None else int(unwitnessed_s * 1000),
    )
    return Log(
        Identity(opened.name, opened.state.origin, kind, opened.key),
        reader=Reader(opened.store, opened.state.head),
        head=opened.state.head,
        published=opened.published,
        policy=opened.policy,
        clock=clock,
        limits=limits,
        free_bytes=free,
    )


def _start_writer(opened: OpenedLog, signer: Signer, shown: Log, world: World) -> None:
    """Start the writer of a log that was cleared. Requires a running event loop."""
    writer = Writer(
        store=opened.store,
        signer=signer,
        state=opened.state,
        clock=world.clock,
        anchor=opened.anchor,
    )
    limits = QueueLimits(
        queue_entries=opened.settings.max_queue,
        queue_bytes=opened.settings.max_queue_bytes,
    )
    sequencer = Sequencer(writer, limits=limits, on_head=shown.saw_head)
    sequencer.start()
    shown.attach(sequencer, stop=writer.stop_signing, stopped=lambda: writer.stopped)
    sequencer.failed.add_done_callback(
        lambda failed: world.on_failure(opened.name, failed.result())
    )
