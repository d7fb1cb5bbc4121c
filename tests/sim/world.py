"""A simulated world: a log, its witnesses, services, auditors, and what goes wrong.

    run(seed)   chaos for a simulated while, then healing; then all must come good:
                every promise discharged, every receipt valid, every audit clean

The same seed and scale give the same history, whatever else the machine does.
"""

from __future__ import annotations

import asyncio
import logging
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.keys import format_vkey
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_server.log.tokenfile import change_tokens
from tallystick_server.log.tokens import make_token
from tests.fakes.logs import NAME, ORIGIN, log_key, memory_log
from tests.reference.rfc6962 import leaf
from tests.sim import loop as virtual
from tests.sim.clocks import EPOCH_MS, NodeClock
from tests.sim.disks import LogDisk
from tests.sim.log_node import LogNode, LogParts
from tests.sim.monitor import Monitor
from tests.sim.nemesis import Nemesis, Operator, nodes
from tests.sim.net import Network
from tests.sim.people import Auditor, Service
from tests.sim.process import is_crash
from tests.sim.set_back import SetBack
from tests.sim.witness_node import (
    WitnessNode,
    WitnessParts,
    witness_disk,
    witness_key,
)

CALM_S = 7200.0
"""Longest time, in simulated seconds, in which a healed world must come good."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a world is, and how rough.

    `hours` of chaos, a misfortune every `mean_s` seconds on average.
    """

    hours: float = 1.0
    mean_s: float = 60.0
    services: int = 2
    auditors: int = 1
    pace_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a world is built of; a planted bug replaces parts."""

    scale: Scale = field(default_factory=Scale)
    log: LogParts = field(default_factory=LogParts)
    witness: WitnessParts = field(default_factory=WitnessParts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a world ended: its history's hash, what was broken, and what was done."""

    history: str
    broken: tuple[str, ...]
    counts: dict[str, int]
    strikes: dict[str, int]
    operations: int
    receipts: int
    size: int


