"""Confirm a promoted log: a quorum cosigns a head that it made, or it never acks (D9).

    id drawn, promotion entry written into the marker    durable
    entry appended, under a key made of the id           durable; a repeat adds nothing
    its head taken to every witness, all waited for
    quorum met, and nobody hints at another history
    marker removed                                       durable
    the writer handed to the log that the world sees

Where the operator promoted it without witnesses and the policy asks none, the entry is
appended and published all the same, and nobody is waited for.

A crash anywhere comes back here, finds the entry by its key, and goes on.  A head
under our key that is not ours ends the process: evidence was kept, and the next start
is refused by the same witness.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tallystick_merkle.promotion import ID_SIZE, Promotion, format_promotion
from tallystick_server.clock import Clock
from tallystick_server.errors import IntegrityError, RequestError
from tallystick_server.log.commit import Submission
from tallystick_server.log.digests import entry_digest
from tallystick_server.log.log import Log
from tallystick_server.log.marker import Marker, clear_marker, write_marker
from tallystick_server.log.publisher import Publisher
from tallystick_server.log.standing import is_witnessed
from tallystick_server.log.ticker import Ticker

UNCONFIRMED = (
    "the log was promoted, and no quorum of witnesses has cosigned a head that it made"
)
"""Why a promoted log takes no entry yet."""

_KEY = b"\0promotion\0"  # a request's key begins with a principal, never with a zero

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Appends the promotion entry of one log, and waits until it is cosigned.

    `held` is a log that nobody sees; it takes entries, and `publisher` publishes it.
    `draw(n)` gives n random bytes.  `on_doubt` is told why the log waits.
    """

    data: Path
    marker: Marker
    held: Log
    publisher: Publisher
    clock: Clock
    ticker: Ticker
    draw: Callable[[int], bytes]
    on_doubt: Callable[[str], None]

    async def run(self, stop: asyncio.Event) -> bool:
        """Give True once the log may take entries, False when stopped before.

        Raises IntegrityError when the log may never go on, StoreError when the machine
        fails.
        """
        self.on_doubt(UNCONFIRMED)
        promotion, told = self._decide(), ""
        while not stop.is_set():
            problem = await self._try(promotion)
            if not problem:
                clear_marker(self.data, self.held.name)
                log.warning("promotion confirmed", extra={"log": self.held.name})
                return True
            if self.held.stopped is not None:
                raise IntegrityError(
                    f"the promotion of {self.held.name} ends here, nothing was "
                    f"acknowledged: {self.held.stopped}"
                )
            if problem != told:
                told, facts = problem, {"log": self.held.name, "why": problem}
                log.warning("promotion not confirmed", extra=facts)
                self.on_doubt(f"{UNCONFIRMED} ({problem})")
            await self.ticker.wait(stop)
        return False

    def _decide(self) -> Promotion:
        """Give the promotion that was decided on, or decide: durable in the marker."""
        marker = self.marker
        if marker.promotion is not None:
            return marker.promotion
        promotion = Promotion(
            self.held.origin,
            self.clock.now_ms(),
            marker.size,
            marker.root,
            self.draw(ID_SIZE),
        )
        write_marker(self.data, self.held.name, marker.confirming(promotion))
        return promotion

    async def _try(self, promotion: Promotion) -> str:
        """Append and publish; give what is still missing, or an empty text."""
        entry = format_promotion(promotion)
        key = _KEY + promotion.id
        try:
            ack = await self.held.append(Submission(key, entry_digest(entry), (entry,)))
        except RequestError as error:
            return str(error)
        if ack.placed.first != promotion.size:
            raise IntegrityError(
                f"the promotion entry stands at {ack.placed.first}, not at "
                f"{promotion.size}: the log was changed since it was promoted"
            )
        await self.publisher.publish_once()
        return self._missing(promotion.size + 1)

    def _missing(self, size: int) -> str:
        """Say what is missing for the promotion to hold; nothing is an empty text."""
        held, published = self.held, self.held.published
        if held.stopped is not None:
            return held.stopped
        health = self.publisher.health()
        for one in health.witnesses:
            if one.conflicts:
                return f"{one.name} hints at another history: {one.last_error}"
        if published is None or published.size < size:
            said = "; ".join(
                f"{one.name}: {one.last_error or 'agrees'}" for one in health.witnesses
            )
            return said or "not published yet"
        asks = held.policy is not None and held.policy.asks_for_witnesses
        if asks and not is_witnessed(published.note, held.key, held.policy):
            return f"what is published at size {published.size} is not witnessed"
        return ""
