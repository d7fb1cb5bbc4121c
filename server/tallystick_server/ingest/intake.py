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
from functools import partial
from typing import NamedTuple, TypeVar

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
from tallystick_server.ingest.batchwork import (
    item_opening,
    outline_of,
    sealed_event,
)
from tallystick_server.ingest.deadletters import DeadLetters
from tallystick_server.ingest.decoding import decode_item
from tallystick_server.ingest.eventids import draw_event_id
from tallystick_server.ingest.followed import Followed
from tallystick_server.ingest.gathering import FEW, Gathering
from tallystick_server.ingest.keys import Keys
from tallystick_server.ingest.letters import new_letter
from tallystick_server.ingest.names import period_of
from tallystick_server.ingest.opened import Opened, Records
from tallystick_server.ingest.own import SERVICE
from tallystick_server.ingest.producers import Producers
from tallystick_server.ingest.results import Refused, Result, Submitted, Taken
from tallystick_server.ingest.schemas.registry import Registry, Unknown
from tallystick_server.ingest.sealer import Prepared, opening_of, prepare, seal_event
from tallystick_server.ingest.sealers import WORTH, Schooling, Sealers
from tallystick_server.ingest.workbench import Job
from tallystick_server.log.events import EventPlace, EventSubmission, SealedEvent
from tallystick_server.log.log import Log
from tallystick_server.log.sequencer import EventAck

T = TypeVar("T")


class _Item(NamedTuple):
    """A sealed event that goes to the log: its place in the submission, and the rest.

    `event` is what followers see of it; `whole` gives it as it was submitted.
    """

    position: int
    event: Event
    sealed: SealedEvent
    opening: Callable[[], Opening]
    whole: Callable[[], Event]
    warning: str


