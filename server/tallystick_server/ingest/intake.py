"""The intake of a log of events: from a decoded event to an answer that is durable.

    rules of its schema → laid out → keys, durable in the vault first (D16) → sealed
    → the log's writer: order, time, duplicates (D13, D14) → repeats compared → told
    to what follows the log

Nothing is answered as taken before the log has it durably.  A repeat (the same id by
the same principal) is the same event again, or refused: that is judged by opening the
stored record, never by a digest of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from tallystick_merkle.event import Event, Producer, Ref, Target, Value, id_bytes
from tallystick_merkle.opening import Opening
from tallystick_server.clock import Clock
from tallystick_server.errors import (
    EventError,
    EventReusedError,
    RequestError,
    UnavailableError,
    UnprocessableError,
)
from tallystick_server.ingest.eventids import draw_event_id
from tallystick_server.ingest.followed import Followed
from tallystick_server.ingest.keys import Keys
from tallystick_server.ingest.names import month_of
from tallystick_server.ingest.opened import Opened, Records
from tallystick_server.ingest.own import SERVICE
from tallystick_server.ingest.producers import Producers
from tallystick_server.ingest.results import Refused, Result, Taken
from tallystick_server.ingest.rules import Rules
from tallystick_server.ingest.sealer import Prepared, Sealing, prepare, seal_event
from tallystick_server.log.events import EventPlace, EventSubmission
from tallystick_server.log.log import Log
from tallystick_server.log.sequencer import EventAck
from tallystick_server.storage.base import VaultMark

INLINE = 8
"""Most events that are sealed on the loop; more go to a thread."""

T = TypeVar("T")

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission: each event in order, and the head it stands at.

    `ack` is None when nothing reached the log.
    """

    results: tuple[Result, ...]
    ack: EventAck | None


@dataclass(frozen=True, slots=True)
class _Item:
    """An event that goes on: its place in the submission, prepared; and a warning."""

    position: int
    prepared: Prepared
    warning: str
    names_schema: bool


class Letters(Protocol):
    """Keeps events that were refused, for whoever has to see to them."""

    async def keep(
        self,
        principal: str,
        media: str,
        refused: Sequence[tuple[bytes, EventError]],
    ) -> None:
        """Keep events that came as these bytes; never fails a request."""
        ...


