"""Place events in a commit: pure, and the only place where their duplicates show (D14).

Events come sealed: a commitment, tags, and groups that are encrypted already.  Here
the log adds what is its own (D13): the commit time, the epoch of the tags, and so the
index entry, the leaf and the record.

An event id is used once in a log, and belongs to who used it first.  It may be stored
already, or stand earlier in the same batch, or earlier in the same submission; the
same principal gets the place of the first use again, anybody else is refused.  Whether
a repeat says the same is not asked here: whoever can open the record finds out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tallystick_merkle.leaf import EventLeaf, format_leaf
from tallystick_merkle.sealing import format_record
from tallystick_merkle.tags import EPOCH, format_index_entry, index_digest
from tallystick_server.errors import IntegrityError
from tallystick_server.storage.base import Side, UsedId, VaultMark

BYTES_BESIDE = 80
"""What an event counts in the queue beside its groups, in bytes: its leaf."""


class SealedEvent(NamedTuple):
    """An event to append: its 16-byte id, its commitment, its tags and its groups.

    `tags` are 1 to 16, ascending, each once; `groups` are as `sealing.seal` gave them;
    `blind` hides from whoever sees the leaf alone which events have the same tags.
    """

    event_id: bytes
    commitment: bytes
    tags: tuple[bytes, ...]
    groups: bytes
    blind: bytes


@dataclass(frozen=True, slots=True)
class EventSubmission:
    """Events to append together, of one principal.

    `owner` is the principal whose token they came with: what an event calls the service
    of its producer.  The ids are his.

    `vault` is a state of the vault that holds every key they were sealed with, durable
    before the submission was made (D16).
    """

    owner: str
    events: tuple[SealedEvent, ...]
    vault: VaultMark

    @property
    def bytes(self) -> int:
        """What it counts in the queue."""
        return sum(BYTES_BESIDE + len(event.groups) for event in self.events)


@dataclass(frozen=True, slots=True)
class EventPlace:
    """Where an event is: its index, its commit time (POSIX ms) and its 80-byte leaf.

    `is_repeat` says that the id was used before, by the same principal.
    """

    index: int
    time_ms: int
    leaf: bytes
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class IdTaken:
    """An event refused: another principal has used its id."""


@dataclass(frozen=True, slots=True)
class PlacedEvents:
    """What became of each event of a submission, in its order.

    The new ones are neighbours: [first, first + count).
    """

    places: tuple[EventPlace | IdTaken, ...]
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event that is stored under an id: what the store says, and its leaf."""

    used: UsedId
    leaf: bytes


def index_entry_of(tags: Sequence[bytes], blind: bytes) -> bytes:
    """Complete the index entry of an event that is appended now."""
    return format_index_entry(EPOCH, tags, blind)


class Placing:
    """Places the events of one commit, submission by submission.

    `sides` collects what is stored beside the leaves, in the order of the log.
    """

    def __init__(self, known: Mapping[bytes, KnownEvent], *, time_ms: int) -> None:
        """Commit at `time_ms`; `known` has the ids among them that are stored."""
        self._known = known
        self._time_ms = time_ms
        self._fresh: dict[bytes, tuple[str, EventPlace]] = {}
        self.sides: list[Side] = []

    def place(
        self, submission: EventSubmission, *, start: int, entries: list[bytes]
    ) -> PlacedEvents:
        """Place a submission; add the leaves of its new events to `entries`.

        The first entry of the commit gets the index `start`.
        """
        first = start + len(entries)
        places = [
            self._repeat(submission.owner, event.event_id)
            or self._add(submission.owner, event, start + len(entries), entries)
            for event in submission.events
        ]
        return PlacedEvents(tuple(places), first, start + len(entries) - first)

    def _repeat(self, owner: str, event_id: bytes) -> EventPlace | IdTaken | None:
        """Find the first use of an id; None when this is the first."""
        if (found := self._fresh.get(event_id)) is not None:
            user, place = found
        elif (known := self._known.get(event_id)) is not None:
            user = known.used.owner
            place = EventPlace(known.used.index, known.used.time_ms, known.leaf, True)
        else:
            return None
        if user != owner:
            return IdTaken()
        return EventPlace(place.index, place.time_ms, place.leaf, True)

    def _add(
        self, owner: str, event: SealedEvent, index: int, entries: list[bytes]
    ) -> EventPlace:
        """Complete a new event: its index entry, its leaf, its record."""
        time_ms = self._time_ms
        entry = index_entry_of(event.tags, event.blind)
        leaf = format_leaf(EventLeaf(time_ms, event.commitment, index_digest(entry)))
        record = format_record(event.event_id, time_ms, event.groups)
        entries.append(leaf)
        self.sides.append(Side(index, event.event_id, owner, entry, record))
        place = EventPlace(index, time_ms, leaf, False)
        self._fresh[event.event_id] = owner, place
        return place


def newest_mark(
    last: VaultMark | None, submissions: Iterable[EventSubmission]
) -> VaultMark | None:
    """Give the newest state of the vault among these; submissions may overtake.

    Raises IntegrityError where they are not all of one vault, or two have as many keys
    and are not the same.
    """
    for submission in submissions:
        mark = submission.vault
        if last is not None and mark.vault_id != last.vault_id:
            raise IntegrityError(
                f"the events of the log depend on vault {last.vault_id.hex()}, new "
                f"ones on {mark.vault_id.hex()}"
            )
        if last is not None and mark.count == last.count and mark.chain != last.chain:
            raise IntegrityError(
                f"events depend on two branches of vault {mark.vault_id.hex()} with "
                f"{mark.count} keys each"
            )
        if last is None or mark.count > last.count:
            last = mark
    return last