@dataclass(slots=True)
class Intake:
    """Takes the events of one log, see the module. Used on the loop.

    `tenant` is the log's, from its genesis; `draw` gives random bytes; `executor` runs
    what would keep the loop.
    """

    log: Log
    tenant: str
    unknown: Unknown
    keys: Keys
    sealers: Sealers
    registry: Registry
    producers: Producers
    letters: DeadLetters
    records: Records
    followed: Followed
    executor: Executor
    clock: Clock
    draw: Callable[[int], bytes]
    _gathering: Gathering = field(init=False)
    _alone: int = field(init=False, default=0)
    _epoch: int = field(init=False)
    _sequence: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Begin a new epoch of the server's own producer."""
        self._gathering = Gathering(self._submit_group)
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

    async def submit_one(
        self, principal: str, raw: bytes, *, is_cbor: bool
    ) -> Submitted:
        """Take one event as it came; durable when this returns. Raises as `submit`.

        Where many come at once they are sealed together, in a process.
        """
        if self.sealers.has_processes and self._alone >= FEW:
            return await self._gathering.submit(principal, raw, is_cbor=is_cbor)
        self._alone += 1
        try:
            event: Event | RequestError
            try:
                event = decode_item(raw, is_cbor=is_cbor, service=principal)
            except EventError as error:
                event = error
            return await self.submit(principal, [event])
        finally:
            self._alone -= 1

    async def _submit_group(
        self, principal: str, raws: Sequence[bytes], is_cbor: bool
    ) -> Submitted:
        return await self.submit_batch(principal, raws, is_cbor=is_cbor, worth=1)

    async def submit_batch(
        self,
        principal: str,
        raws: Sequence[bytes],
        *,
        is_cbor: bool,
        worth: int = WORTH,
    ) -> Submitted:
        """Take a batch as it came, each event for itself; durable when this returns.

        Decoded and sealed where there is time for it; a process is asked from `worth`
        events on.  Raises as `submit`.
        """
        if principal == SERVICE:
            raise UnprocessableError(f"the principal {SERVICE} is the server's own")
        self.log.check_open()
        job = Job(
            self.log.name, self.tenant, principal, self._month(), is_cbor, list(raws)
        )
        school = Schooling(self.log.name, self.unknown, self.registry)
        done = await self.sealers.seal(job, school, self.keys, worth=worth)
        results: list[Result | None] = [None] * len(raws)
        for refused in done.refused:
            error = EventError(refused.detail, pointer=refused.pointer)
            event: Event | RequestError = error
            if refused.event_id:
                raw = raws[refused.position]
                event = decode_item(raw, is_cbor=is_cbor, service=principal)
            results[refused.position] = await self._turn_away(principal, event, error)
        items = [
            _Item(
                one.position,
                outline_of(one, service=principal),
                sealed_event(one),
                partial(item_opening, one, tenant=self.tenant, service=principal),
                partial(
                    decode_item,
                    raws[one.position],
                    is_cbor=is_cbor,
                    service=principal,
                ),
                one.warning,
            )
            for one in done.items
        ]
        return await self._append(principal, items, results)

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
        await self.letters.add(
            [new_letter(principal, media, raw, why) for raw, why in wrong]
        )

    async def finish(self) -> None:
        """Wait for what is under way; the log takes nothing any more."""
        await self._gathering.close()
        await self.keys.close()

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
        """Seal events here, and append them."""
        self.log.check_open()  # before a key is made for nothing
        results: list[Result | None] = [None] * len(events)
        batch: list[tuple[int, Event, Prepared, str]] = []
        for position, event in enumerate(events):
            try:
                if isinstance(event, RequestError):
                    raise event
                prepared, warning = self._prepare(event)
                batch.append((position, event, prepared, warning))
            except RequestError as error:
                results[position] = await self._turn_away(principal, event, error)
        names = {name for _, _, one, _ in batch for name in one.key_names()}
        keys = await self.keys.get(names)
        items = []
        for position, event, prepared, warning in batch:
            done = seal_event(prepared, keys, self.draw(prepared.noise))
            items.append(
                _Item(
                    position,
                    prepared.event,
                    done.sealed,
                    partial(opening_of, prepared, done),
                    partial(_same, event),
                    warning,
                )
            )
        return await self._append(principal, items, results)

    async def _turn_away(
        self, principal: str, event: Event | RequestError, error: RequestError
    ) -> Result:
        """Refuse an event, unless it is a repeat of one that is in the log already.

        A schema that came between does not make a repeat wrong.
        """
        if isinstance(event, RequestError):
            return Refused("", error)
        used = self.log.reader.find_event(id_bytes(event.event_id))
        if used is None or used.owner != principal:
            return Refused(event.event_id, error)
        return await self._judge(event, used.index)

    def _prepare(self, event: Event) -> tuple[Prepared, str]:
        """Apply the rules of its schema; raises RequestError for a refusal."""
        admitted = self.registry.admit(event)
        prepared = prepare(
            admitted.event,
            tenant=self.tenant,
            month=self._month(),
            places=admitted.places,
            indexed=admitted.indexed,
        )
        return prepared, admitted.warning

    def _month(self) -> str:
        return period_of(self.clock.now_ms(), self.log.head.size)

    async def _append(
        self, principal: str, items: Sequence[_Item], results: list[Result | None]
    ) -> Submitted:
        """Append sealed events, and say what became of each."""
        if not items:
            return Submitted(tuple(filter(None, results)), None)
        sealed = tuple([item.sealed for item in items])
        ack = await self.log.append_events(
            EventSubmission(principal, sealed, self.keys.mark())
        )
        await self._settle(items, ack, results)
        return Submitted(tuple(filter(None, results)), ack)

    async def _settle(
        self, items: Sequence[_Item], ack: EventAck, results: list[Result | None]
    ) -> None:
        """Say what became of each event, and tell the followers of the new ones."""
        repeats: list[tuple[_Item, EventPlace]] = []
        for item, place in zip(items, ack.outcome.places, strict=True):
            event = item.event
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
                    item.opening(),
                    item.warning,
                )
        for item, place in repeats:
            results[item.position] = await self._judge(item.whole(), place.index)

    async def _judge(self, event: Event, index: int) -> Result:
        """Compare a repeat with what is stored at `index` (D14)."""
        event_id = event.event_id
        found = await self.records.read(index, index + 1)
        if not found:
            raise UnavailableError("the record of an event cannot be read")
        opened = found[0]
        if not _is_same(opened, event):
            return Refused(event_id, EventReusedError())
        return Taken(
            event_id,
            index,
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


def _same(one: T) -> T:
    return one


def _is_same(opened: Opened, event: Event) -> bool:
    """Whether a stored record is of this event; as far as it can still be read.

    A schema that the event does not name was put there by the log.
    """
    stored = opened.event
    if stored is None:
        return opened.record.event_id == id_bytes(event.event_id)
    if event.schema is None:
        event = replace(event, schema=stored.schema)
    return stored == event and stored.fields == event.fields  # true is not 1


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
