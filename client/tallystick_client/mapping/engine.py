"""A mapping at work: one record in, one event in its JSON shape out.

What a mapping takes unchanged from a place in the record leaves the rest of the record;
all other members stay in it and become the event's `details`.  So each value of the
record is in the event, or named in `details/mapping` (see `fitting`).

The event's id is decided by the record and a secret key, so that the same file emitted
twice gives the same events: a UUIDv7 whose time is that of the event, and whose other
bits are an HMAC of the mapping's name and the record's own identity, or else of the
whole record and its line.  Without the key nobody can tell which record an id is of.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tallystick_client.idempotency import format_uuid7
from tallystick_client.mapping.fitting import DETAILS, fit
from tallystick_client.mapping.records import (
    MAX_RECORD,
    Pointer,
    RecordError,
    find,
    format_json,
    format_pointer,
    without,
)
from tallystick_client.mapping.rules import (
    Condition,
    Found,
    Scope,
    Ways,
    as_text,
    first,
)
from tallystick_client.mapping.spelling import (
    action_of,
    code_of,
    id_of,
    region_of,
    time_of,
    type_of,
)
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import MAX_TARGETS, OUTCOMES, PERSON_TYPES, Value
from tallystick_merkle.eventjson import format_time, read_extra

MIN_KEY = 16
"""Shortest key of ids, in bytes."""


@dataclass(frozen=True, slots=True)
class When:
    """Where a time stands, and how it is written (see `spelling.time_of`)."""

    path: Pointer
    how: str
    zone_minutes: int
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Who:
    """How to find an actor or a target: its type and its id.

    With `each`, one for every item of a list, in which the rules then look.
    """

    type: Ways
    id: Ways
    where: tuple[Condition, ...] = ()
    each: Pointer | None = None
    person: bool | None = None


@dataclass(frozen=True, slots=True)
class RecordMapping:
    """A mapping that was read and checked; see `reading` for its file.

    `records` are places of lists of records in a document, `unwrap` names a wrapping
    that is taken off before, and a record for which a `skip` holds is no event.
    """

    name: str
    version: int
    action: Ways
    actor: tuple[Who, ...]
    occurred_at: tuple[When, ...]
    outcome: Ways
    code: Ways = ()
    region: Ways = ()
    targets: tuple[Who, ...] = ()
    fields: Mapping[Pointer, Ways] = field(default_factory=dict)
    identity: tuple[Pointer, ...] = ()
    records: tuple[Pointer, ...] = ()
    unwrap: str | None = None
    skip: tuple[tuple[Condition, ...], ...] = ()
    empty: frozenset[str] = frozenset({""})

    def apply(self, record: Value, *, line: int, key: bytes) -> dict[str, Value] | None:
        """Give the event of a record, without its producer; None if it is skipped.

        `line` is where the record stands, from 1; `key` the secret of the ids, see
        `digest_of`.  Raises RecordError for a record
        that cannot be an event, saying what was looked for and not found.
        """
        if not isinstance(record, dict):
            raise RecordError("not a JSON object")
        canonical = format_json(record)
        if len(canonical) > MAX_RECORD:
            raise RecordError(f"longer than {MAX_RECORD} bytes")
        scope = Scope(record, self.empty)
        if any(all(one.holds(scope) for one in rule) for rule in self.skip):
            return None
        return _Work(self, scope, record, key).event(canonical, line)


class _Work:
    """One record on its way to an event, and which of its places were taken."""

    def __init__(
        self,
        mapping: RecordMapping,
        scope: Scope,
        record: dict[str, Value],
        key: bytes,
    ) -> None:
        self._mapping = mapping
        self._scope = scope
        self._record = record
        self._key = key
        self._taken: set[Pointer] = set()

    def event(self, canonical: str, line: int) -> dict[str, Value]:
        """Put the event together."""
        mapping = self._mapping
        time_ms = self._time()
        body: dict[str, Value] = {
            "event_id": self._event_id(time_ms, canonical, line),
            "action": self._action(),
            "actor": self._actor(),
            "targets": list(self._targets()),
            "occurred_at": format_time(time_ms),
            "outcome": self._outcome(),
        }
        region = first(mapping.region, self._scope)
        if region is not None and (text := region_of(region.value)) is not None:
            body["region"] = self._take(region, text)
        extra: dict[str, Value] = {}
        for place, ways in mapping.fields.items():
            found = first(ways, self._scope)
            if found is not None and _put(extra, place, found.value):
                self._take(found, found.value)
        extra[DETAILS] = without(self._record, self._taken)
        return {**body, **fit(extra, mapping=f"{mapping.name}/{mapping.version}")}

    def _time(self) -> int:
        tried = []
        for when in self._mapping.occurred_at:
            value = find(self._record, when.path)
            tried.append(format_pointer(when.path))
            if not all(one.holds(self._scope) for one in when.where):
                continue
            time_ms = time_of(value, how=when.how, zone_minutes=when.zone_minutes)
            if time_ms is not None:
                self._take(Found(value, when.path), format_time(time_ms))
                return time_ms
        raise RecordError(f"no time that can be read at {' or '.join(tried)}")

    def _event_id(self, time_ms: int, canonical: str, line: int) -> str:
        mapping = self._mapping
        texts = [as_text(find(self._record, place)) for place in mapping.identity]
        parts = [text for text in texts if text]
        if not parts or len(parts) != len(texts):
            parts = [canonical, str(line)]
        digest = digest_of(self._key, "event", mapping.name, *parts)
        return format_uuid7(time_ms, digest[:10])

    def _action(self) -> str:
        found = first(self._mapping.action, self._scope)
        text = None if found is None else as_text(found.value)
        action = None if text is None else action_of(text, name=self._mapping.name)
        if found is None or action is None:
            raise RecordError("nothing from which the action follows")
        self._take(found, action)
        return action

    def _actor(self) -> Value:
        for who in self._mapping.actor:
            for actor in self._people(who):
                return {"type": actor["type"], "id": actor["id"]}
        raise RecordError("nobody who could be the actor")

    def _targets(self) -> Iterator[Value]:
        known: list[tuple[Value, Value]] = []
        for who in self._mapping.targets:
            for target in self._people(who):
                name = (target["type"], target["id"])
                if name not in known and len(known) < MAX_TARGETS:
                    known.append(name)
                    yield target

    def _people(self, who: Who) -> Iterator[dict[str, Value]]:
        """Find all that a rule for actors or targets finds."""
        scopes = [self._scope]
        if who.each is not None:
            items = find(self._record, who.each)
            listed = items if isinstance(items, list) else []
            scopes = [Scope(item, self._scope.empty) for item in listed]
        for scope in scopes:
            if not all(one.holds(scope) for one in who.where):
                continue
            kind, name = first(who.type, scope), first(who.id, scope)
            if kind is None or name is None:
                continue
            type_text = type_of(as_text(kind.value) or "")
            id_text = id_of(name.value)
            if type_text is None or id_text is None:
                continue
            found: dict[str, Value] = {"type": type_text, "id": id_text}
            if who.each is None:
                self._take(kind, type_text)
                self._take(name, id_text)
            if who.person is not None and who.person != (type_text in PERSON_TYPES):
                found["person"] = who.person
            yield found

    def _outcome(self) -> dict[str, Value]:
        found = first(self._mapping.outcome, self._scope)
        if found is None or found.value not in OUTCOMES:
            raise RecordError(f"nothing that says {', '.join(OUTCOMES)}")
        outcome: dict[str, Value] = {"result": self._take(found, found.value)}
        code = first(self._mapping.code, self._scope)
        if code is not None and (text := code_of(code.value)) is not None:
            outcome["code"] = self._take(code, text)
        return outcome

    def _take(self, found: Found, value: Value) -> Value:
        """Take a value into the event; its place leaves the rest if it is the same."""
        source = found.source
        if (
            source
            and value == found.value
            and type(value) is type(found.value)
            and _is_through_objects(self._record, source)
        ):
            self._taken.add(source)
        return value


def digest_of(key: bytes, *parts: str) -> bytes:
    """Digest texts under a secret key of at least 16 bytes: 32 bytes.

    Raises ValueError for a shorter key: its digests could be tried.
    """
    if len(key) < MIN_KEY:
        raise ValueError(f"a key of {len(key)} bytes, expected at least {MIN_KEY}")
    digest = hmac.new(key, b"tallystick/emit/v2\n", "sha256")
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()


def _is_through_objects(record: Value, place: Pointer) -> bool:
    """Whether a place is a member of objects in objects, with no list on the way."""
    for part in place:
        if not isinstance(record, dict) or part not in record:
            return False
        record = record[part]
    return True


def _put(extra: dict[str, Value], place: Pointer, value: Value) -> bool:
    """Put a value into the free members, unless the event cannot have it there."""
    root, *parts = place
    tree: Value = value
    for part in reversed(parts):
        tree = {part: tree}
    try:
        read_extra({root: tree})
    except MalformedError:
        return False
    holder = extra
    for part in place[:-1]:
        inner = holder.setdefault(part, {})
        if not isinstance(inner, dict):
            return False
        holder = inner
    holder[place[-1]] = value
    return True
