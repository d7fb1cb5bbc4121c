"""Producers that emit at once, about people nobody knew, and what they were told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from tallystick_client.idempotency import format_uuid7
from tallystick_merkle.errors import KernelError, RefusedError, UnreachableError
from tallystick_merkle.event import Event
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_merkle.exchange.eventreading import get_event
from tallystick_merkle.exchange.events import (
    Emitted,
    Kept,
    draft,
    encode_event,
    submit_event,
    submit_events,
)
from tests.system.drive import drive
from tests.system.one_log import OneLog

BATCH = 80
"""Events of a batch: enough for the process that seals."""

_CLOCK_MS = 1_790_000_000_000


@dataclass
class Producer:
    """One producer with a token of its own.

    `tried` is every event that it ever sent, `acked` the index and the leaf of those
    that were answered, `wrong` whatever may not be.
    """

    name: int
    log: OneLog
    token: str
    tried: dict[str, Event] = field(default_factory=dict)
    acked: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def address(self) -> LogAddress:
        """Where the log is now."""
        return replace(self.log.address, token=self.token)

    def events(self, many: int) -> list[Event]:
        """Make events, each by somebody new about somebody new."""
        return [self._event(next(self._numbers)) for _ in range(many)]

    def send(self, event: Event) -> bool:
        """Send an event; give whether it was there already."""
        self.tried[event.event_id] = event
        got = drive(
            submit_event(self.address, event, policy=self.log.policy, retry=NO_RETRY)
        )
        assert isinstance(got, Emitted)  # nothing is erased here
        self._keep(got.kept)
        return got.kept.is_repeat

    def send_all(self, events: list[Event]) -> None:
        """Send a batch."""
        self.tried |= {event.event_id: event for event in events}
        got = drive(
            submit_events(self.address, events, policy=self.log.policy, retry=NO_RETRY)
        )
        self.wrong += [f"refused: {why}" for why in got.refusals.values()]
        for kept in got.kept.values():
            self._keep(kept)

    def work(self, turns: int) -> None:
        """Send events alone and in batches, and the last one twice."""
        for _ in range(turns):
            *alone, last = self.events(4)
            for event in alone:
                self.send(event)
            self.send_all([*self.events(BATCH - 1), last])
            if not self.send(last):
                self.wrong.append(f"{last.event_id} was acked, and was not there")

    def work_until(self, stop: threading.Event, acked: threading.Semaphore) -> None:
        """Send events until the server is gone or `stop` is set; count what is acked.

        What is refused or lost on the way is no finding.
        """
        while not stop.is_set():
            try:
                for event in self.events(3):
                    self.send(event)
                    acked.release()
                self.send_all(self.events(BATCH))
                acked.release()
            except (UnreachableError, RefusedError):
                continue
            except KernelError as error:
                self.wrong.append(f"an answer does not verify: {error}")

    def check(self, *, readers: OneLog) -> None:
        """Read every event back whole, with a receipt that verifies."""
        for event_id, (index, leaf) in self.acked.items():
            shown = drive(get_event(readers.address, event_id, policy=readers.policy))
            said = draft(dict(shown.read.event))
            sent = self.tried[event_id]
            whole = replace(sent, producer=said.producer)
            if (shown.read.index, shown.read.leaf) != (index, leaf):
                self.wrong.append(f"{event_id} is not at {index}")
            if encode_event(said) != encode_event(whole) or shown.read.erased:
                self.wrong.append(f"{event_id} does not say what was sent")

    def repeat_all(self) -> None:
        """Send everything again; what was acked keeps its index and its leaf."""
        events = list(self.tried.values())
        known = set(self.acked)
        for at in range(0, len(events), 1000):
            self.send_all(events[at : at + 1000])
        if missing := set(self.tried) - set(self.acked):
            self.wrong.append(f"never acked: {sorted(missing)[:3]}")
        assert known <= set(self.acked)

    def _keep(self, kept: Kept) -> None:
        place = kept.index, kept.leaf
        if self.acked.setdefault(kept.event_id, place) != place:
            self.wrong.append(f"{kept.event_id} was at {self.acked[kept.event_id]}")

    def _event(self, number: int) -> Event:
        chance = self.name.to_bytes(2, "big") + number.to_bytes(8, "big")
        return draft(
            {
                "event_id": format_uuid7(_CLOCK_MS + number, chance),
                "action": "user.role.updated",
                "actor": {"type": "user", "id": f"actor-{self.name}-{number}"},
                "targets": [{"type": "user", "id": f"target-{self.name}-{number}"}],
                "occurred_at": "2026-09-21T12:13:14.156Z",
                "outcome": {"result": "success"},
                "producer": {"instance": f"busy-{self.name}", "sequence": number},
                "reason": f"reason {number} of {self.name}",
            }
        )


def at_once(works: list[Callable[[], object]]) -> None:
    """Do several things at once; raise what any of them raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- raised below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
