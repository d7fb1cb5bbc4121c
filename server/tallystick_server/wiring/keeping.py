"""Keep one log signing and published: cleared by its witnesses first (D7), then both.

    cleared at the start   → the writer runs before the first request comes
    not cleared            → reads are served, entries get 503; the witnesses are asked
                             again every few seconds, and the writer starts when a
                             quorum has confirmed the log
    cleared and promoted   → the same, until a quorum has cosigned a head of this
                             process (D9, see `confirming`)
    contradicted           → the process ends (IntegrityError)

A log that is opened for reading only is not kept at all.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tallystick_merkle.policy import NO_QUORUM, Policy
from tallystick_server.clock import Clock
from tallystick_server.log.clearance import (
    Decision,
    OwnView,
    check_witnesses,
    decide,
    wait_for_clearance,
)
from tallystick_server.log.evidence import Evidence
from tallystick_server.log.log import Log
from tallystick_server.log.marker import Marker
from tallystick_server.log.publisher import Publisher
from tallystick_server.log.publishing import PublishSettings
from tallystick_server.log.ticker import IntervalTicker
from tallystick_server.log.witnesses import WitnessPort, WitnessTarget
from tallystick_server.web.services import Standing
from tallystick_server.wiring.confirming import UNCONFIRMED, Confirmation
from tallystick_server.wiring.opening import OpenedLog
from tallystick_server.wiring.writing import RunningWriter

log = logging.getLogger(__name__)

ASK_AGAIN_S = 5.0
"""Seconds between two rounds of asking witnesses for clearance."""

_NOBODY = Policy((), (), (), NO_QUORUM)


@dataclass(slots=True)
class Keeper:
    """Clears one log, starts its writer, and publishes until it is told to stop.

    `data` is the data directory.  `start_writer` lets a log take entries; `make_held`
    makes a second one over the same store, that nobody sees.  `may_be_unproven` is the
    operator's one-time word that the data is the newest there is.
    """

    opened: OpenedLog
    log: Log
    standing: Standing
    targets: tuple[WitnessTarget, ...]
    witnesses: WitnessPort
    evidence: Evidence
    clock: Clock
    data: Path
    start_writer: Callable[[Log], RunningWriter]
    make_held: Callable[[], Log]
    publish_settings: PublishSettings
    may_be_unproven: bool = False
    draw: Callable[[int], bytes] = secrets.token_bytes
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _publisher: Publisher | None = None
    _is_cleared: bool = False
    _held: Log | None = None

    async def clear(self) -> None:
        """Ask the witnesses once; start the writer if they let us.

        Raises IntegrityError for a log that was set back or has forked.
        """
        await self._act_on(await self._check())

    async def run(self) -> None:
        """Wait for clearance where it is missing, then publish, until stopped.

        Raises the first error of the log (a ServerError): the process must end.
        """
        if not self._is_cleared:
            ticker = IntervalTicker(ASK_AGAIN_S)
            decision = await wait_for_clearance(self._check, ticker, self._stop)
            if decision is None:
                return
            await self._act_on(decision)
        if self._publisher is None and self.opened.marker is not None:
            await self._confirm(self.opened.marker)
        if self._publisher is not None:
            if self._stop.is_set():  # it came while the log was being confirmed
                self._publisher.stop()
            await self._publisher.run()

    def stop(self) -> None:
        """End `run` after a last round of publishing."""
        self._stop.set()
        if self._publisher is not None:
            self._publisher.stop()

    async def close(self) -> None:
        """End the writer of a promotion that was not confirmed."""
        if self._held is not None:
            await self._held.close()

    async def _act_on(self, decision: Decision) -> None:
        """Start writing and publishing, or say why not.

        A log that was never published is published before anything else happens to
        it: one that grew without ever being cosigned could not be cleared again.
        A promoted log is confirmed first, by `run`.
        """
        name = self.opened.name
        if not decision.may_sign:
            self.log.refusal = "the log does not sign yet: it asks its witnesses"
            log.error("not signing", extra={"log": name, "why": decision.reason})
            return
        self._is_cleared = True
        if self.opened.anchor is not None:  # from now on the anchor follows each head
            self.opened.anchor.record(self.log.head.size, self.log.head.root)
        if self.opened.marker is not None:
            self.log.refusal = self.standing.blocked = UNCONFIRMED
            return
        level = logging.WARNING if decision.is_override else logging.INFO
        log.log(level, "signing", extra={"log": name, "why": decision.reason})
        self.start_writer(self.log)
        await self._begin()

    async def _begin(self) -> None:
        """Begin to publish a log that takes entries."""
        self._publisher = self._make_publisher(self.log)
        self.standing.publisher = self._publisher
        if self.log.published is None:
            await self._publisher.publish_once()

    async def _confirm(self, marker: Marker) -> None:
        """Have a promoted log confirmed, and only then let it take entries."""
        self._held = self.make_held()
        running = self.start_writer(self._held)
        publisher = self._make_publisher(self._held)
        self.standing.publisher = publisher
        confirmation = Confirmation(
            self.data,
            marker,
            self._held,
            publisher,
            self.clock,
            IntervalTicker(self.opened.settings.publish_interval_s),
            self.draw,
            self._doubt,
        )
        if not await confirmation.run(self._stop):
            return
        running.hand_to(self.log)
        self._held = None
        self.standing.blocked = None
        log.info("signing", extra={"log": self.opened.name, "why": "confirmed"})
        await self._begin()

    def _has_word(self, policy: Policy) -> bool:
        """Whether the operator has said that it may sign, though nobody confirms it.

        For a promoted log that was said when it was promoted, where nobody is asked.
        """
        marker = self.opened.marker
        if marker is None:
            return self.may_be_unproven
        return marker.is_unwitnessed and not policy.asks_for_witnesses

    def _doubt(self, why: str) -> None:
        """Say why a promoted log takes no entries."""
        self.standing.blocked = why

    def _make_publisher(self, published: Log) -> Publisher:
        return Publisher(
            published,
            policy=self.opened.policy,
            targets=self.targets,
            witnesses=self.witnesses,
            clock=self.clock,
            ticker=IntervalTicker(self.opened.settings.publish_interval_s),
            evidence=self.evidence,
            settings=self.publish_settings,
        )

    async def _check(self) -> Decision:
        """Hold the log against what its witnesses have seen."""
        policy = self.opened.policy or _NOBODY
        is_copy = self.opened.marker is not None  # the anchor will not do
        view = OwnView(
            self.log.key, self.log.head, self.log.published, self.log.reader.root
        )
        answers = await check_witnesses(
            self.witnesses,
            self.targets,
            view=view,
            policy=policy,
            evidence=self.evidence,
        )
        decision = decide(
            policy,
            answers,
            size=self.log.head.size,
            anchored=self.opened.is_anchored and not is_copy,
            published=self.log.published,
            override=self._has_word(policy),
        )
        self.standing.blocked = None if decision.may_sign else decision.reason
        return decision
