"""What goes wrong in a simulated world, and the operator who sets it right again.

The nemesis strikes at drawn moments, one misfortune at a time, for a bounded time
each; several may be under way at once.  The operator looks after dead processes and
wrong clocks, as people and supervisors do.  In the end everything is healed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field

from tallystick_witness.errors import UnavailableError
from tests.sim.clocks import NodeClock
from tests.sim.disks import NOT_STORED, STORED
from tests.sim.log_node import LogNode
from tests.sim.monitor import Monitor
from tests.sim.net import Network
from tests.sim.people import Person
from tests.sim.set_back import SetBack
from tests.sim.witness_node import WitnessNode

LOOKS_EVERY_S = 5.0

Node = LogNode | WitnessNode


@dataclass(slots=True)
class Operator:
    """Restarts what has died, and sets clocks right when something waits for it."""

    log: LogNode
    witnesses: Sequence[WitnessNode]
    people: Sequence[Person]
    chance: random.Random
    _not_before_s: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Look after everything, again and again."""
        while True:
            await asyncio.sleep(self.chance.uniform(0.0, 2 * LOOKS_EVERY_S))
            self.look()

    def look(self) -> None:
        """Do whatever is to be done now."""
        for node in nodes(self.log, self.witnesses):
            if node.process is None or not node.process.is_alive:
                self._restart(node)
        for person in self.people:
            person.boot()
        log = self.log.log
        if log is not None and log.stopped is not None and "clock" in log.stopped:
            self.log.clock.set_right()
            self.log.kill()
        for witness in self.witnesses:
            self._look_at_witness(witness)

    def _restart(self, node: Node) -> None:
        """Start a dead process again; one whose start was refused has to wait."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._not_before_s.get(node.name, 0.0):
            return
        last = node.ends[-1] if node.ends else ""
        if "ClockError" in last:
            node.clock.set_right()
        pause_s = 40.0 if "IntegrityError" in last else 4.0
        self._not_before_s[node.name] = now_s + pause_s
        node.boot()

    def _look_at_witness(self, node: WitnessNode) -> None:
        if node.witness is None:
            return
        try:
            node.witness.check_ready()
        except UnavailableError:  # it says so of its clock, and of nothing else here
            node.clock.set_right()
            node.kill()


@dataclass(slots=True)
class Nemesis:
    """Strikes at drawn moments."""

    log: LogNode
    witnesses: Sequence[WitnessNode]
    people: Sequence[Person]
    net: Network
    monitor: Monitor
    chance: random.Random
    mean_s: float
    set_back: SetBack
    strikes: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Strike until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self.chance.expovariate(1 / self.mean_s))
                strike = self.chance.choice(STRIKES)
                name = strike.__name__
                self.strikes[name] = self.strikes.get(name, 0) + 1
                self.monitor.note("strike", name)
                ends = strike(self)
                if ends is not None:
                    group.create_task(ends)

    def heal(self) -> None:
        """Let nothing be wrong any more, but for what is dead: that is restarted."""
        self.net.heal()
        self.set_back.undo_all()
        for node in nodes(self.log, self.witnesses):
            node.disk.faults.clear()
            node.clock.set_right()
            node.arm_next_boot = None
            node.kill()

    def kill_log(self) -> None:
        """kill -9 the server, now or between two steps soon."""
        process = self.log.process
        if process is not None:
            process.arm(self.chance.randint(1, 60))

    def kill_log_twice(self) -> None:
        """kill -9 the server, and again while it starts (R2)."""
        self.log.kill()
        self.log.arm_next_boot = self.chance.randint(1, 40)

    def kill_witness(self) -> None:
        """kill -9 a witness, now or between two steps soon; perhaps its start too."""
        node = self.chance.choice(self.witnesses)
        if node.process is not None:
            node.process.arm(self.chance.randint(1, 12))
        if self.chance.random() < 0.4:
            node.arm_next_boot = self.chance.randint(1, 8)

    def kill_person(self) -> None:
        """kill -9 a client."""
        self.chance.choice(self.people).kill()

    def fail_log_disk(self) -> None:
        """Have a write of the log fail, in one of the two ways, once or twice (R3)."""
        operation = self.chance.choice(["commit", "publish", "anchor"])
        kinds = [NOT_STORED, STORED]
        times = self.chance.choice([1, 1, 2])
        self.log.disk.faults.arm(
            operation, *(self.chance.choice(kinds) for _ in range(times))
        )
        if self.chance.random() < 0.3:  # a second fault, in the start that follows
            self.log.disk.faults.arm(self.chance.choice(["load", "read_row"]), "once")

    def fail_witness_disk(self) -> None:
        """Have a write of a witness fail, in one of the two ways."""
        node = self.chance.choice(self.witnesses)
        operation = self.chance.choice(["advance", "anchor"])
        node.disk.faults.arm(operation, self.chance.choice([NOT_STORED, STORED]))
        if self.chance.random() < 0.3:
            node.disk.faults.arm("logs", "once")

    def cut(self) -> Coroutine[None, None, None]:
        """Cut one way between two machines for a while."""
        source, target = self._two()

        def end() -> None:
            self.net.link(source, target).is_cut = False

        self.net.link(source, target).is_cut = True
        return _later(self.chance.uniform(1.0, 120.0), end)

    def disturb(self) -> Coroutine[None, None, None]:
        """Make a way slow, lossy and repeating for a while."""
        source, target = self._two()
        link = self.net.link(source, target)
        link.loss = self.chance.uniform(0.0, 0.5)
        link.repeat = self.chance.uniform(0.0, 0.7)
        link.most_s = self.chance.choice([0.02, 1.0, 6.0])

        def end() -> None:
            link.loss, link.repeat, link.most_s = 0.0, 0.0, 0.02

        return _later(self.chance.uniform(5.0, 300.0), end)

    def twist_clock(self) -> None:
        """Step a clock, a little or a lot, or let it drift."""
        clock: NodeClock = self.chance.choice(nodes(self.log, self.witnesses)).clock
        if self.chance.random() < 0.5:
            clock.skew_ms += self.chance.choice([-20_000, -4_000, 3_000, 8_000, 40_000])
        else:
            clock.drift_ppm = self.chance.randint(-500, 500)

    def keep_copy(self) -> None:
        """Copy the disks, as backups and snapshots do."""
        self.set_back.keep_copies()

    def set_log_back(self) -> Coroutine[None, None, None] | None:
        """Put an older copy of the log, or another history, in its place."""
        if not self.set_back.put_log_back(is_foreign=self.chance.random() < 0.4):
            return None
        self.strikes["set back in fact"] = self.strikes.get("set back in fact", 0) + 1
        return _later(self.chance.uniform(30.0, 400.0), self.set_back.undo_log)

    def set_witness_back(self) -> Coroutine[None, None, None] | None:
        """Put an older copy of a witness in its place."""
        node = self.chance.choice(self.witnesses)
        if not self.set_back.put_witness_back(node):
            return None
        return _later(
            self.chance.uniform(30.0, 400.0), lambda: self.set_back.undo_witness(node)
        )

    def _two(self) -> tuple[str, str]:
        """Draw a way that something travels."""
        others = [node.name for node in self.witnesses]
        others += [person.name for person in self.people]
        ends = [self.log.name, self.chance.choice(others)]
        self.chance.shuffle(ends)
        return ends[0], ends[1]


Strike = Callable[[Nemesis], Coroutine[None, None, None] | None]

STRIKES: tuple[Strike, ...] = (
    Nemesis.kill_log,
    Nemesis.kill_log,
    Nemesis.kill_log_twice,
    Nemesis.kill_witness,
    Nemesis.kill_person,
    Nemesis.fail_log_disk,
    Nemesis.fail_witness_disk,
    Nemesis.cut,
    Nemesis.disturb,
    Nemesis.twist_clock,
    Nemesis.keep_copy,
    Nemesis.set_log_back,
    Nemesis.set_witness_back,
)


def nodes(log: LogNode, witnesses: Sequence[WitnessNode]) -> list[Node]:
    """List the machines of a log and its witnesses."""
    return [log, *witnesses]


async def _later(after_s: float, end: Callable[[], None]) -> None:
    await asyncio.sleep(after_s)
    end()
