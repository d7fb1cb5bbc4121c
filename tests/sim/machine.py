"""A machine of the simulated world: it boots a process, which dies; its disk stays."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from aiohttp import web

from tests.sim.clocks import NodeClock
from tests.sim.monitor import Monitor
from tests.sim.net import Network
from tests.sim.process import Process


@dataclass(slots=True, kw_only=True)
class Machine(ABC):
    """What every machine has: a name, a clock, a place in the network, one process.

    `refusals` are the starts that were refused, and why; `ends` why each process
    ended.  `arm_next_boot` lets the next process die that many steps into its life.
    """

    name: str
    net: Network
    clock: NodeClock
    monitor: Monitor
    chance: random.Random
    process: Process | None = None
    refusals: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    arm_next_boot: int | None = None
    runner: web.AppRunner | None = None

    @property
    def is_up(self) -> bool:
        """Whether requests are answered."""
        return self.runner is not None

    def boot(self) -> None:
        """Start a process, if none runs."""
        if self.process is not None and self.process.is_alive:
            return
        self.monitor.note("boot", self.name)
        process = Process(self.name, self._ended)
        if self.arm_next_boot is not None:
            process.arm(self.arm_next_boot)
            self.arm_next_boot = None
        self.process = process
        process.spawn(self.run(process), f"{self.name} runs")

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.die("killed")

    @abstractmethod
    async def run(self, process: Process) -> None:
        """Start, serve and keep, until dead."""

    @abstractmethod
    def forget(self) -> None:
        """Drop what belonged to the process that died."""

    def _ended(self, process: Process, why: str) -> None:
        self.monitor.note("died", self.name, why)
        if not self.is_up:
            self.monitor.note("died in its start", self.name)
        self.ends.append(why)
        if process is self.process:
            self.runner = None
            self.forget()
