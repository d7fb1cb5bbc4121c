"""A machine that runs a witness: the real one over a simulated disk and network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from tallystick_merkle.exchange.base import Failure, Reply, Request, Response
from tallystick_merkle.keys import KeyType, SigningKey, format_vkey, make_signing_key
from tallystick_merkle.witnessing import origin_hash, parse_add_checkpoint
from tallystick_witness.anchor import Anchored
from tallystick_witness.app import Face, make_app
from tallystick_witness.clock import Timekeeper
from tallystick_witness.desk import Desk
from tallystick_witness.errors import AnchorError, StoreError, WitnessError
from tallystick_witness.service import Witness
from tallystick_witness.starting import (
    catch_up,
    check_anchor,
    check_clock,
    check_heads,
)
from tallystick_witness.state import (
    Evidence,
    FollowedLog,
    Head,
    Identity,
    LogState,
)
from tallystick_witness.store.base import WitnessStore
from tallystick_witness.store.memory import MemoryStore
from tests.fakes.logs import ORIGIN, log_key
from tests.sim.clocks import EPOCH_MS
from tests.sim.disks import NOT_STORED, STORED, Faults
from tests.sim.machine import Machine
from tests.sim.process import Crashed, Process, is_crash
from tests.sim.wire import ask


@dataclass(slots=True)
class WitnessDisk:
    """What a witness has on its disks: its store, and its anchor elsewhere."""

    store: MemoryStore
    anchored: Anchored = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def snapshot(self) -> MemoryStore:
        """Copy what is stored, as a backup does. The anchor is never in it."""
        twin = MemoryStore(self.store.identity())
        twin._logs = dict(self.store._logs)
        twin._evidence = dict(self.store._evidence)
        return twin

    def size(self) -> int | None:
        """The size of the log's head that is stored, None before the first."""
        return size_in(self.store)


def size_in(store: MemoryStore) -> int | None:
    """Read the size of the log's head in a store, None before the first."""
    log = store.find(origin_hash(ORIGIN))
    return log.head.size if log and log.head else None


class WitnessHandle:
    """A WitnessStore of one process over a witness's disk."""

    def __init__(self, disk: WitnessDisk, process: Process) -> None:
        self.disk = disk
        self.process = process
        self.inner: WitnessStore = disk.store

    def identity(self) -> Identity:
        self.process.step()
        return self.inner.identity()

    def find(self, origin_hash: str) -> FollowedLog | None:
        self.process.step()
        return self.inner.find(origin_hash)

    def logs(self) -> list[FollowedLog]:
        self.process.step()
        if self.disk.faults.take("logs") is not None:
            raise StoreError("the disk said no")
        return self.inner.logs()

    def follow(self, log: FollowedLog) -> None:
        self.inner.follow(log)

    def mark(self, origin: str, state: LogState, *, since_s: int) -> None:
        self.inner.mark(origin, state, since_s=since_s)

    def advance(self, origin: str, expected_old: Head | None, new_head: Head) -> None:
        self.process.step()
        fault = self.disk.faults.take("advance")
        if fault == NOT_STORED:
            raise StoreError("the disk said no")
        self.inner.advance(origin, expected_old, new_head)
        if fault == STORED:
            raise StoreError("the answer was lost")
        self.process.step()

    def keep_evidence(self, evidence: Evidence) -> bool:
        self.process.step()
        return self.inner.keep_evidence(evidence)

    def evidence(self) -> list[Evidence]:
        return self.inner.evidence()

    def sweep(self) -> None:
        self.inner.sweep()

    def close(self) -> None:
        """Leave the disk as it is."""


class WitnessAnchor:
    """A witness's anchor for one process, over its other disk."""

    def __init__(self, disk: WitnessDisk, process: Process) -> None:
        self._disk = disk
        self._process = process

    @property
    def latest(self) -> Anchored:
        self._process.step()
        return dict(self._disk.anchored)

    def record(self, origin_hash: str, size: int, root: bytes) -> None:
        self._process.step()
        fault = self._disk.faults.take("anchor")
        if fault == NOT_STORED:
            raise AnchorError("the anchor's disk said no")
        self._disk.anchored[origin_hash] = (size, root)
        if fault == STORED:
            raise AnchorError("the anchor's answer was lost")
        self._process.step()

    def close(self) -> None:
        """Release nothing."""


