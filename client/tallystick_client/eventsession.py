"""What one can do with a log of events, beside what one can do with every log.

An event that is submitted again is in the log once.  The proof of a batch is about what
is new in it; of an event that was there before, the receipt kept on this machine
counts, and where none is kept, the log is asked for one.

Where a log says that an event was there and was erased since, its answer proves
nothing: it counts only where a receipt is kept that was checked for this event, and
says the same.  Any other is `Unproven`, and no receipt of it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tallystick_client.errors import UnprovenError
from tallystick_client.guard import Reading
from tallystick_client.results import SubmittedEvents, Unproven
from tallystick_client.session import Session, Wait, held_of, read_entry
from tallystick_client.transport import ClientExchange, on_disk
from tallystick_client.trust import HeldEvent
from tallystick_merkle.errors import (
    InconsistentError,
    KernelError,
    ProofError,
    TreeMismatchError,
)
from tallystick_merkle.event import Event
from tallystick_merkle.exchange.appending import Appended, AppendedBatch
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_merkle.exchange.eventreading import (
    EventPage,
    Proof,
    ShownEvent,
    get_event,
    get_evidence,
    list_events,
)
from tallystick_merkle.exchange.events import (
    Claim,
    Emitted,
    Kept,
    draft,
    submit_event,
    submit_events,
)
from tallystick_merkle.exchange.trusting import Held, prove_entry
from tallystick_merkle.genesis import EVENTS, parse_genesis, tenant_of
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Receipt, Status

MAX_TENANT = 256
"""Longest name of a tenant that is remembered, in characters; it is 32 in fact."""

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
        self,
        event_id: str,
        fields: Sequence[str],
        *,
        show_names: bool,
        all_names: bool,
    ) -> ClientExchange[Proof]:
        """Ask for evidence that shows some fields of an event, and check it."""
        exchange = get_evidence(
            self.log,
            event_id,
            fields,
            policy=self.policy,
            show_names=show_names,
            all_names=all_names,
            retry=self.retry,
        )
        return self._guard(exchange, self._reader())

    def _emit(
        self, event: Event, wait: Wait, timeout_s: float
    ) -> ClientExchange[Emitted]:
        answer = yield from submit_event(
            self.log,
            event,
            policy=self.policy,
            wait=wait,
            timeout_s=timeout_s,
            retry=self.retry,
        )
        if isinstance(answer, Claim):
            emitted = answer.emitted
            yield from self._confirm(emitted.kept)
        else:
            emitted = answer
            yield from self._check_tenant([emitted.kept])
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
        yield from self._check_tenant(list(batch.kept.values()))
        receipts = {at: batch.receipt(at) for at in batch.fresh}
        statuses = dict.fromkeys(receipts, batch.status)
        fresh = [_held(receipt, batch.kept[at]) for at, receipt in receipts.items()]
        yield from self._keep(fresh, batch.status)
        kept, unproven = dict(batch.kept), dict[int, Unproven]()
        for at, one in batch.claims.items():
            try:
                yield from self._confirm(one)
                kept[at] = one
            except UnprovenError as error:
                unproven[at] = Unproven(error.event_id, error.index)
        for at in sorted(set(kept) - set(receipts)):
            try:
                receipts[at], statuses[at] = yield from self._repeat(
                    kept[at], events[at], wait, timeout_s
                )
            except UnprovenError as error:  # erased since the batch was answered
                del kept[at]
                unproven[at] = Unproven(error.event_id, error.index)
        in_order = dict(sorted(kept.items()))
        return SubmittedEvents(in_order, batch.refusals, receipts, statuses, unproven)

    def _repeat(
        self, kept: Kept, event: Event, wait: Wait, timeout_s: float
    ) -> ClientExchange[tuple[Receipt, Status]]:
        """Find the receipt of an event that was in the log before, or ask for it."""
        known = yield from on_disk(lambda: self.trust.receipt(kept.index))
        if known is not None:
            held, status = known
            is_enough = wait == "durable" or status is Status.WITNESSED
            if held.leaf == leaf_hash(kept.leaf) and is_enough:
                return held.receipt, status
        emitted = yield from self._emit(event, wait, timeout_s)
        if (emitted.kept.index, emitted.kept.leaf) != (kept.index, kept.leaf):
            raise ProofError(
                f"the log says that event {kept.event_id} is entry {kept.index}, and "
                f"then that it is entry {emitted.kept.index}"
            )
        return emitted.receipt, emitted.status

    def _confirm(self, kept: Kept) -> ClientExchange[None]:
        """Hold what the log merely claims against what was checked before.

        Raises UnprovenError where nothing is known of the entry, and ProofError where
        the entry is known to be another.
        """
        held = yield from on_disk(lambda: self.trust.checked_event(kept.index))
        if held is None:
            raise UnprovenError(event_id=kept.event_id, index=kept.index)
        if (held.event_id, held.leaf) != (kept.event_id, leaf_hash(kept.leaf)):
            raise ProofError(
                f"the log says that entry {kept.index} is event {kept.event_id}; "
                f"it was checked before to be event {held.event_id}"
            )

    def _check_tenant(self, kept: Sequence[Kept]) -> ClientExchange[None]:
        """Raise ProofError for events that were sealed for another tenant's log.

        The tenant is that of entry 0, if we may read it, else the first one seen.
        """
        told = {one.opening.tenant for one in kept if one.opening is not None}
        if not told:
            return
        if any(len(one) > MAX_TENANT or not one.isprintable() for one in told):
            raise ProofError("the log sealed an event for a tenant with no such name")
        if len(told) > 1:
            raise ProofError("the log sealed events of one batch for two tenants")
        pinned = yield from on_disk(self.trust.tenant)
        if pinned is None:
            tenant = (yield from self._read_tenant()) or min(told)
            pinned = yield from on_disk(lambda: self.trust.pin_tenant(tenant))
        for tenant in sorted(told - {pinned}):
            raise ProofError(
                f"the log sealed an event for tenant {tenant!r}, and is of {pinned!r}"
            )

    def _read_tenant(self) -> ClientExchange[str | None]:
        """Read whose log it is in its entry 0; None where we may not or cannot."""
        log = self.log
        reader = Reading(log.read_url, token=log.read_token, retry=NO_RETRY)
        return (yield from self._guard(self._ask_tenant(reader), reader))

    def _ask_tenant(self, reader: Reading) -> ClientExchange[str | None]:
        try:
            head = yield from self._head(reader)
            if not head.size:
                return None
            entry = yield from read_entry(reader, 0, head.size)
            yield from prove_entry(
                reader,
                index=0,
                leaf=leaf_hash(entry),
                head=head.judged,
                policy=self.policy,
            )
            genesis = parse_genesis(entry)
        except (InconsistentError, TreeMismatchError):
            raise
        except KernelError:  # not for us to read, or not there: trust on first use
            return None
        return tenant_of(genesis) if genesis.kind == EVENTS else None


def read_draft(event: Draft) -> Event:
    """Give an event; raise MalformedError for a shape that is none."""
    return event if isinstance(event, Event) else draft(event)


def held_of_events(given: Given) -> list[Held]:
    """Give the receipts of what was appended or emitted, with their leaves."""
    if isinstance(given, Emitted):
        return [_held(given.receipt, given.kept)]
    if isinstance(given, SubmittedEvents):
        return [
            _held(receipt, given.kept[at]) for at, receipt in given.receipts.items()
        ]
    return held_of(given)


def _held(receipt: Receipt, kept: Kept) -> Held:
    return HeldEvent(receipt, leaf_hash(kept.leaf), kept.event_id)
