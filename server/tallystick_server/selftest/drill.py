"""The whole drill: look at the disk, then crash and verify, round by round, in bounds.

A drill is bounded in time or in rounds, and in space: a log that has grown over its
share is left, after its own rollback drill, for a new one.  The first fault ends it,
and the scratch is kept; otherwise, and when the drill is interrupted, it is removed.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tallystick_server.clock import Clock
from tallystick_server.ops.peers import Peers
from tallystick_server.selftest.children import DrillError, Family, Programs
from tallystick_server.selftest.clockwatch import ClockWatch
from tallystick_server.selftest.disk import look_at_disk
from tallystick_server.selftest.ledger import Kind, Ledger
from tallystick_server.selftest.load import Load
from tallystick_server.selftest.place import Place, make_scratch, used_bytes
from tallystick_server.selftest.plan import Parcel, Round, draw_round, marker
from tallystick_server.selftest.report import Check, Counts, Report, Result
from tallystick_server.selftest.rollback import drill_rollback, require_start
from tallystick_server.selftest.scene import Scene
from tallystick_server.selftest.summary import drill_checks
from tallystick_server.selftest.verify import verify

LOG_BYTES = 32 * 1024 * 1024
"""What one log and its copies may take on the disk before a new one is begun."""

STOPS_MS = 5_000
"""A step of the clock from which on a log stops signing (D12)."""

_REPEATED = 5

Progress = Callable[[str, float], None]
"""Told of what is done now, and of the share that is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a drill is asked to do, bounded by `rounds`, or by `seconds` without it."""

    directory: Path
    seed: int
    seconds: float
    rounds: int | None
    programs: Programs
    clock: Clock
    on_progress: Progress


async def run_drill(orders: Orders) -> Report:
    """Run a drill and report.

    Raises UsageError for a place where no log may be, DrillError or StoreError when the
    drill cannot be run.
    """
    scratch = await asyncio.to_thread(make_scratch, orders.directory)
    drill = _Drill(orders, scratch)
    is_good = True
    try:
        report = await drill.run()
        is_good = report.is_good
        return report
    finally:
        await drill.close()
        if is_good:
            await asyncio.to_thread(shutil.rmtree, scratch)


class _Drill:
    """One drill, as it runs."""

    def __init__(self, orders: Orders, scratch: Path) -> None:
        self._orders = orders
        self._scratch = scratch
        self._family = Family(scratch / "logs")
        self._peers = Peers()
        self._counts = Counts()
        self._watch = ClockWatch(orders.clock)
        self._began_ms = orders.clock.monotonic_ms()
        self._slowest_s = 0.0
        self._reserve_s = 0.0
        self._noticed: list[str] = []

    async def run(self) -> Report:
        """Probe, drill, report."""
        self._tell("looking at the disk")
        probed = await asyncio.to_thread(lambda: list(look_at_disk(self._scratch)))
        scene = None
        if all(check.result is not Result.FAILED for check in probed):
            scene = await self._crash()
        self._watch.look()
        ledger = Ledger() if scene is None else scene.ledger
        self._blame_clock(ledger)
        self._count(ledger)
        checks = [
            *probed,
            self._watch.judge(),
            *drill_checks(
                self._counts,
                ledger.faults,
                has_witness=scene is not None and scene.has_witness,
                noticed=self._noticed,
            ),
        ]
        return self._report(checks, ledger)

    async def close(self) -> None:
        """Leave no process and no connection."""
        await self._family.close()
        await self._peers.close()

    async def _crash(self) -> Scene:
        """Do round after round, on a new log when one has grown too large."""
        number = 0
        while True:
            scene = await self._begin(self._counts.logs + 1)
            is_full = False
            while not is_full and (number == 0 or self._has_time(number)):
                number += 1
                await self._round(scene, draw_round(self._orders.seed, number))
                if scene.ledger.faults:
                    return scene
                used = await asyncio.to_thread(used_bytes, scene.place.path)
                is_full = used > LOG_BYTES
            self._tell("setting the log back")
            began = self._elapsed_s()
            self._noticed = await drill_rollback(
                scene, seed=self._orders.seed, number=number
            )
            self._reserve_s = max(self._reserve_s, self._elapsed_s() - began)
            if scene.ledger.faults or not self._has_time(number):
                return scene
            await self._leave(scene)

    async def _begin(self, number: int) -> Scene:
        """Make a log and its witness, and start both."""
        self._tell("making a log and a witness")
        began = self._elapsed_s()
        scene = Scene(
            Place(self._scratch / f"log-{number}"),
            self._family,
            self._orders.programs,
            peers=self._peers,
            counts=self._counts,
        )
        await scene.make()
        for ended in (
            await scene.start_witness(),
            await scene.start_server(has_anchor=True),
        ):
            if ended is not None:
                raise DrillError(f"a first start {ended}")
        self._reserve_s = max(self._reserve_s, 2 * (self._elapsed_s() - began))
        return scene

    async def _leave(self, scene: Scene) -> None:
        """Be done with a log that is sound to the last, and remove it."""
        self._count(scene.ledger)
        await scene.kill_server()
        await scene.kill_witness()
        await asyncio.to_thread(shutil.rmtree, scene.place.path)

    async def _round(self, scene: Scene, plan: Round) -> None:
        """Load, kill, check what is stored, start again, verify."""
        self._tell(f"round {plan.number}")
        began = self._elapsed_s()
        ledger = scene.ledger
        load = Load(scene, list(plan.parcels))
        await load.run(plan)
        if ledger.faults:
            return
        ended, _ = await asyncio.gather(scene.start_witness(), scene.fsck())
        if ended is not None:
            text = f"the witness did not start after a kill: it {ended}"
            ledger.fault(Kind.WITNESS, text)
        await scene.ask_witness()
        if ledger.faults:
            return
        if not scene.place.older.exists():
            await asyncio.to_thread(scene.place.keep_older)
        await self._start_again(scene, plan)
        if not ledger.faults:
            again = [*load.unanswered, *_some(ledger)]
            await verify(scene, again, marker(self._orders.seed, plan.number, 0))
        self._watch.look()
        self._counts.rounds += 1
        self._slowest_s = max(self._slowest_s, self._elapsed_s() - began)

    async def _start_again(self, scene: Scene, plan: Round) -> None:
        """Start the server; kill one start before that, if drawn."""
        if plan.kill_starting_ms is not None:
            child = await scene.begin_server(has_anchor=plan.has_anchor)
            await asyncio.sleep(plan.kill_starting_ms / 1000)
            await child.kill()
            self._counts.start_kills += 1
        await require_start(scene, has_anchor=plan.has_anchor)

    def _blame_clock(self, ledger: Ledger) -> None:
        """Raise DrillError where only starts failed, and the clock had stepped."""
        step_ms = self._watch.largest_ms
        kinds = {fault.kind for fault in ledger.faults}
        if abs(step_ms) >= STOPS_MS and kinds == {Kind.RESTART}:
            raise DrillError(
                f"the clock stepped by {step_ms} ms meanwhile, and a log stops for "
                "that: set it right and run the selftest again"
            )

    def _count(self, ledger: Ledger) -> None:
        """Count what was said of a log that is left."""
        self._counts.acked += ledger.acked
        self._counts.heads += len(ledger.heads)

    def _has_time(self, number: int) -> bool:
        """Whether another round, and what comes after it, fits in."""
        if self._orders.rounds is not None:
            return number < self._orders.rounds
        needed_s = 1.2 * self._slowest_s + self._reserve_s
        return self._elapsed_s() + needed_s < self._orders.seconds

    def _elapsed_s(self) -> float:
        return (self._orders.clock.monotonic_ms() - self._began_ms) / 1000

    def _tell(self, text: str) -> None:
        """Say what is done now."""
        orders = self._orders
        done = self._elapsed_s() / orders.seconds
        if orders.rounds is not None:
            done = self._counts.rounds / orders.rounds
        orders.on_progress(text, min(done, 1.0))

    def _report(self, checks: Sequence[Check], ledger: Ledger) -> Report:
        """Sum up; what failed is written into the scratch, which is kept then."""
        is_good = all(check.result is not Result.FAILED for check in checks)
        report = Report(
            self._orders.directory,
            self._orders.seed,
            self._elapsed_s(),
            self._counts,
            tuple(checks),
            None if is_good else self._scratch,
        )
        if not is_good:
            acks = [
                {"key": ack.parcel.key, "first": ack.first, "size": ack.head.size}
                for ack in ledger.acks.values()
            ]
            document = {
                **report.document(),
                "faults": [asdict(fault) for fault in ledger.faults],
                "acks": acks,
            }
            text = json.dumps(document, indent=1)
            (self._scratch / "report.json").write_text(text, "utf-8")
        return report


def _some(ledger: Ledger) -> list[Parcel]:
    """Give some requests that were answered already, the last ones."""
    return [ack.parcel for ack in list(ledger.acks.values())[-_REPEATED:]]
