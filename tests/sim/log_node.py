"""The machine that runs the log: the real server over a simulated disk and network.

Boots as `wiring.opening` and `wiring.running` do: store, state re-derived, clock,
anchor, witnesses asked, writer, publisher, HTTP.  Only what touches a real disk, a
real thread or a real socket is replaced, each at its seam.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tallystick_merkle.errors import KernelError
from tallystick_merkle.exchange.base import Failure, Reply, Request, Response
from tallystick_merkle.policy import Policy
from tallystick_merkle.receipt import parse_receipt
from tallystick_merkle.witnessing import parse_add_checkpoint
from tallystick_server.config.model import LogSettings
from tallystick_server.errors import ServerError
from tallystick_server.log.keyring import KeySigner
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.publishing import PublishSettings
from tallystick_server.log.reader import Reader
from tallystick_server.log.startup import check_anchor, check_clock, load_state
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.log.witnesses import PeerWitnesses, targets_of
from tallystick_server.log.worker import Ended, Turn
from tallystick_server.log.writer import Writer
from tallystick_server.web.app import make_app, make_runner
from tallystick_server.web.compressed import BundleCache
from tallystick_server.web.freshness import Freshness
from tallystick_server.web.services import Hosted, Limits, Standing, make_services
from tallystick_server.wiring.keeping import Keeper
from tallystick_server.wiring.opening import OpenedLog
from tallystick_server.wiring.writing import start_writer
from tests.fakes.logs import NAME, ORIGIN, log_key
from tests.sim.disks import AnchorHandle, LogDisk, StoreHandle
from tests.sim.machine import Machine
from tests.sim.net import Peers
from tests.sim.process import Crashed, Process, is_crash
from tests.sim.wire import ask

IDLE_S = 60.0
FREE_BYTES = 1 << 40


class TurnsOnLoop:
    """A Worker whose turns are taken on the loop, each a drawn moment later."""

    def __init__(self, process: Process, latency: Callable[[], float]) -> None:
        """Turn as part of a process."""
        self._process = process
        self._latency = latency
        self._timer: asyncio.TimerHandle | None = None
        self._turn: Turn | None = None
        self._ended: Ended | None = None

    def start(self, turn: Turn, ended: Ended) -> None:
        """Take the first turn soon."""
        self._turn, self._ended = turn, ended
        self._set(self._latency())

    def wake(self) -> None:
        """Take a turn soon, unless one is about to be taken."""
        loop = asyncio.get_running_loop()
        soon = self._latency()
        if self._timer is None or self._timer.when() > loop.time() + soon:
            self._set(soon)

    def join(self) -> None:
        """Nothing runs beside the loop."""

    def _set(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        context = self._process.context
        self._timer = loop.call_later(delay_s, self._go, context=context)

    def _go(self) -> None:
        assert self._turn is not None
        assert self._ended is not None
        if not self._process.is_alive:
            return
        self._timer = None
        try:
            goes_on = self._turn()
        except Crashed:
            return
        except BaseException as error:  # noqa: BLE001 -- as the thread does
            self._ended(error)
            return
        if not goes_on:
            self._ended(None)
        elif self._timer is None:
            self._set(IDLE_S)


@dataclass(frozen=True, slots=True)
class LogParts:
    """The parts of a log's process; a planted bug replaces one of them."""

    store: type[StoreHandle] = StoreHandle
    anchor: type[AnchorHandle] = AnchorHandle
    writer: type[Writer] = Writer
    keeper: type[Keeper] = Keeper
    load_state: Callable[..., object] = load_state