@dataclass(slots=True)
class Intake:
    """Takes the events of one log, see the module. Used on the loop.

    `tenant` is the log's, from its genesis; `mark` gives the state of the vault, `draw`
    random bytes; `executor` seals what is much.
    """

    log: Log
    tenant: str
    keys: Keys
    mark: Callable[[], VaultMark]
    registry: Rules
    producers: Producers
    letters: Letters
    records: Records
    followed: Followed
    executor: Executor
    clock: Clock
    draw: Callable[[int], bytes]
    _epoch: int = field(init=False)
    _sequence: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Begin a new epoch of the server's own producer."""
        self._epoch = self.clock.now_ms()

    async def submit(
        self, principal: str, events: Sequence[Event | RequestError]
    ) -> Submitted:
        """Take events of a principal, each for itself; durable when this returns.

        A RequestError among them is an event that was refused before.  Raises what
        `Log.append` raises when nothing can be taken at all.
        """
        if principal == SERVICE:
            raise UnprocessableError(f"the principal {SERVICE} is the server's own")
        return await self._submit(principal, events)

    async def turned_away(
        self, principal: str, media: str, refused: Sequence[tuple[bytes, RequestError]]
    ) -> None:
        """Count events of a principal that were refused, and keep them aside.

        Those that were refused for what they are; one that met a log that cannot take
        any is its producer's to send again.
        """
        wrong = [(raw, why) for raw, why in refused if isinstance(why, EventError)]
        for _, why in wrong:
            self.producers.refused(principal, why.code)
        if wrong:
            await self.letters.keep(principal, media, wrong)

    async def off_loop(self, work: Callable[[], T]) -> T:
        """Run pure work on the thread that seals."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, work)

    async def emit_own(
        self,
        action: str,
        details: Mapping[str, Value],
        targets: Sequence[Target] = (),
        *,
        actor: Ref | None = None,
    ) -> int:
        """Write an event of the server's own, durably; give its index."""
        self._sequence += 1
        now_ms = self.clock.now_ms()
        event = Event(
            event_id=draw_event_id(now_ms, self.draw),
            action=action,
            actor=actor or Ref("service", SERVICE),
            targets=tuple(targets),
            occurred_ms=now_ms,
            outcome="success",
            code=None,
            producer=Producer(SERVICE, "server", self._epoch, self._sequence),
            extra={"details": dict(details)},
        )
        result = (await self._submit(SERVICE, [event])).results[0]
        if isinstance(result, Refused):
            raise result.error
        await self.followed.reach(result.index + 1)
        return result.index

    async def tell_due(self, *, is_last: bool = False) -> None:
        """Write what producers' numbers have to say, if it is time (D19)."""
        for own in self.producers.due(self.clock.now_ms(), is_last=is_last):
            await self.emit_own(own.action, own.details, own.targets)
            self.producers.reported(own, self.clock.now_ms())

    async def _submit(
        self, principal: str, events: Sequence[Event | RequestError]
    ) -> Submitted:
        results: list[Result | None] = [None] * len(events)
        items: list[_Item] = []
        month = month_of(self.clock.now_ms() // _HOUR_MS * _HOUR_MS)
        for position, event in enumerate(events):
            try:
                if isinstance(event, RequestError):
                    raise event
                items.append(self._prepare(position, event, month))
            except RequestError as error:
                known = "" if isinstance(event, RequestError) else event.event_id
                results[position] = Refused(known, error)
        if not items:
            return Submitted(tuple(filter(None, results)), None)
        sealings = await self._seal([item.prepared for item in items])
        ack = await self.log.append_events(
            EventSubmission(
                principal, tuple(one.sealed for one in sealings), self.mark()
            )
        )
        await self._settle(items, sealings, ack, results)
        return Submitted(tuple(filter(None, results)), ack)

    def _prepare(self, position: int, event: Event, month: str) -> _Item:
        """Apply the rules of its schema; raises RequestError for a refusal."""
        admitted = self.registry.admit(event)
        prepared = prepare(
            admitted.event,
            tenant=self.tenant,
            month=month,
            places=admitted.places,
            indexed=admitted.indexed,
        )
        is_named = event.schema is not None
        return _Item(position, prepared, admitted.warning, is_named)

    async def _seal(self, batch: Sequence[Prepared]) -> list[Sealing]:
        """Get the keys, durable, and then seal."""
        names: set[bytes] = set()
        for prepared in batch:
            names |= prepared.key_names()
        keys = await self.keys.get(names)
        noise = self.draw(sum(prepared.noise for prepared in batch))

        def work() -> list[Sealing]:
            sealings, at = [], 0
            for prepared in batch:
                end = at + prepared.noise
                sealings.append(seal_event(prepared, keys, noise[at:end]))
                at = end
            return sealings

        return work() if len(batch) <= INLINE else await self.off_loop(work)

    async def _settle(
        self,
        items: Sequence[_Item],
        sealings: Sequence[Sealing],
        ack: EventAck,
        results: list[Result | None],
    ) -> None:
        """Say what became of each event, and tell the followers of the new ones."""
        repeats: list[tuple[_Item, EventPlace]] = []
        places = ack.outcome.places
        for item, sealing, place in zip(items, sealings, places, strict=True):
            event = item.prepared.event
            if not isinstance(place, EventPlace):
                results[item.position] = Refused(event.event_id, EventReusedError())
            elif place.is_repeat:
                repeats.append((item, place))
            else:
                self.followed.see(place.index, event, place.time_ms)
                results[item.position] = Taken(
                    event.event_id,
                    place.index,
                    place.time_ms,
                    place.leaf,
                    False,
                    sealing.opening,
                    item.warning,
                )
        for item, place in repeats:
            results[item.position] = await self._judge(item, place)

    async def _judge(self, item: _Item, place: EventPlace) -> Result:
        """Compare a repeat with what is stored (D14)."""
        event = item.prepared.event
        found = await self.records.read(place.index, place.index + 1)
        if not found:
            raise UnavailableError("the record of an event cannot be read")
        opened = found[0]
        if not _is_same(opened, event, item.names_schema):
            return Refused(event.event_id, EventReusedError())
        return Taken(
            event.event_id,
            place.index,
            opened.received_ms,
            opened.leaf,
            True,
            self._reopen(opened),
        )

    def _reopen(self, opened: Opened) -> Opening | None:
        """Give the opening of a stored event again; None where a group is gone."""
        event = opened.event
        if event is None:
            return None
        groups = [group for group in opened.groups if group is not None]
        return Opening(
            tuple(group.seed for group in groups),
            opened.index_entry,
            self.tenant,
            event.producer.service,
            event.schema,
            _places_of(opened),
        )


def _is_same(opened: Opened, event: Event, names_schema: bool) -> bool:
    """Whether a stored record is of this event; as far as it can still be read.

    A schema that the event did not name was put there by the log.
    """
    stored = opened.event
    if stored is not None:
        return stored == (
            event if names_schema else replace(event, schema=stored.schema)
        )
    return opened.record.event_id == id_bytes(event.event_id)


def _places_of(opened: Opened) -> dict[str, int]:
    """Say which fields a schema had given to a target: those in groups from 2 on."""
    facts = opened.groups[0]
    listed = [] if facts is None else facts.fields["targets"]
    first = {group: index for index, (_, group) in reversed(list(enumerate(listed)))}
    return {
        name: first[number]
        for number, group in enumerate(opened.groups)
        if number > 1 and group is not None
        for name in group.names[2:]
    }