def run(seed: int, plan: Plan | None = None) -> Outcome:
    """Run the world of a seed to its end, or to the first broken rule."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, quiet():
        world: list[World] = []

        async def main() -> None:
            world.append(World(chance, plan or Plan(), Path(folder)))
            await world[0].live()

        def report(context: dict[str, Any]) -> None:
            error = context.get("exception")
            if world and not is_crash(error):
                world[0].monitor.fail(
                    "no error gets lost", f"{context.get('message')}: {error!r}"
                )

        virtual.run(
            main(), latency=lambda: chance.uniform(0.0005, 0.01), on_error=report
        )
    return world[0].outcome()


class World:
    """Everything that there is. Made on the loop it lives on."""

    def __init__(self, chance: random.Random, plan: Plan, folder: Path) -> None:
        """Build all machines; nothing runs yet."""
        loop = asyncio.get_running_loop()
        self.chance = chance
        self.receipts = 0
        self.scale = plan.scale
        inner = memory_log()
        names = [f"w{number}" for number in range(1, 4)]
        self.policy = policy_of(names)
        self.monitor = Monitor(log_key().verifier, self.policy, loop.time)
        self.monitor.grow(leaf(inner.store.read_entries(0, 1)[0]))
        self.net = Network(chance, self.monitor)
        self.log = LogNode(
            name="log",
            disk=LogDisk(inner.store, has_anchor=chance.random() < 0.5),
            policy=self.policy,
            tokens=folder / "tokens.json",
            net=self.net,
            clock=NodeClock(loop.time),
            monitor=self.monitor,
            chance=chance,
            parts=plan.log,
        )
        token = self._make_token()
        self.net.host("log", self.log.answer)
        self.witnesses = [self._witness(name, plan.witness) for name in names]
        address = LogAddress(
            ORIGIN, f"http://log/v1/logs/{NAME}", f"http://log/t/{NAME}", token
        )
        common = (address, self.policy, self.net, self.monitor, chance)
        self.services = [
            Service(f"service{number}", *common, pace_s=self.scale.pace_s)
            for number in range(self.scale.services)
        ]
        self.auditors = [
            Auditor(f"auditor{number}", *common)
            for number in range(self.scale.auditors)
        ]
        people = [*self.services, *self.auditors]
        self.operator = Operator(self.log, self.witnesses, people, chance)
        self.nemesis = Nemesis(
            self.log,
            self.witnesses,
            people,
            self.net,
            self.monitor,
            chance,
            self.scale.mean_s,
            SetBack(self.log, self.witnesses, self.monitor),
        )

    async def live(self) -> None:
        """Go through chaos and healing; stop at the first broken rule."""
        self.operator.look()
        operating = asyncio.ensure_future(self.operator.run())
        try:
            striking = asyncio.ensure_future(self.nemesis.run())
            await self._until(lambda: False, self.scale.hours * 3600)
            striking.cancel()
            with suppress(asyncio.CancelledError):
                await striking
            self.nemesis.heal()
            self.operator.look()
            await self.come_good(after_s=0.0)
        finally:
            operating.cancel()
            for node in nodes(self.log, self.witnesses):
                node.kill()
            for person in self.nemesis.people:
                person.kill()

    async def come_good(self, *, after_s: float) -> list[str]:
        """Go on for a while, let nobody begin anything new, and check everything.

        Gives what was broken.  The world's operator must be at work.
        """
        await self._until(lambda: False, after_s)
        for service in self.services:
            service.is_open = False
        is_good = await self._until(self._is_good, CALM_S)
        self.monitor.require(is_good, "a healed world comes good", self._what_is_left())
        await self._check_all()
        return list(map(str, self.monitor.broken))

    def outcome(self) -> Outcome:
        """Say how it ended."""
        people = [*self.services, *self.auditors]
        return Outcome(
            self.monitor.history,
            tuple(map(str, self.monitor.broken)),
            dict(self.monitor.counts),
            dict(self.nemesis.strikes),
            sum(person.operations for person in people),
            self.receipts,
            self.monitor.size,
        )

    async def _until(self, holds: Callable[[], bool], most_s: float) -> bool:
        """Let time pass until something holds, or a rule is broken, or for so long."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + most_s
        while loop.time() < end_s and not self.monitor.broken:
            if holds():
                return True
            await asyncio.sleep(5.0)
        return False

    def _is_good(self) -> bool:
        """Whether everything that was promised is kept."""
        published = self.log.log.published if self.log.log is not None else None
        return (
            all(service.is_done for service in self.services)
            and published is not None
            and published.size == self.monitor.size
        )

    def _what_is_left(self) -> str:
        """Say what is not as it should be."""
        log = self.log.log
        return (
            f"pending {[one.name for one in self.services if one.pending]}, "
            f"promised {[len(one.promised) for one in self.services]}, "
            f"published {log.published.size if log and log.published else None} of "
            f"{self.monitor.size}, stopped {log.stopped if log else 'down'}, "
            f"ends {self.log.ends[-2:]}"
        )

    async def _check_all(self) -> None:
        """Check, at the end, what can only be checked then."""
        if self.monitor.broken:
            return
        self.monitor.require(
            not self.monitor.missing(),
            "no acked entry is missing",
            ", ".join(self.monitor.missing()[:5]),
        )
        for service in self.services:
            self.receipts += service.check_receipts()
        for auditor in self.auditors:
            auditor.boot()
            assert auditor.process is not None
            done = await auditor.audit(auditor.process, from_start=True)
            self.monitor.require(
                done and auditor.audited == self.monitor.size,
                "a last audit of everything is clean",
                f"{auditor.name} has seen {auditor.audited} of {self.monitor.size}",
            )
        expected = ("ClockError", "StoreError")  # clocks are twisted, disks do fail
        refused = [why for why in self.log.refusals if not why.startswith(expected)]
        was_set_back = "set back in fact" in self.nemesis.strikes
        self.monitor.require(
            was_set_back or not refused,
            "an honest log is never refused",
            "; ".join(refused[:3]),
        )
        self.monitor.require(
            was_set_back or not self.log.disk.evidence.kept,
            "there is no evidence against an honest log",
            str(self.log.disk.evidence.kept[:1]),
        )

    def _make_token(self) -> str:
        new = make_token(
            log=NAME,
            created_ms=EPOCH_MS,
            draw=self.chance.randbytes,
            principal="service",
        )
        change_tokens(self.log.tokens, lambda tokens: [*tokens, new.token])
        return new.text

    def _witness(self, name: str, parts: WitnessParts) -> WitnessNode:
        loop = asyncio.get_running_loop()
        node = WitnessNode(
            name=name,
            disk=witness_disk(name),
            net=self.net,
            clock=NodeClock(loop.time),
            monitor=self.monitor,
            chance=self.chance,
            parts=parts,
        )
        self.net.host(name, node.answer)
        return node


def policy_of(names: list[str]) -> Policy:
    """Ask for two of three witnesses, each at its own machine."""
    lines = [f"log {format_vkey(log_key().verifier)}"]
    lines += [
        f"witness {name} {format_vkey(witness_key(name).verifier)} http://{name}"
        for name in names
    ]
    lines += [f"group most {len(names) // 2 + 1} {' '.join(names)}", "quorum most", ""]
    return parse_policy("\n".join(lines).encode())


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the product's own log lines out of the way: there are millions."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
