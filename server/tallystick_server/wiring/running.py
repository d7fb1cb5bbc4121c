"""Make one log run: open it, clear it, start it, and give what is hosted.

opened log → log that reads → keeper (clearance, writer, publisher) → hosted
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tallystick_server.clock import Clock
from tallystick_server.config.load import Loaded
from tallystick_server.config.model import LogSettings
from tallystick_server.errors import UsageError
from tallystick_server.log.clearance import rollback_is_detectable
from tallystick_server.log.evidence import FileEvidence
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.marker import Marker, State, read_marker
from tallystick_server.log.paths import (
    evidence_directory,
    log_directory,
    store_directory,
)
from tallystick_server.log.publishing import PublishSettings
from tallystick_server.log.reader import Reader
from tallystick_server.log.startup import read_genesis
from tallystick_server.log.tokenfile import tokens_path
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.log.witnesses import PeerWitnesses, targets_of
from tallystick_server.log.writer import Writer
from tallystick_server.ops.disk import free_bytes, share_filesystem
from tallystick_server.ops.peers import Peers
from tallystick_server.web.freshness import Freshness
from tallystick_server.web.services import Hosted, Standing
from tallystick_server.wiring.ingesting import RunningIntake, Workshop, make_intake
from tallystick_server.wiring.keeping import Keeper
from tallystick_server.wiring.opening import (
    OpenedLog,
    open_for_reading,
    open_for_writing,
)
from tallystick_server.wiring.writing import start_writer

log = logging.getLogger(__name__)

RESTORED = (
    "the log was restored from a backup and is read-only until it is promoted: "
    "tallystick server promote"
)
"""Why a restored log takes no entry."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Dangerous things that an operator allows for one start, by the log's name.

    `new_anchor`: begin an anchor anew.  `unproven`: sign though no quorum of witnesses
    confirmed that the log was not set back.
    """

    new_anchor: frozenset[str] = frozenset()
    unproven: frozenset[str] = frozenset()

    def by_flag(self) -> Mapping[str, frozenset[str]]:
        """Give the names that each flag was given for."""
        return {"--new-anchor": self.new_anchor, "--sign-unproven": self.unproven}


def check_permissions(
    permissions: Permissions, loaded: Loaded, names: Collection[str]
) -> None:
    """Raise UsageError for a permission that could have no effect.

    It was meant for something: for a log that is misspelt, or one whose anchor was
    never configured.  `names` are the logs that there are.
    """
    for flag, wanted in permissions.by_flag().items():
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
    process must end (D10).  `writer` makes each log's writer.  `workshop` is there
    where a log of events is, and its vault can be used.
    """

    clock: Clock
    peers: Peers
    permissions: Permissions
    on_failure: Callable[[str, BaseException], None]
    writer: type[Writer] = Writer
    workshop: Workshop | None = None


@dataclass(frozen=True, slots=True)
class RunningLog:
    """A log that is served, what it was opened with, and who keeps it, if anybody."""

    opened: OpenedLog
    hosted: Hosted
    keeper: Keeper | None
    intake: RunningIntake | None

    @property
    def log(self) -> Log:
        """The log itself."""
        return self.hosted.log

    async def close(self) -> None:
        """End the writer, then close what was opened."""
        if self.keeper is not None:
            await self.keeper.close()
        await self.log.close()
        if self.intake is not None:
            await self.intake.close()
        self.opened.close()


async def start_log(name: str, loaded: Loaded, world: World) -> RunningLog:
    """Open a log, ask its witnesses, and start it. Raises StartError or StoreError.

    Requires a running event loop.
    """
    server, settings = loaded.settings.server, loaded.log(name)
    marker = read_marker(server.data, name)
    _check_copy(name, marker, world.permissions)
    if server.read_only or _is_restored(marker):
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
        if _is_restored(marker):
            log.warning("restored, read-only", extra={"log": name})
        if running.intake is not None:
            await running.intake.start()
        if running.keeper is not None:
            await running.keeper.clear()
    except BaseException:
        opened.close()
        raise
    return running


