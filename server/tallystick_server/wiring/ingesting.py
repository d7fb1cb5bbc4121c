"""Put an intake together for each log of events, around the one vault of the server."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tallystick_merkle.genesis import EVENTS, tenant_of
from tallystick_server.clock import Clock
from tallystick_server.config.model import LogSettings
from tallystick_server.errors import StoreError
from tallystick_server.ingest.deadletters import DeadLetters
from tallystick_server.ingest.followed import Followed
from tallystick_server.ingest.intake import Intake
from tallystick_server.ingest.keys import Keys
from tallystick_server.ingest.letterfile import Bounds
from tallystick_server.ingest.names import dead_letters_name, snapshot_name
from tallystick_server.ingest.noise import Noise
from tallystick_server.ingest.opened import Records
from tallystick_server.ingest.producers import Producers
from tallystick_server.ingest.schemas.registry import Registry
from tallystick_server.ingest.sealers import ProcessBench, Sealers, ThreadBench
from tallystick_server.ingest.tending import Tending
from tallystick_server.log.log import Log
from tallystick_server.log.paths import derived_directory
from tallystick_server.log.startup import read_genesis
from tallystick_server.log.ticker import IntervalTicker
from tallystick_server.vault.base import Vault, VaultKey, check_mark
from tallystick_server.wiring.opening import OpenedLog

TEND_S = 1.0
"""Seconds between two looks at what an intake has to do by itself."""

SNAPSHOT = "followed.cbor"
"""Name of the snapshot of what follows the events of a log."""

LETTERS = "dead-letters.sqlite"
"""Name of the file of the dead letters of a log."""


class Workshop:
    """What all intakes of a process share: the vault, threads, and who seals."""

    def __init__(self, vault: Vault, *, processes: int) -> None:
        """Take an open vault; `processes` of their own seal batches."""
        self.vault = vault
        self.vault_thread = ThreadPoolExecutor(1, "vault")
        self.reading_thread = ThreadPoolExecutor(1, "opening")
        self._sealing_thread = ThreadPoolExecutor(1, "sealing")
        self.sealers = Sealers(
            ThreadBench(self._sealing_thread, secrets.token_bytes),
            [ProcessBench() for _ in range(processes)],
        )

    async def close(self) -> None:
        """End the processes and threads; the vault is its opener's."""
        await self.sealers.close()
        for thread in (self.vault_thread, self.reading_thread, self._sealing_thread):
            thread.shutdown()


@dataclass(frozen=True, slots=True)
class RunningIntake:
    """An intake, and what tends it."""

    intake: Intake
    tending: Tending

    async def start(self) -> None:
        """Catch up with the log; raises IntegrityError where it cannot be read."""
        self.intake.followed.load()
        await self.intake.followed.catch_up()

    async def close(self) -> None:
        """Save what can be derived again, so that it need not be."""
        await self.intake.finish()
        await self.tending.save()
        await self.intake.letters.close()


@dataclass(frozen=True, slots=True)
class _LetterKeys:
    """Gives the keys of a log's dead letters. Called in the thread of the letters."""

    vault: Vault
    name: bytes

    def current(self) -> VaultKey:
        return self.vault.ensure([self.name])[self.name]

    def find(self, kid: bytes) -> VaultKey | None:
        return self.vault.by_kid([kid]).get(kid)


@dataclass(frozen=True, slots=True)
class SnapshotKey:
    """Authenticates a log's snapshots. `may_make` says that the vault may be written.

    The key is made with the first snapshot.  Blocks; may be called by any thread.
    """

    vault: Vault
    name: bytes
    may_make: bool

    def mac(self, data: bytes) -> bytes:
        """Give the HMAC-SHA256 of a snapshot; raise StoreError without a key."""
        key = self.vault.find([self.name]).get(self.name)
        if key is None:
            if not self.may_make:
                raise StoreError("the vault has no key of snapshots of this log")
            key = self.vault.ensure([self.name])[self.name]
        return hmac.digest(key.secret, data, "sha256")


def make_intake(
    opened: OpenedLog,
    log: Log,
    workshop: Workshop | None,
    *,
    data: Path,
    clock: Clock,
    on_failure: Callable[[BaseException], None],
) -> RunningIntake | None:
    """Make the intake of a log; None for a log of other entries, or without a vault.

    Raises IntegrityError for a log that is newer than the vault (D16).
    """
    if log.kind != EVENTS or workshop is None:
        return None
    vault, place = workshop.vault, derived_directory(data, log.name)
    if opened.state.vault is not None:
        check_mark(vault, opened.state.vault, needed_by=f"the log {log.name}")
    tenant = tenant_of(read_genesis(opened.store))
    records = Records(log, vault, workshop.reading_thread)
    unknown = opened.settings.unknown_actions
    registry = Registry(log_name=log.name, unknown=unknown)
    producers = Producers()
    key = SnapshotKey(vault, snapshot_name(tenant), opened.signer is not None)
    intake = Intake(
        log=log,
        tenant=tenant,
        unknown=unknown,
        sealers=workshop.sealers,
        keys=Keys(vault, workshop.vault_thread, on_failure=on_failure),
        registry=registry,
        producers=producers,
        letters=DeadLetters(
            place / LETTERS,
            origin=log.origin,
            bounds=_bounds(opened.settings),
            keys=_LetterKeys(vault, dead_letters_name(tenant)),
            clock=clock,
            draw=secrets.token_bytes,
            refusal=lambda: log.refusal if log.is_read_only else None,
        ),
        records=records,
        followed=Followed(
            {"producers": producers, "schemas": registry},
            records,
            origin=log.origin,
            path=place / SNAPSHOT,
            size=lambda: log.head.size,
            root_at=log.reader.root,
            mac=key.mac,
        ),
        executor=workshop.reading_thread,
        clock=clock,
        draw=Noise(secrets.token_bytes),
    )
    return RunningIntake(intake, Tending(intake, IntervalTicker(TEND_S)))


def _bounds(settings: LogSettings) -> Bounds:
    return Bounds(
        settings.dead_letters_max,
        settings.dead_letters_max_bytes,
        settings.dead_letters_days,
    )