@dataclass(frozen=True, slots=True)
class WitnessParts:
    """The parts of a witness's process; a planted bug replaces one of them."""

    store: type[WitnessHandle] = WitnessHandle
    witness: type[Witness] = Witness
    checks: Callable[..., None] = check_anchor


def witness_key(name: str) -> SigningKey:
    """The key of the witness of that name."""
    seed = name.encode().ljust(32, b"!")
    return make_signing_key(name=f"{name}.example", type=KeyType.COSIGNATURE, seed=seed)


def witness_disk(name: str) -> WitnessDisk:
    """Make the disk of a witness that follows the log."""
    key = witness_key(name)
    store = MemoryStore(Identity(key.name, (format_vkey(key.verifier),)))
    since_s = EPOCH_MS // 1000
    store.follow(FollowedLog(log_key().verifier, LogState.ACTIVE, since_s))
    return WitnessDisk(store)


@dataclass(slots=True, kw_only=True)
class WitnessNode(Machine):
    """One machine with one witness. Its disk and its clock outlive its processes."""

    disk: WitnessDisk
    parts: WitnessParts = field(default_factory=WitnessParts)
    witness: Witness | None = None

    async def answer(self, source: str, request: Request) -> Reply:
        """Answer a request, and show the cosignatures that leave to the monitor."""
        del source
        runner, process = self.runner, self.process
        if runner is None or process is None or not process.is_alive:
            return Failure("connection refused")
        assert runner.server is not None
        reply = await ask(runner.server, process, request)
        if isinstance(reply, Response) and reply.status == 200:
            self._watch(request, reply)
        if isinstance(reply, Response) and reply.status == 500:
            self.monitor.fail("no internal error", f"{self.name}: {reply.body[:200]!r}")
        return reply

    def _watch(self, request: Request, reply: Response) -> None:
        if request.url.endswith("/add-checkpoint"):
            asked = parse_add_checkpoint(request.body)
            size = int(asked.checkpoint.split(b"\n", 2)[1])
            self.monitor.cosigned(self.name, size, self.disk.size())
        elif request.url.endswith("/checkpoint"):
            seen = self.monitor.released(reply.body, f"shown by {self.name}")
            if seen is not None:
                self.monitor.shown(self.name, seen.size)

    def forget(self) -> None:
        """Drop what belonged to the process that died."""
        self.witness = None

    async def run(self, process: Process) -> None:
        try:
            desk, runner = await self._start(process)
            process.step()
            self.runner = runner
            self.monitor.note("serving", self.name)
            failure = await desk.failure()
            process.die(f"ended: {failure}")
        except BaseExceptionGroup as errors:
            if not is_crash(errors):
                raise
        except Crashed:
            return
        except WitnessError as error:
            self.refusals.append(f"{type(error).__name__}: {error}")
            process.die(f"refused: {type(error).__name__}: {error}")

    async def _start(self, process: Process) -> tuple[Desk, web.AppRunner]:
        """Do what a start does, in its order."""
        key = witness_key(self.name)
        store = self.parts.store(self.disk, process)
        logs = store.logs()
        check_heads(logs, [key.verifier])
        anchor = WitnessAnchor(self.disk, process)
        self.parts.checks(logs, anchor.latest)
        timekeeper = Timekeeper(self.clock)
        check_clock(logs, timekeeper.now_s())
        catch_up(logs, anchor)
        witness = self.parts.witness(
            keys=[key],
            store=store,
            anchor=anchor,
            timekeeper=timekeeper,
            has_room=lambda: True,
            is_alone=lambda: True,
        )
        self.witness = witness
        desk = Desk(witness, max_waiting=64)
        runner = make_runner(make_app(Face(desk, 10.0, "a witness")))
        await runner.setup()
        return desk, runner


def make_runner(app: web.Application) -> web.AppRunner:
    """Make the runner of an application, as the witness does."""
    return web.AppRunner(app, auto_decompress=False, access_log=None)
