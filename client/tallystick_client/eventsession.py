"""What one can do with a log of events, beside what one can do with every log.

An event that is submitted again is in the log once.  The proof of a batch is about what
is new in it; of an event that was there before, the receipt kept on this machine
counts, and where none is kept, the log is asked for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tallystick_client.results import SubmittedEvents
from tallystick_client.session import Session, Wait, held_of
from tallystick_client.transport import ClientExchange, on_disk
from tallystick_merkle.event import Event
from tallystick_merkle.exchange.appending import Appended, AppendedBatch
from tallystick_merkle.exchange.eventreading import (
    EventPage,
    Proof,
    ShownEvent,
    get_event,
    get_evidence,
    list_events,
)
from tallystick_merkle.exchange.events import (
    Emitted,
    EmittedBatch,
    draft,
    submit_event,
    submit_events,
)
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Receipt, Status

Draft = Event | Mapping[str, object]
"""An event, or its JSON shape."""

Given = Appended | AppendedBatch | Emitted | SubmittedEvents | Held
"""What holds receipts that can be upgraded."""


@dataclass(slots=True)
class EventSession(Session):
    """One log under one policy; its events too, if it is a log of events."""

    def emit(
        self, event: Draft, *, wait: Wait, timeout_s: float
    ) -> ClientExchange[Emitted]:
        """Submit one event; keep and return its checked receipt."""
        read = read_draft(event)
        return self._guard(self._emit(read, wait, timeout_s), self._reader())

    def emit_batch(
        self, events: Sequence[Draft], *, wait: Wait, timeout_s: float
    ) -> ClientExchange[SubmittedEvents]:
        """Submit many events; keep their checked receipts."""
        read = [read_draft(event) for event in events]
        return self._guard(self._emit_batch(read, wait, timeout_s), self._reader())

    def event(self, event_id: str, *, is_sensitive: bool) -> ClientExchange[ShownEvent]:
        """Ask for one event, with the receipt of its leaf."""
        exchange = get_event(
            self.log,
            event_id,
            policy=self.policy,
            is_sensitive=is_sensitive,
            retry=self.retry,
        )
        return self._guard(exchange, self._reader())

    def events(self, *, after: int | None, limit: int) -> ClientExchange[EventPage]:
        """Ask for events in the order of the log."""
        exchange = list_events(self.log, after=after, limit=limit, retry=self.retry)
        return self._guard(exchange, self._reader())

    def disclose(
        self, event_id: str, fields: Sequence[str], *, show_names: bool
    ) -> ClientExchange[Proof]:
        """Ask for evidence that shows some fields of an event, and check it."""
        exchange = get_evidence(
            self.log,
            event_id,
            fields,
            policy=self.policy,
            show_names=show_names,
            retry=self.retry,
        )
        return self._guard(exchange, self._reader())

    def _emit(
        self, event: Event, wait: Wait, timeout_s: float
    ) -> ClientExchange[Emitted]:
        emitted = yield from submit_event(
            self.log,
            event,
            policy=self.policy,
            wait=wait,
            timeout_s=timeout_s,
            retry=self.retry,
        )
        yield from self._keep(held_of_events(emitted), emitted.status)
        return emitted

    def _emit_batch(
        self, events: Sequence[Event], wait: Wait, timeout_s: float
    ) -> ClientExchange[SubmittedEvents]:
        batch = yield from submit_events(
            self.log,
            events,
            policy=self.policy,
            wait=wait,
            timeout_s=timeout_s,
            retry=self.retry,
        )
        receipts = {at: batch.receipt(at) for at in batch.fresh}
        statuses = dict.fromkeys(receipts, batch.status)
        fresh = [
            Held(receipt, leaf_hash(batch.kept[at].leaf))
            for at, receipt in receipts.items()
        ]
        yield from self._keep(fresh, batch.status)
        for at in batch.repeats:
            receipts[at], statuses[at] = yield from self._repeat(
                batch, at, events[at], wait, timeout_s
            )
        return SubmittedEvents(batch.kept, batch.refusals, receipts, statuses)

    def _repeat(
        self,
        batch: EmittedBatch,
        position: int,
        event: Event,
        wait: Wait,
        timeout_s: float,
    ) -> ClientExchange[tuple[Receipt, Status]]:
        """Find the receipt of an event that was in the log before, or ask for it."""
        kept = batch.kept[position]
        known = yield from on_disk(lambda: self.trust.receipt(kept.index))
        if known is not None:
            held, status = known
            is_enough = wait == "durable" or status is Status.WITNESSED
            if held.leaf == leaf_hash(kept.leaf) and is_enough:
                return held.receipt, status
        emitted = yield from self._emit(event, wait, timeout_s)
        return emitted.receipt, emitted.status


def read_draft(event: Draft) -> Event:
    """Give an event; raise MalformedError for a shape that is none."""
    return event if isinstance(event, Event) else draft(event)


def held_of_events(given: Given) -> list[Held]:
    """Give the receipts of what was appended or emitted, with their leaves."""
    if isinstance(given, Emitted):
        return [Held(given.receipt, leaf_hash(given.kept.leaf))]
    if isinstance(given, SubmittedEvents):
        return [
            Held(receipt, leaf_hash(given.kept[at].leaf))
            for at, receipt in given.receipts.items()
        ]
    return held_of(given)