def _is_restored(marker: Marker | None) -> bool:
    """Whether a log may only be read."""
    return marker is not None and marker.state is State.RESTORED


def _check_copy(name: str, marker: Marker | None, permissions: Permissions) -> None:
    """Raise UsageError for a permission that a restored or promoted log cannot use."""
    if _is_restored(marker):
        for flag, names in permissions.by_flag().items():
            if name in names:
                raise UsageError(f"{flag} {name}: {RESTORED}")
    if marker is not None and name in permissions.unproven:
        raise UsageError(
            f"--sign-unproven {name}: this log was promoted, and signs once a quorum "
            "of witnesses has confirmed it; nothing else will do"
        )


def _make_running(opened: OpenedLog, loaded: Loaded, world: World) -> RunningLog:
    """Put the parts of one log together; nothing is signed yet."""
    server, settings, name = loaded.settings.server, opened.settings, opened.name
    clock = world.clock
    make_log = partial(_make_log, opened, server.data, clock, server.disk_margin_bytes)
    shown = make_log()
    if _is_restored(opened.marker):
        shown.refusal = RESTORED
    standing = Standing()
    targets = targets_of(opened.policy, settings.monitoring)
    keeper = None
    if (signer := opened.signer) is not None:
        _check_witnessed(opened)
        keeper = Keeper(
            opened,
            shown,
            standing,
            targets,
            PeerWitnesses(world.peers, timeout_s=server.witness_timeout_s),
            FileEvidence(evidence_directory(server.data, name)),
            clock,
            server.data,
            start_writer=lambda log: start_writer(
                opened,
                signer,
                clock=clock,
                on_failure=partial(world.on_failure, name),
                log=log,
                make=world.writer,
            ),
            make_held=partial(make_log, is_held=True),
            publish_settings=PublishSettings(republish_s=settings.republish_s),
            may_be_unproven=name in world.permissions.unproven,
        )
    intake = make_intake(
        opened,
        shown,
        world.workshop,
        data=server.data,
        clock=clock,
        on_failure=partial(world.on_failure, name),
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
        is_public=settings.public,
        intake=None if intake is None else intake.intake,
    )
    return RunningLog(opened, hosted, keeper, intake)


def _check_witnessed(opened: OpenedLog) -> None:
    """Raise UsageError for a promoted log that nobody would ever confirm."""
    marker, policy = opened.marker, opened.policy
    if marker is None or marker.is_unwitnessed:
        return
    if policy is None or not policy.asks_for_witnesses:
        raise UsageError(
            f"the log {opened.name} was promoted to be confirmed by its witnesses, and "
            "its policy asks none; configure the policy that it had"
        )


def limits_of(
    settings: LogSettings, disk_margin_bytes: int, *, is_held: bool
) -> LogLimits:
    """Give the limits of a log; for one that is held, of the disk alone.

    What a restored log has that no witness ever saw is witnessed with its promotion
    entry and not before: a limit on it would keep that entry out for good.
    """
    if is_held:
        return LogLimits(min_free_bytes=disk_margin_bytes)
    unwitnessed_s = settings.max_unwitnessed_s
    return LogLimits(
        min_free_bytes=disk_margin_bytes,
        max_unwitnessed_entries=settings.max_unwitnessed_entries,
        max_unwitnessed_ms=None if unwitnessed_s is None else int(unwitnessed_s * 1000),
    )


def _make_log(
    opened: OpenedLog,
    data: Path,
    clock: Clock,
    disk_margin_bytes: int,
    *,
    is_held: bool = False,
) -> Log:
    """Make the log that the rest of the server sees; it reads, and takes nothing."""
    kind = read_genesis(opened.store).kind
    free: Callable[[], int] = partial(free_bytes, log_directory(data, opened.name))
    return Log(
        Identity(opened.name, opened.state.origin, kind, opened.key),
        reader=Reader(opened.store, opened.state.head),
        head=opened.state.head,
        published=opened.published,
        policy=opened.policy,
        clock=clock,
        limits=limits_of(opened.settings, disk_margin_bytes, is_held=is_held),
        free_bytes=free,
    )
