"""The network between simulated machines: slow, lossy, cut one way, repeating itself.

A request travels to its host, is answered there by whoever lives there, and the answer
travels back.  Each way may be cut or may lose what it carries; a request may arrive
twice.  Whatever an answer holds counts as released the moment it leaves its process,
also when it is lost on the way.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from tallystick_merkle.exchange.base import (
    Exchange,
    Failure,
    Pause,
    Reply,
    Request,
)
from tests.sim.monitor import Monitor
from tests.sim.process import Process

T = TypeVar("T")

Answer = Callable[[str, Request], Awaitable[Reply]]
"""Answers a request of the named machine."""


@dataclass(slots=True)
class Link:
    """One way between two machines."""

    is_cut: bool = False
    loss: float = 0.0
    repeat: float = 0.0
    least_s: float = 0.001
    most_s: float = 0.02


class Network:
    """Carries requests between machines, by the host names in their URLs."""

    def __init__(self, chance: random.Random, monitor: Monitor) -> None:
        """Begin with perfect links."""
        self._chance = chance
        self._monitor = monitor
        self._links: dict[tuple[str, str], Link] = {}
        self._hosts: dict[str, Answer] = {}
        self._lies: dict[tuple[str, str], str] = {}
        self._repeats: set[asyncio.Task[Reply]] = set()

    def host(self, name: str, answer: Answer) -> None:
        """Have a machine answer at `http://name`."""
        self._hosts[name] = answer

    def mislead(self, source: str, target: str, instead: str) -> None:
        """Have another machine answer to one that asks for `target`."""
        self._lies[source, target] = instead

    def lead_right(self) -> None:
        """Have everybody answered by whom they ask."""
        self._lies.clear()

    def link(self, source: str, target: str) -> Link:
        """Give the way from one machine to another."""
        return self._links.setdefault((source, target), Link())

    def heal(self) -> None:
        """Make every link perfect."""
        self._links.clear()

    async def call(self, source: str, request: Request) -> Reply:
        """Send a request; a Failure when no answer comes back in time."""
        target = urlsplit(request.url).netloc
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._travel(source, target, request)
        except TimeoutError:
            return Failure("no answer in time")

    async def _travel(self, source: str, target: str, request: Request) -> Reply:
        await self._carry(source, target, "request")
        answer = self._hosts.get(self._lies.get((source, target), target))
        if answer is None:
            return Failure("nobody is there")
        if self._chance.random() < self.link(source, target).repeat:
            self._monitor.note("repeated", source, target)
            again = asyncio.ensure_future(self._again(answer, source, target, request))
            self._repeats.add(again)
            again.add_done_callback(self._repeats.discard)
        reply = await answer(source, request)
        await self._carry(target, source, "answer")
        return reply

    async def _again(
        self, answer: Answer, source: str, target: str, request: Request
    ) -> Reply:
        """Deliver a request a second time; its answer goes nowhere."""
        await asyncio.sleep(self._chance.uniform(0.0, 5.0))
        self._monitor.note("came again", source, target)
        return await answer(source, request)

    async def _carry(self, source: str, target: str, what: str) -> None:
        """Take the time of one way; never return if what is carried is lost."""
        link = self.link(source, target)
        await asyncio.sleep(self._chance.uniform(link.least_s, link.most_s))
        if link.is_cut or self._chance.random() < link.loss:
            self._monitor.note("lost", what, source, target)
            await asyncio.get_running_loop().create_future()


class Peers:
    """What a process of a machine asks others with: the transport of every part.

    It is a driver of kernel exchanges for the server, and the transport of a client.
    """

    def __init__(
        self,
        net: Network,
        name: str,
        process: Process,
        chance: random.Random,
        watch: Callable[[Request], None] = lambda _: None,
    ) -> None:
        """Ask in the name of a machine; `watch` sees each request that leaves."""
        self._net = net
        self._name = name
        self._process = process
        self._chance = chance
        self._watch = watch

    async def drive(self, exchange: Exchange[T]) -> T:
        """Run an exchange of the server to its end."""
        try:
            step = next(exchange)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(
                        step.least_s + self._chance.random() * step.spread_s
                    )
                    step = exchange.send(())
                else:
                    step = exchange.send(await self.perform(step))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            exchange.close()

    async def perform(self, requests: tuple[Request, ...]) -> tuple[Reply, ...]:
        """Answer each request of one step, in order."""
        replies = []
        for request in requests:
            self._process.step()
            self._watch(request)
            reply = await self._net.call(self._name, request)
            self._process.step()
            replies.append(reply)
        return tuple(replies)

    async def close(self) -> None:
        """Nothing is kept open."""
