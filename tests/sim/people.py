"""Those who use the log from outside: services that append, auditors that check.

They run the real client over the simulated network.  A service keeps what it has not
been acked for, and its receipts, on its own disk; when it is killed it goes on with
them.  Whatever a client finds wrong in an honest world is a broken rule.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TypeVar

from tallystick_client.auditing import Progress
from tallystick_client.errors import BeyondHeadError, ClientError
from tallystick_client.session import ONE_LOOK, Session, Wait, held_of
from tallystick_client.transport import ClientExchange, drive_async
from tallystick_client.trust import MemoryTrust
from tallystick_merkle.errors import (
    ExchangeError,
    KernelError,
    PolicyNotMetError,
    RefusedError,
)
from tallystick_merkle.exchange.appending import Appended, AppendedBatch, LogAddress
from tallystick_merkle.exchange.base import Retry
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.policy import Policy
from tallystick_merkle.receipt import Status, check_receipt
from tests.sim.monitor import Monitor
from tests.sim.net import Network, Peers
from tests.sim.process import Crashed, Process, is_crash

T = TypeVar("T")

RETRY = Retry(attempts=3, spread_s=0.5, most_s=5.0)
WAIT_S = 10.0


@dataclass(slots=True)
class Pending:
    """What a service has to get logged: under one key, until it is acked."""

    key: str
    entries: list[bytes]
    sent_s: float


@dataclass(slots=True)
class Person(ABC):
    """A machine with a client; a subclass says what it does."""

    name: str
    address: LogAddress
    policy: Policy
    net: Network
    monitor: Monitor
    chance: random.Random
    trust: MemoryTrust = field(default_factory=MemoryTrust)
    process: Process | None = None
    operations: int = 0
    _is_idle: bool = False

    def boot(self) -> None:
        """Start a process, if none runs."""
        if self.process is None or not self.process.is_alive or self._is_idle:
            self._is_idle = False
            self.process = Process(self.name, self._ended)
            self.process.spawn(self._run(self.process), f"{self.name} runs")

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.die("killed")

    @abstractmethod
    async def work(self, process: Process) -> None:
        """Do what it does, until dead."""

    def session(self) -> Session:
        """Make the client's session over what is remembered."""
        return Session(self.address, self.policy, self.trust, RETRY)

    async def drive(self, process: Process, exchange: ClientExchange[T]) -> T:
        """Run one operation of the client."""
        self.operations += 1
        peers = Peers(self.net, self.name, process, self.chance)
        return await drive_async(
            exchange, peers, sleep=asyncio.sleep, random=self.chance.random
        )

    async def pause(self, least_s: float, most_s: float) -> None:
        """Do nothing for a drawn while."""
        await asyncio.sleep(self.chance.uniform(least_s, most_s))

    def _ended(self, process: Process, why: str) -> None:
        del process
        self.monitor.note("died", self.name, why)

    async def _run(self, process: Process) -> None:
        try:
            await self.work(process)
        except BaseExceptionGroup as errors:
            if not is_crash(errors):
                raise
        except Crashed:
            return
        except (KernelError, ClientError) as error:
            if self.monitor.is_set_back:  # then it is right to complain
                self.monitor.note("complained", self.name, type(error).__name__)
                self._is_idle = True
                return
            self.monitor.fail(
                "a client finds nothing wrong with an honest log",
                f"{self.name}: {type(error).__name__}: {error}",
            )


