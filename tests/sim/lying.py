"""A log that lies: one key, two histories, each shown to some and kept from others.

The operator copies the log, lets both copies grow apart, leads some clients to the one
and some to the other, asks no witness at a start, and never stops on a conflict.  What
must hold all the same, as long as the witnesses are honest:

    - of the two histories at most one is ever witnessed, so no client accepts two;
    - who was shown the other one finds out as soon as he sees the true one;
    - the witnesses hold evidence, or never saw the second history.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tallystick_server.errors import SigningStoppedError
from tallystick_server.log.writer import Writer
from tests.reference.rfc6962 import leaf
from tests.sim import loop as virtual
from tests.sim.disks import LogDisk
from tests.sim.log_node import LogNode, LogParts
from tests.sim.monitor import Monitor
from tests.sim.people import Service
from tests.sim.planted import TrustingKeeper
from tests.sim.process import is_crash
from tests.sim.world import Plan, Scale, World, quiet

APART_S = 400.0
"""How long both histories are served, in simulated seconds."""


class StubbornWriter(Writer):
    """Goes on signing whatever the witnesses say."""

    def stop_signing(self, reason: str) -> None:
        del reason


@dataclass(frozen=True, slots=True)
class Lie:
    """How a lying world ended."""

    broken: tuple[str, ...]
    forked_entries: int
    complaints: int
    evidence: int
    witnessed: int


def tell(seed: int) -> Lie:
    """Run a world in which the log begins to lie."""
    chance = random.Random(seed)
    results: list[Lie] = []
    lost: list[str] = []

    def report(context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not is_crash(error) and not isinstance(error, SigningStoppedError):
            lost.append(f"no error gets lost: {context.get('message')}: {error!r}")

    async def main(folder: Path) -> None:
        results.append(await _Liar(chance, folder).lie())

    with tempfile.TemporaryDirectory() as folder, quiet():
        virtual.run(
            main(Path(folder)),
            latency=lambda: chance.uniform(0.0005, 0.01),
            on_error=report,
        )
    (lie,) = results
    return replace(lie, broken=(*lie.broken, *lost))


class _Liar:
    """The operator of one key and two histories."""

    def __init__(self, chance: random.Random, folder: Path) -> None:
        scale = Scale(services=4, auditors=2, pace_s=15.0)
        parts = LogParts(keeper=TrustingKeeper, writer=StubbornWriter)
        self.world = World(chance, Plan(scale, log=parts), folder)
        self.chance = chance
        self.parts = parts

    async def lie(self) -> Lie:
        """Grow honestly for a while, then fork, then let everybody see the truth."""
        world = self.world
        world.operator.look()
        operating = asyncio.ensure_future(world.operator.run())
        await asyncio.sleep(self.chance.uniform(30.0, 600.0))
        fork = self._fork()
        deceived = self._deceive(fork)
        fork.boot()
        await asyncio.sleep(APART_S)
        world.net.lead_right()
        for service in world.services:
            service.is_open = False
        await asyncio.sleep(APART_S)
        operating.cancel()
        lie = self._judge(fork, deceived)
        for node in (world.log, fork):
            node.kill()
        for witness in world.witnesses:
            witness.kill()
        for person in world.nemesis.people:
            person.kill()
        await asyncio.sleep(1.0)
        return lie

    def _fork(self) -> LogNode:
        """Copy the log; the copy has a monitor of its own."""
        world = self.world
        copy = world.log.disk.snapshot()
        monitor = Monitor(world.monitor.key, world.policy, world.monitor.time_s)
        for entry in copy.read_entries(0, copy.load().head.size):
            monitor.grow(leaf(entry))
        fork = LogNode(
            name="fork",
            disk=LogDisk(copy, has_anchor=False),
            policy=world.policy,
            tokens=world.log.tokens,
            net=world.net,
            clock=world.log.clock,
            monitor=monitor,
            chance=self.chance,
            parts=self.parts,
        )
        world.net.host("fork", fork.answer)
        return fork

    def _deceive(self, fork: LogNode) -> list[Service]:
        """Lead half of the services, and one auditor, to the fork from now on."""
        world = self.world
        deceived = world.services[::2]
        for person in (*deceived, world.auditors[0]):
            world.net.mislead(person.name, "log", "fork")
            person.monitor = fork.monitor
        return deceived

    def _judge(self, fork: LogNode, deceived: list[Service]) -> Lie:
        """Hold what everybody believes against both histories."""
        world = self.world
        histories = [world.monitor.leaves, fork.monitor.leaves]
        common = next(
            at
            for at, pair in enumerate(zip(*histories, strict=False))
            if pair[0] != pair[1]
        )
        sides = {self._side(service, histories, common) for service in world.services}
        broken = []
        if {0, 1} <= sides:
            broken.append("two histories of one log were witnessed")
        complaints = sum(
            one.monitor.counts.get("complained", 0) for one in world.services
        )
        complaints += sum("nothing wrong" in str(one) for one in fork.monitor.broken)
        complaints += sum("nothing wrong" in str(one) for one in world.monitor.broken)
        undischarged = [
            one.name
            for one in deceived
            if any(held.receipt.index >= common for held in one.promised)
        ]
        if undischarged and not complaints:
            broken.append(f"nobody noticed what {', '.join(undischarged)} was shown")
        evidence = sum(len(one.disk.store.evidence()) for one in world.witnesses)
        return Lie(
            tuple(broken),
            len(fork.monitor.leaves) - common,
            complaints,
            evidence,
            sum(len(one.witnessed) for one in world.services),
        )

    def _side(
        self, service: Service, histories: list[list[bytes]], common: int
    ) -> int | None:
        """Say which history a service holds witnessed receipts of; None for neither."""
        for held in service.witnessed:
            index = held.receipt.index
            if index < common:
                continue
            for side, leaves in enumerate(histories):
                if index < len(leaves) and leaves[index] == held.leaf:
                    return side
        return None
