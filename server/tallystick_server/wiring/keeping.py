"""Keep one log signing and published: cleared by its witnesses first (D7), then both.

    cleared at the start   → the writer runs before the first request comes
    not cleared            → reads are served, entries get 503; the witnesses are asked
                             again every few seconds, and the writer starts when a
                             quorum has confirmed the log
    contradicted           → the process ends (IntegrityError)

A log that is opened for reading only is not kept at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

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
from tallystick_server.log.publisher import Publisher
from tallystick_server.log.publishing import PublishSettings
from tallystick_server.log.ticker import IntervalTicker
from tallystick_server.log.witnesses import WitnessPort, WitnessTarget
from tallystick_server.web.services import Standing
from tallystick_server.wiring.opening import OpenedLog

log = logging.getLogger(__name__)

ASK_AGAIN_S = 5.0
"""Seconds between two rounds of asking witnesses for clearance."""

_NOBODY = Policy((), (), (), NO_QUORUM)


@dataclass(slots=True)
class Keeper:
    """Clears one log, starts its writer, and publishes until it is told to stop.

    `start_writer` makes the log take entries.  `may_be_unproven` is the operator's
    one-time word that the data is the newest there is.
    """

    opened: OpenedLog
    log: Log
    standing: Standing
    targets: tuple[WitnessTarget, ...]
    witnesses: WitnessPort
    evidence: Evidence
    clock: Clock
    start_writer: Callable[[], None]
    publish_settings: PublishSettings
    may_be_unproven: bool = False
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _publisher: Publisher | None = None

    async def clear(self) -> None:
        """Ask the witnesses once; start the writer if they let us.

        Raises IntegrityError for a log that was set back or has forked.
        """
        await self._act_on(await self._check())

    async def run(self) -> None:
        """Wait for clearance where it is missing, then publish, until stopped.

        Raises the first error of the log (a ServerError): the process must end.
        """
        if self._publisher is None:
            ticker = IntervalTicker(ASK_AGAIN_S)
            decision = await wait_for_clearance(self._check, ticker, self._stop)
            if decision is None:
                return
            await self._act_on(decision)
        if self._publisher is not None:
            await self._publisher.run()

    def stop(self) -> None:
        """End `run` after a last round of publishing."""
        self._stop.set()
        if self._publisher is not None:
            self._publisher.stop()

    async def _act_on(self, decision: Decision) -> None:
        """Start writing and publishing, or say why not.

        A log that was never published is published before anything else happens to
        it: one that grew without ever being cosigned could not be cleared again.
        """
        name = self.opened.name
        if not decision.may_sign:
            self.log.refusal = "the log does not sign yet: it asks its witnesses"
            log.error("not signing", extra={"log": name, "why": decision.reason})
            return
        level = logging.WARNING if decision.is_override else logging.INFO
        log.log(level, "signing", extra={"log": name, "why": decision.reason})
        if self.opened.anchor is not None:  # from now on the anchor follows each head
            self.opened.anchor.record(self.log.head.size, self.log.head.root)
        self.start_writer()
        self._publisher = Publisher(
            self.log,
            policy=self.opened.policy,
            targets=self.targets,
            witnesses=self.witnesses,
            clock=self.clock,
            ticker=IntervalTicker(self.opened.settings.publish_interval_s),
            evidence=self.evidence,
            settings=self.publish_settings,
        )
        self.standing.publisher = self._publisher
        if self.log.published is None:
            await self._publisher.publish_once()

    async def _check(self) -> Decision:
        """Hold the log against what its witnesses have seen."""
        policy = self.opened.policy or _NOBODY
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
            anchored=self.opened.is_anchored,
            override=self.may_be_unproven,
        )
        self.standing.blocked = None if decision.may_sign else decision.reason
        return decision
