"""The publisher: takes heads to the witnesses and, once enough have cosigned, serves.

    due            the log has grown, or the published cosignatures are old
    feasible       the quorum can be met by witnesses that are not busy
    round          a publishable head (D3), sent to every such witness at once
    each answer    verified, merged; with the quorum met: stored, then served
    late answers   merged into the same head and served again

A slow or dead witness delays nobody but a quorum that needs it, and never an append.
A smaller head never follows a larger one.  An error of a witness is its own (see
`asking`); an error of the log ends the loop.  While the log does not sign, nothing is
sent and nothing is published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tallystick_merkle.policy import NO_QUORUM, Policy
from tallystick_server.clock import Clock
from tallystick_server.errors import UnavailableError
from tallystick_server.log.asked import AskedWitness, WitnessHealth
from tallystick_server.log.asking import Asker
from tallystick_server.log.evidence import Evidence
from tallystick_server.log.publishing import PublishedLog, PublishSettings
from tallystick_server.log.rounds import (
    Round,
    quorum_time_s,
    round_of,
    round_of_published,
)
from tallystick_server.log.ticker import Ticker
from tallystick_server.log.witnesses import WitnessPort, WitnessTarget

_NOBODY = Policy((), (), (), NO_QUORUM)


@dataclass(frozen=True, slots=True)
class PublisherHealth:
    """Facts for /healthz; None where there is nothing yet.

    quorum_s_ago: age of the youngest quorum of cosignatures that is served.
    is_degraded: what is served falls behind or is in doubt: the last round did not
    meet the quorum, its renewal is overdue, a witness hints at another history, or
    signing stopped.
    """

    published_size: int | None
    published_ms_ago: int | None
    quorum_met: bool
    quorum_s_ago: int | None
    is_degraded: bool
    witnesses: tuple[WitnessHealth, ...]


class Publisher:
    """Publishes the heads of one log, from the event loop."""

    def __init__(  # all keyword-only but the log
        self,
        log: PublishedLog,
        *,
        policy: Policy | None,
        targets: Sequence[WitnessTarget],
        witnesses: WitnessPort,
        clock: Clock,
        ticker: Ticker,
        evidence: Evidence,
        settings: PublishSettings | None = None,
    ) -> None:
        """Go on with what is published. Raises IntegrityError if that is corrupt."""
        self._log = log
        self._policy = policy or _NOBODY
        self._asked = [AskedWitness(target) for target in targets]
        self._clock = clock
        self._ticker = ticker
        self._settings = settings or PublishSettings()
        self._asker = Asker(
            log,
            policy_keys=[entry.key for entry in self._policy.witnesses],
            witnesses=witnesses,
            clock=clock,
            evidence=evidence,
            settings=self._settings,
        )
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._publishing = asyncio.Lock()
        self._round = self._take_up()
        self._quorum_met = self._is_met(self._round)
        self._quorum_s = quorum_time_s(
            self._policy, self._round.cosigned if self._round else {}
        )

    async def run(self) -> None:
        """Publish until `stop`, then the last head too, in bounded time.

        Raises the first error of the log (a ServerError): the process must end.
        """
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stop.is_set():
                    await self._begin(group)
                    await self._ticker.wait(self._stop)
                await self._finish(group)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    def stop(self) -> None:
        """End `run` after a last round. The log must still take commands then."""
        self._stop.set()

    async def publish_once(self) -> None:
        """Do one round and wait for every answer. Not while `run` runs.

        Raises the first error of the log (a ServerError).
        """
        try:
            async with asyncio.TaskGroup() as group:
                await self._begin(group)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    def health(self) -> PublisherHealth:
        """Give the facts for /healthz."""
        now_ms, monotonic_ms = self._clock.now_ms(), self._clock.monotonic_ms()
        published = self._log.published
        age_s = self._quorum_age_s()
        is_overdue = age_s is not None and age_s > 2 * self._settings.republish_s
        in_doubt = any(asked.is_in_doubt for asked in self._asked)
        return PublisherHealth(
            published.size if published else None,
            now_ms - published.time_ms if published else None,
            self._quorum_met,
            age_s,
            not self._quorum_met
            or is_overdue
            or in_doubt
            or self._log.stopped is not None,
            tuple(asked.health(monotonic_ms) for asked in self._asked),
        )

    def _take_up(self) -> Round | None:
        """Go on with the checkpoint that is served, and with whom has cosigned it."""
        if self._log.published is None:
            return None
        round_ = round_of_published(
            self._log.published,
            log_key=self._log.key,
            policy=self._policy,
            started_ms=self._clock.monotonic_ms(),
        )
        for asked in self._asked:
            if not round_.cosigned.keys().isdisjoint(asked.target.keys):
                round_.answered.add(asked.target.url)
                asked.old = round_.size
        return round_

    async def _begin(self, group: asyncio.TaskGroup) -> None:
        """Begin a round if one is due and feasible; ask whoever has not answered."""
        if self._log.stopped is not None:
            return
        now_ms = self._clock.monotonic_ms()
        idle = [asked for asked in self._asked if asked.is_idle(now_ms)]
        if self._is_due(now_ms):
            if self._policy.is_met_by(k for item in idle for k in item.target.keys):
                await self._open_round(now_ms)
            elif not self._tasks:  # nobody can still change that
                self._quorum_met = self._is_current() and self._is_met(self._round)
        round_ = self._round
        if round_ is None:
            return
        for asked in idle:
            if asked.target.url not in round_.answered:
                asked.busy_with = round_
                task = group.create_task(self._ask(asked, round_))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        await self._publish(round_)  # where the quorum is none, that is all it takes

    def _is_due(self, now_ms: int) -> bool:
        """Whether the log has grown, or its published cosignatures are old."""
        round_ = self._round
        if round_ is None or self._log.head.size > round_.size:
            return True
        age_s, republish_s = self._quorum_age_s(), self._settings.republish_s
        return (
            self._is_met(round_)
            and age_s is not None
            and age_s >= republish_s
            and now_ms - round_.started_ms >= republish_s * 1000
        )

    async def _open_round(self, now_ms: int) -> None:
        """Have the writer name a head and begin its round, or renew the one we have."""
        try:
            head = await self._log.mark_publishable()
        except UnavailableError:
            return  # the log has stopped signing, or is stopping, since we looked
        if self._round is not None and head.size == self._round.size:
            self._round.renew(now_ms)
        else:
            self._round = round_of(head, started_ms=now_ms)

    async def _ask(self, asked: AskedWitness, round_: Round) -> None:
        """Take a round to one witness, and publish it if that was enough."""
        try:
            await self._asker.ask(asked, round_)
        finally:
            asked.busy_with = None
        await self._publish(round_)
        if all(other.busy_with is None for other in self._asked):
            self._quorum_met = self._is_met(self._round)

    async def _publish(self, round_: Round) -> None:
        """Store and serve a round if its quorum is met and it is news."""
        async with self._publishing:  # one at a time: sizes never go back
            published = self._log.published
            if self._log.stopped is not None or not self._is_met(round_):
                return
            if published is not None and round_.size < published.size:
                return
            time_ms = max(self._clock.now_ms(), published.time_ms if published else 0)
            news = round_.published_at(time_ms)
            if published is None or published.note != news.note:
                try:
                    await self._log.publish(news)
                except UnavailableError:
                    return  # stopped since we looked: what is served stays
            self._quorum_met = True
            self._quorum_s = quorum_time_s(self._policy, round_.cosigned)

    async def _finish(self, group: asyncio.TaskGroup) -> None:
        """Publish the last head if the witnesses let us, then let go of the slow."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.stop_s):
                while not self._is_current():
                    await self._begin(group)
                    if self._is_current() or not self._tasks:
                        break
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in list(self._tasks):
            task.cancel()

    def _is_current(self) -> bool:
        """Whether the head last released is the one that is served."""
        published = self._log.published
        return published is not None and published.size >= self._log.head.size

    def _is_met(self, round_: Round | None) -> bool:
        return round_ is not None and self._policy.is_met_by(round_.cosigned)

    def _quorum_age_s(self) -> int | None:
        """Age of the quorum that is served, in seconds; None where nobody is asked."""
        since_s = self._quorum_s
        return None if since_s is None else self._clock.now_ms() // 1000 - since_s
