"""Planted bugs: each replaces one part of the real program by one that is wrong.

The table is what keeps the simulation honest: a bug that it does not find within 50
seeds would be found by nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from tallystick_merkle.checkpoint import parse_checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.note import parse_note
from tallystick_server.errors import StoreError
from tallystick_server.log.clearance import Decision
from tallystick_server.log.startup import load_state
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import Commit, Head, Published, UsedKey
from tallystick_server.wiring.keeping import Keeper
from tallystick_witness.cosigning import make_head
from tallystick_witness.errors import StaleHeadError
from tallystick_witness.rule import Acceptance
from tallystick_witness.service import Witness
from tests.sim.disks import AnchorHandle, LogDisk, StoreHandle
from tests.sim.log_node import LogParts
from tests.sim.monitor import Monitor
from tests.sim.process import Process
from tests.sim.witness_node import WitnessParts
from tests.sim.world import Plan

PREFIX = 12
"""Bytes to which the planted truncation cuts an idempotency key."""


class UnsyncedStore(StoreHandle):
    """Skips the sync: the last commit is in memory only, and a crash loses it."""

    def __init__(self, disk: LogDisk, process: Process, monitor: Monitor) -> None:
        super().__init__(disk, process, monitor)
        self.inner = disk.snapshot()
        self._unsynced: list[Commit] = []

    def commit(self, commit: Commit) -> None:
        self.process.step()
        self.inner.commit(commit)
        self._unsynced.append(commit)
        asyncio.get_running_loop().call_later(
            30.0, self._sync, context=self.process.context
        )
        self.process.step()

    def publish(self, published: Published) -> None:
        self.inner.publish(published)
        last = self.disk.store.load().head.size
        if published.size <= last:
            self.disk.store.publish(published)

    def _sync(self) -> None:
        if self.process.is_alive and self._unsynced:
            done = self._unsynced.pop(0)
            self.disk.store.commit(done)
            self.monitor.committed(done)


class EagerWriter(Writer):
    """Releases before it commits: the store gets its turn a moment later."""

    def _make_durable(self, head: Head, store: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(0.2, _unless_dead, store)


class KeylessStore(StoreHandle):
    """Commits without the idempotency keys: a repeat is logged again."""

    def commit(self, commit: Commit) -> None:
        super().commit(replace(commit, keys=()))


class TruncatedKeys(StoreHandle):
    """Looks idempotency keys up by their first bytes."""

    def find_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, UsedKey]:
        self.process.step()
        stored = list(self.inner.keys())
        found = {}
        for key in keys:
            for known, used in stored:
                if known[:PREFIX] == key[:PREFIX]:
                    found[key] = used
        return found


class HeadFirstStore(StoreHandle):
    """Publishes before tiles: the rows of a commit come with the next one."""

    def __init__(self, disk: LogDisk, process: Process, monitor: Monitor) -> None:
        super().__init__(disk, process, monitor)
        self._late: tuple[tuple[tuple[int, int], bytes], ...] = ()

    def commit(self, commit: Commit) -> None:
        rows = self.disk.store._stored.rows
        rows.update(self._late)
        super().commit(replace(commit, rows=()))
        self._late = tuple(((row.level, row.block), row.hashes) for row in commit.rows)


class DroppedCommit(StoreHandle):
    """Swallows the error of a commit that was not stored, and goes on."""

    def commit(self, commit: Commit) -> None:
        try:
            super().commit(commit)
        except StoreError:
            return


class TrustingKeeper(Keeper):
    """Skips the check of a start: nobody is asked whether the log was set back."""

    async def _check(self) -> Decision:
        return Decision(True, "nobody was asked")


class SizesKeeper(Keeper):
    """Compares sizes and not roots with what the witnesses show."""

    async def _check(self) -> Decision:
        sizes = []
        for target in self.targets:
            note: bytes | None = None
            with suppress(KernelError):
                note = await self.witnesses.last_head(target.url, self.log.origin)
            if note is not None:
                sizes.append(parse_checkpoint(parse_note(note).text).size)
        is_ahead = any(size > self.log.head.size for size in sizes)
        is_new = self.log.head.size == 1
        may_sign = not is_ahead and (is_new or len(sizes) > 1)
        return Decision(may_sign, "sizes were compared")


class ForgetfulAnchor(AnchorHandle):
    """Never records anything, and says that it did."""

    def record(self, size: int, root: bytes) -> None:
        self._process.step()


class QuickWitness(Witness):
    """Answers before it persists: the store gets its turn a moment later."""

    def _cosign(self, acceptance: Acceptance) -> bytes:
        cosigned = make_head(acceptance, self._keys)
        log, head = acceptance.log, cosigned.head

        def later() -> None:
            try:
                self._store.advance(log.origin, log.head, head)
            except StaleHeadError:
                return

        asyncio.get_running_loop().call_later(0.5, _unless_dead, later)
        return cosigned.lines


class RememberedState:
    """Swallows a failed reload: it goes on with what it read in an earlier start."""

    def __init__(self) -> None:
        self._last: object | None = None

    def __call__(self, store: StoreHandle, key: object) -> object:
        try:
            self._last = load_state(store, key)  # type: ignore[arg-type] # passed on
        except StoreError:
            if self._last is None:
                raise
        return self._last


def no_check(*_: object) -> None:
    """Check nothing."""


def _unless_dead(work: Callable[[], None]) -> None:
    """Do late work, unless its process died in between."""
    work()


@dataclass(frozen=True, slots=True)
class Planted:
    """A planted bug: what plants it in a plan, and the rules of which it breaks one."""

    plant: Callable[[Plan], Plan]
    breaks: tuple[str, ...]


DURABLE = "a released head is durable, and one of one history"
STANDS = "a commit stands on the last one"
SET_BACK = "a log that was set back never commits"
GOES_BACK = "what is published never goes back"
INTERNAL = "no internal error"
COMES_GOOD = "a healed world comes good"
HONEST = "a client finds nothing wrong with an honest log"

PLANTED = {
    "the sync of a commit is skipped": Planted(
        lambda plan: _log(plan, store=UnsyncedStore), (DURABLE,)
    ),
    "a head is released before its commit": Planted(
        lambda plan: _log(plan, writer=EagerWriter), (DURABLE,)
    ),
    "idempotency keys are not stored": Planted(
        lambda plan: _log(plan, store=KeylessStore),
        ("what is sent again under its key is logged once",),
    ),
    "idempotency keys are truncated": Planted(
        lambda plan: _log(plan, store=TruncatedKeys), (HONEST,)
    ),
    "a head is published before its tiles": Planted(
        lambda plan: _log(plan, store=HeadFirstStore), (INTERNAL, COMES_GOOD)
    ),
    "the error of a commit is swallowed": Planted(
        lambda plan: _log(plan, store=DroppedCommit), (DURABLE,)
    ),
    "a failed reload is swallowed": Planted(
        lambda plan: _log(plan, load_state=RememberedState()), (INTERNAL, GOES_BACK)
    ),
    "a start asks no witness": Planted(
        lambda plan: _log(plan, keeper=TrustingKeeper, anchor=ForgetfulAnchor),
        (STANDS, SET_BACK, DURABLE),
    ),
    "a start compares sizes and not roots": Planted(
        lambda plan: _log(plan, keeper=SizesKeeper, anchor=ForgetfulAnchor),
        (STANDS, SET_BACK, DURABLE),
    ),
    "a witness answers before it persists": Planted(
        lambda plan: replace(plan, witness=WitnessParts(witness=QuickWitness)),
        ("no cosignature without persistence",),
    ),
    "a witness starts behind its anchor": Planted(
        lambda plan: replace(plan, witness=WitnessParts(checks=no_check)),
        ("what a witness shows never goes back",),
    ),
}
"""Each planted bug by what it does."""


def _log(plan: Plan, **parts: object) -> Plan:
    return replace(plan, log=replace(LogParts(), **parts))  # type: ignore[arg-type] # by name