@dataclass(slots=True)
class Service(Person):
    """Appends entries, one request after the other, and has its receipts upgraded."""

    pace_s: float = 60.0
    is_open: bool = True
    made: int = 0
    pending: Pending | None = None
    promised: list[Held] = field(default_factory=list)
    witnessed: list[Held] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to send or to upgrade."""
        return not self.is_open and self.pending is None and not self.promised

    async def work(self, process: Process) -> None:
        """Append, upgrade, read, again and again."""
        while not self.is_done:
            if self.pending is None and self.is_open:
                self.pending = self._make()
            if self.pending is not None:
                await self._send(process, self.pending)
            elif self.promised:
                await self._upgrade(process)
            if self.chance.random() < 0.3:
                await self._upgrade(process)
            if self.chance.random() < 0.2:
                await self._prove(process)
            await self.pause(0.0, 2 * self.pace_s if self.is_open else 10.0)

    def _make(self) -> Pending:
        self.made += 1
        count = self.chance.choice([1, 1, 1, 2, 7])
        name = self.name.encode()
        entries = [b"%s %d/%d" % (name, self.made, at) for at in range(count)]
        sent_s = asyncio.get_running_loop().time()
        return Pending(f"{self.name}-{self.made}", entries, sent_s)

    async def _send(self, process: Process, item: Pending) -> None:
        """Send what is pending; it stays pending unless its receipt was checked."""
        session = self.session()
        wait: Wait = "witnessed" if self.chance.random() < 0.3 else "durable"
        try:
            if len(item.entries) == 1:
                (entry,) = item.entries
                one = await self.drive(
                    process,
                    session.append(entry, key=item.key, wait=wait, timeout_s=WAIT_S),
                )
                self._acked(item, one)
            else:
                many = await self.drive(
                    process,
                    session.append_batch(
                        item.entries, key=item.key, wait=wait, timeout_s=WAIT_S
                    ),
                )
                self._acked(item, many)
        except RefusedError as error:
            if error.status == 409:
                raise
        except ExchangeError:
            return

    def _acked(self, item: Pending, answer: Appended | AppendedBatch) -> None:
        """Keep the receipts; only then forget what was pending."""
        held = held_of(answer)
        first = held[0].receipt.index
        self.monitor.acked(item.key, first, [one.leaf for one in held], item.sent_s)
        is_final = answer.status is Status.WITNESSED
        (self.witnessed if is_final else self.promised).extend(held)
        self.pending = None

    async def _upgrade(self, process: Process) -> None:
        """Have promises discharged where a witnessed head holds them."""
        given = list(self.promised)
        try:
            done = await self.drive(
                process, self.session().upgrade(given, patience=ONE_LOOK)
            )
        except ExchangeError:
            return
        leaves = {held.receipt.index: held.leaf for held in given}
        self.witnessed += [Held(one, leaves[one.index]) for one in done.upgraded]
        left = {receipt.index for receipt in done.waiting}
        self.promised = [one for one in self.promised if one.receipt.index in left]
        self.monitor.note("upgraded", self.name, len(done.upgraded))

    async def _prove(self, process: Process) -> None:
        """Make a receipt from tiles, for something that was acked before."""
        if not self.witnessed:
            return
        held = self.chance.choice(self.witnessed)
        try:
            proven = await self.drive(
                process, self.session().prove(held.receipt.index, None)
            )
        except (ExchangeError, BeyondHeadError):
            return
        self.monitor.require(
            proven.leaf == held.leaf,
            "an entry that was acked is served as it was",
            f"{self.name}: entry {held.receipt.index}",
        )

    def check_receipts(self) -> int:
        """Verify every witnessed receipt offline; give their number."""
        for held in self.witnessed:
            verdict = check_receipt(held.receipt, leaf=held.leaf, policy=self.policy)
            self.monitor.require(
                verdict.status is Status.WITNESSED,
                "every receipt verifies",
                f"{self.name}: entry {held.receipt.index} is {verdict.status}",
            )
        return len(self.witnessed)


@dataclass(slots=True)
class Auditor(Person):
    """Hashes what is new, and now and then everything; remembers what it believed."""

    pace_s: float = 300.0
    audited: int = 0

    async def work(self, process: Process) -> None:
        """Audit again and again."""
        while True:
            await self.pause(0.0, 2 * self.pace_s)
            await self.audit(process, from_start=self.chance.random() < 0.2)

    async def audit(self, process: Process, *, from_start: bool) -> bool:
        """Audit once; say whether it came to an end."""
        progress: Progress | None = None
        try:
            done = await self.drive(
                process, self.session().audit(progress, from_start=from_start)
            )
        except (ExchangeError, PolicyNotMetError):
            return False
        self.audited = done.head.size
        self.monitor.note("audited", self.name, done.head.size)
        return True