@dataclass(slots=True, kw_only=True)
class LogNode(Machine):
    """One machine with one log. Its disk and its clock outlive its processes."""

    disk: LogDisk
    policy: Policy
    tokens: Path
    parts: LogParts = field(default_factory=LogParts)
    log: Log | None = None

    async def answer(self, source: str, request: Request) -> Reply:
        """Answer a request, and show what leaves to the monitor."""
        runner, process = self.runner, self.process
        if runner is None or process is None or not process.is_alive:
            return Failure("connection refused")
        assert runner.server is not None
        reply = await ask(runner.server, process, request)
        if isinstance(reply, Response):
            self._watch_answer(source, request, reply)
        return reply

    def forget(self) -> None:
        """Drop what belonged to the process that died."""
        self.log = None

    async def run(self, process: Process) -> None:
        """Open, clear, serve and keep, until dead."""
        try:
            keeper, runner = await self._start(process)
            process.step()
            self.runner = runner
            self.monitor.note("serving", self.name)
            await keeper.run()
        except BaseExceptionGroup as errors:
            if not is_crash(errors):
                raise
        except Crashed:
            return
        except ServerError as error:
            if self.runner is None:
                self.refusals.append(f"{type(error).__name__}: {error}")
            process.die(f"ended: {type(error).__name__}: {error}")

    async def _start(self, process: Process) -> tuple[Keeper, web.AppRunner]:
        """Do what a start does, in its order."""
        signer = KeySigner(log_key())
        store = self.parts.store(self.disk, process, self.monitor)
        loaded = self.parts.load_state(store, signer.key)
        assert isinstance(loaded, tuple)
        state, published = loaded
        self.monitor.stored(self.disk.store)
        check_clock(state.head, now_ms=self.clock.now_ms())
        anchor, is_anchored = None, False
        if self.disk.has_anchor:
            anchor = self.parts.anchor(self.disk, process, self.monitor)
            is_anchored = check_anchor(anchor, store, state.head)
        opened = OpenedLog(
            name=NAME,
            settings=LogSettings(publish_interval_s=5.0),
            policy=self.policy,
            key=signer.key,
            store=store,
            state=state,
            published=published,
            signer=signer,
            anchor=anchor,
            is_anchored=is_anchored,
            marker=None,
            closing=ExitStack(),
        )
        log = self._make_log(opened)
        standing = Standing()
        peers = Peers(self.net, self.name, process, self.chance, self._watch_request)
        keeper = self.parts.keeper(
            opened,
            log,
            standing,
            targets_of(self.policy, {}),
            PeerWitnesses(peers),
            self.disk.evidence,
            self.clock,
            data=self.tokens.parent,
            start_writer=lambda shown: start_writer(
                opened,
                signer,
                clock=self.clock,
                on_failure=lambda error: process.die(f"writer failed: {error}"),
                log=shown,
                make=self.parts.writer,
                worker=TurnsOnLoop(process, lambda: self.chance.uniform(0.0005, 0.01)),
            ),
            make_held=lambda: self._make_log(opened),
            publish_settings=PublishSettings(),
        )
        await keeper.clear()
        self.log = log
        runner = self._make_runner(log, standing)
        await runner.setup()
        return keeper, runner

    def _make_runner(self, log: Log, standing: Standing) -> web.AppRunner:
        """Put the real application around the log."""
        hosted = Hosted(
            log,
            TokenGate(NAME, self.tokens, self.clock),
            Freshness(),
            standing,
            detects_rollback=True,
            anchor_shares_disk=False,
            stale_after_ms=60_000,
        )
        services = make_services(
            [hosted], clock=self.clock, limits=Limits(), bundles=BundleCache()
        )
        return make_runner(make_app(services), shutdown_s=1.0)

    def _make_log(self, opened: OpenedLog) -> Log:
        """Make the log that is shown: it reads, until it is given a writer."""
        return Log(
            Identity(NAME, ORIGIN, "raw", opened.key),
            reader=Reader(opened.store, opened.state.head),
            head=opened.state.head,
            published=opened.published,
            policy=self.policy,
            clock=self.clock,
            limits=LogLimits(),
            free_bytes=lambda: FREE_BYTES,
        )

    def _watch_request(self, request: Request) -> None:
        """A head that goes to a witness is released."""
        if request.url.endswith("/add-checkpoint"):
            note = parse_add_checkpoint(request.body).checkpoint
            self.monitor.released(note, "submission")

    def _watch_answer(self, source: str, request: Request, reply: Response) -> None:
        """A head in an answer is released."""
        place = request.url.split("?")[0]
        if reply.status >= 500 and reply.status not in (503, 507):
            self.monitor.fail("no internal error", f"{place}: {reply.body[:200]!r}")
        if reply.status not in (200, 201):
            return
        try:
            if place.endswith("/checkpoint"):
                seen = self.monitor.released(reply.body, "checkpoint")
                if seen is not None:
                    self.monitor.served(reply.body, seen.size)
            elif request.method == "POST" and place.endswith("/entries"):
                receipt = parse_receipt(json.loads(reply.body)["receipt"].encode())
                self.monitor.released(receipt.checkpoint, f"receipt to {source}")
            elif request.method == "POST" and place.endswith("/entries:batch"):
                note = json.loads(reply.body)["checkpoint"].encode()
                self.monitor.released(note, f"batch to {source}")
        except (KernelError, KeyError) as error:
            self.monitor.fail("an answer is well formed", f"{place}: {error!r}")
