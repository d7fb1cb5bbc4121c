"""A log to publish in tests: a real writer without its thread, and it polices."""

from __future__ import annotations

import asyncio

from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.policy import Policy, judge
from tallystick_server.errors import UnavailableError
from tallystick_server.log.evidence import MemoryEvidence
from tallystick_server.log.publisher import Publisher
from tallystick_server.log.publishing import PublishSettings
from tallystick_server.log.reader import Reader
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import Head, LogStore, Published
from tests.fakes.logs import ORIGIN, check_log, log_key, memory_log, submission
from tests.fakes.witnesses import FakeWitness, policy_of, ring_of, targets


class WrittenLog:
    """A PublishedLog. What is published must never go back and must meet the policy."""

    def __init__(self, policy: Policy, *, store: LogStore | None = None) -> None:
        self.inner = memory_log()
        self.clock = self.inner.clock
        self.store: LogStore = store or self.inner.store
        self.policy = policy
        self.writer = self._write()
        self.published: Published | None = None
        self.history: list[Published] = []
        self.marked = 0
        self.fails: Exception | None = None

    @property
    def key(self) -> VerifierKey:
        return log_key().verifier

    @property
    def reader(self) -> Reader:
        reader = Reader(self.store, self.head)
        reader.watch(self.stop_signing)
        return reader

    @property
    def head(self) -> Head:
        return self.writer.state.head

    @property
    def stopped(self) -> str | None:
        return self.writer.stopped

    def append(self, count: int = 1) -> int:
        """Append entries, re-verify the whole log, give the size."""
        first = self.head.size
        entries = [b"entry %d" % (first + at) for at in range(count)]
        self.writer.commit([submission(f"at {first}", *entries)])
        check_log(self.store)
        return self.head.size

    async def mark_publishable(self) -> Head:
        await asyncio.sleep(0)  # the writer is another thread
        self._check_running()
        self.marked += 1
        return self.writer.mark_publishable()

    async def publish(self, published: Published) -> None:
        self._check_running()
        judged = judge(published.note, self.policy, origin=ORIGIN)
        judged.require_met()
        checkpoint = judged.opened.checkpoint
        assert checkpoint.size == published.size
        assert checkpoint.root == self.reader.root(published.size)
        await asyncio.sleep(0)  # stored by another thread
        self.writer.publish(published)  # refuses sizes and times that go back
        self.published = published
        self.history.append(published)

    def stop_signing(self, reason: str) -> None:
        self.writer.stop_signing(reason)

    def restart(self) -> None:
        """What another process would find: the stored state, and nothing else."""
        state = self.writer.state
        self.inner.state = state
        self.writer = self._write()
        self.published = self.store.load().published

    def cosigners(self) -> set[str]:
        """The names of the witnesses in the published checkpoint."""
        assert self.published is not None
        judged = judge(self.published.note, self.policy)
        return {found.key.name.partition(".")[0] for found in judged.cosigners}

    def _write(self) -> Writer:
        return Writer(
            store=self.store,
            signer=self.inner.signer,
            state=self.inner.state,
            clock=self.inner.clock,
            anchor=None,
        )

    def _check_running(self) -> None:
        if self.fails is not None:
            raise self.fails
        if self.writer.stopped is not None:
            raise UnavailableError("the log does not sign")


class HandTicker:
    """Rounds begin when the test says so."""

    def __init__(self) -> None:
        self._due = asyncio.Event()
        self._waiting = asyncio.Event()

    async def wait(self, stop: asyncio.Event) -> None:
        self._waiting.set()
        due = asyncio.create_task(self._due.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((due, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (due, stopped):
            task.cancel()
        self._due.clear()

    async def begun(self) -> None:
        """Wait until the round under way has been begun."""
        await self._waiting.wait()
        self._waiting.clear()

    async def tick(self) -> None:
        """Begin the next round and wait until it has been begun."""
        self._due.set()
        await self.begun()


async def settle() -> None:
    """Let everything run that can run without anything new happening."""
    for _ in range(100):
        await asyncio.sleep(0)


class Bench:
    """A log, its witnesses and its publisher."""

    def __init__(
        self, quorum: str, names: str, settings: PublishSettings | None = None
    ) -> None:
        blank = WrittenLog(policy_of("none"))
        self.clock = blank.clock
        self.witnesses = [FakeWitness(name, self.clock) for name in names.split()]
        self.policy: Policy = policy_of(quorum, *self.witnesses)
        self.log = blank
        self.log.policy = self.policy
        self.settings = settings
        self.restart()

    def restart(self) -> None:
        """A new process: only what is stored is there."""
        self.log.restart()
        self.ticker = HandTicker()
        self.evidence = MemoryEvidence()
        self.publisher = Publisher(
            self.log,
            policy=self.policy,
            targets=targets(self.policy),
            witnesses=ring_of(*self.witnesses),
            clock=self.clock,
            ticker=self.ticker,
            evidence=self.evidence,
            settings=self.settings,
        )

    async def start(self) -> asyncio.Task[None]:
        """Run the loop; its first round has begun."""
        task = asyncio.create_task(self.publisher.run())
        await self.ticker.begun()
        await settle()
        return task

    async def tick(self, seconds: float = 1.0) -> None:
        """Let time pass and another round begin."""
        self.clock.advance(int(seconds * 1000))
        await self.ticker.tick()
        await settle()

    async def stop(self, task: asyncio.Task[None]) -> None:
        self.publisher.stop()
        await task

    @property
    def sizes(self) -> list[int]:
        return [item.size for item in self.log.history]

    def __getitem__(self, name: str) -> FakeWitness:
        """The witness of that name."""
        return next(one for one in self.witnesses if one.name == name)
