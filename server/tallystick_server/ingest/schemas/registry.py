"""The schemas of one log: which there are, which applies, and how one comes in.

A registration is an event of the log, `schema.registered`, written by the server:

    targets  the schema by its id
    details  {id, version, action, digest: hex SHA-256, document: the schema's text,
              by: the principal whose token it came with}

Order of durability: checked, then durable in the log, then in use.  What is in use
follows from the log alone, in its order, so every process and every restart has the
same.  A schema is never changed or taken away: old events stay readable by theirs.

An action has one id of a schema, and that id one action; versions count up from 1, and
each takes all events that the one before took (`schema_versions`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Event, Target, Value
from tallystick_merkle.eventjson import format_event
from tallystick_merkle.schema import Schema, parse_schema
from tallystick_merkle.schema_versions import differences
from tallystick_server.errors import (
    EventError,
    IntegrityError,
    NotFoundError,
    SchemaTakenError,
    UnprocessableError,
)
from tallystick_server.ingest.own import SERVICE
from tallystick_server.ingest.rules import Admitted
from tallystick_server.ingest.schemas.compiling import Compiled, compile_schema
from tallystick_server.ingest.schemas.owning import check_owners
from tallystick_server.ingest.schemas.weighing import check_weight
from tallystick_server.ingest.streams import HEARTBEAT, MAX_HEARTBEAT_S, heartbeat_of

REGISTERED = "schema.registered"
"""The action of a registration."""

MAX_SCHEMAS = 1000
"""Most schemas of a log, each version counted."""

MAX_COMPILED = 128
"""Most schemas that are kept compiled."""

MAX_COUNTED = 1000
"""Most unknown actions that are counted by name."""

Unknown = Literal["allow", "warn", "refuse"]

_log = logging.getLogger(__name__)


class Emit(Protocol):
    """Writes an event of the server's own; `Intake.emit_own` does."""

    def __call__(
        self, action: str, details: Mapping[str, Value], targets: Sequence[Target]
    ) -> Awaitable[int]:
        """Write it; durable, and observed, when this returns. Gives its index."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered schema, and the entry of the log that says so.

    `registered_by` is a principal; empty where the entry names none.
    """

    id: str
    version: int
    action: str
    digest: bytes
    index: int
    registered_ms: int
    registered_by: str
    text: str = field(repr=False)


class Registry:
    """Knows the schemas of one log. Used on the loop."""

    def __init__(self, *, log_name: str, unknown: Unknown) -> None:
        """Know of no schema; `unknown` says what becomes of actions without one."""
        self._log_name = log_name
        self._unknown = unknown
        self._entries: dict[tuple[str, int], Entry] = {}
        self._latest: dict[str, Entry] = {}  # by action
        self._actions: dict[str, str] = {}  # by id
        self._compiled: OrderedDict[tuple[str, int], Compiled] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._registering = asyncio.Lock()

    def admit(self, event: Event) -> Admitted:
        """Apply the schema that an event names, or else the newest of its action.

        The one that applied is written into the event.  Raises EventError for an event
        that does not fit.  The server's own events have no schema.
        """
        if event.producer.service == SERVICE:
            return Admitted(event)
        entry = self._find(event)
        if entry is None:
            return self._admit_unknown(event)
        compiled = self._compile(entry)
        fault = compiled.check(format_event(event))
        if fault is not None:
            where, why = fault
            raise EventError(
                f"{why}, by schema {entry.id} version {entry.version}", pointer=where
            )
        warning = check_owners(event, compiled) or _doubt_heartbeat(event)
        if event.schema is None:
            event = replace(event, schema=(entry.id, entry.version))
        return Admitted(event, compiled.places, compiled.indexed, warning)

    def sensitive(self, schema: tuple[str, int]) -> frozenset[str]:
        """Name the fields that are sensitive, each with all that is below it.

        What a later version of the schema calls so is sensitive in older events too.
        """
        action = self._actions.get(schema[0])
        if action is None:
            return frozenset()
        return self._compile(self._latest[action]).sensitive

    @property
    def count(self) -> int:
        """How many schemas there are, each version counted; it only grows."""
        return len(self._entries)

    def entries(self) -> list[Entry]:
        """Give all schemas, by id and version."""
        return [self._entries[key] for key in sorted(self._entries)]

    def entry(self, schema_id: str, version: int) -> Entry:
        """Give one schema; raise NotFoundError where there is none."""
        found = self._entries.get((schema_id, version))
        if found is None:
            raise NotFoundError("no such schema")
        return found

    async def register(
        self, document: bytes, emit: Emit, *, by: str
    ) -> tuple[Entry, bool]:
        """Register a schema for a principal; durable and in use when this returns.

        Says whether it is new: the same document again is the same schema.  Raises
        SchemaTakenError for another document of a version that there is, and
        UnprocessableError for one that is no schema, or no next version.
        """
        async with self._registering:
            schema = await asyncio.to_thread(_read, document)
            key = schema.id, schema.version
            if key not in self._entries:
                await self._check_next(schema)
                target = Target("schema", schema.id, person=False)
                await emit(REGISTERED, _details(schema, by), (target,))
                is_new = True
            else:
                is_new = False
            entry = self._entries[key]
            if entry.digest != schema.digest:
                raise SchemaTakenError(
                    f"version {schema.version} of {schema.id} is another document:"
                    " register the next version"
                )
            return entry, is_new

    def observe(self, index: int, event: Event, received_ms: int) -> None:
        """Take in the next event of the log; raise IntegrityError for no schema."""
        if event.action != REGISTERED or event.producer.service != SERVICE:
            return
        details = event.extra.get("details")
        text = details.get("document") if isinstance(details, dict) else None
        try:
            schema = parse_schema(str(text).encode())
        except MalformedError as error:
            raise IntegrityError(f"the schema of entry {index}: {error}") from error
        if schema.version != self._next_version(schema.id):
            _log.warning(  # two registrations at once, of which the first one counts
                "registration ignored", extra={"log": self._log_name, "index": index}
            )
            return
        by = details.get("by") if isinstance(details, dict) else None
        self._keep(schema, index, received_ms, by if isinstance(by, str) else "")

    def dump(self) -> Value:
        """Give all schemas as a value: [text, index, time, principal] of each."""
        return [
            [one.text, one.index, one.registered_ms, one.registered_by]
            for one in self.entries()
        ]

    def load(self, value: Value) -> None:
        """Take over what `dump` gave; raise ValueError for anything else."""
        found = [_loaded(one) for one in value] if isinstance(value, list) else None
        if found is None:
            raise ValueError("a list of schemas was expected")
        self._forget()
        for schema, index, registered_ms, by in found:
            if schema.version != self._next_version(schema.id):
                self._forget()
                raise ValueError("a version is missing")
            self._keep(schema, index, registered_ms, by)

    def _find(self, event: Event) -> Entry | None:
        """Find the schema of an event; None where neither it nor its action has one."""
        if event.schema is None:
            return self._latest.get(event.action)
        schema_id, version = event.schema
        entry = self._entries.get(event.schema)
        if entry is None:
            raise EventError(
                f"schema {schema_id} version {version} is not registered",
                pointer="/schema",
            )
        if entry.action != event.action:
            raise EventError(
                f"schema {schema_id} is for {entry.action}", pointer="/schema/id"
            )
        return entry

    def _admit_unknown(self, event: Event) -> Admitted:
        """Do what the log was set to do with actions that no schema knows.

        A heartbeat is the server's to understand, and needs none.
        """
        if event.action == HEARTBEAT:
            return Admitted(event, warning=_doubt_heartbeat(event))
        why = f"no schema is registered for {event.action}"
        if self._unknown == "allow":
            return Admitted(event)
        if self._unknown == "refuse":
            raise EventError(why, pointer="/action")
        self._count(event.action)
        return Admitted(event, warning=why)

    def _count(self, action: str) -> None:
        """Count an unknown action, and say so each time it is ten times as many."""
        if action not in self._counts and len(self._counts) >= MAX_COUNTED:
            action = "others"
        self._counts[action] += 1
        count = self._counts[action]
        if str(count).rstrip("0") == "1":
            _log.warning(
                "unknown action",
                extra={"log": self._log_name, "action": action, "count": count},
            )

    async def _check_next(self, schema: Schema) -> None:
        """Raise UnprocessableError unless a schema may be the next of its action."""
        if len(self._entries) >= MAX_SCHEMAS:
            raise UnprocessableError(f"a log has at most {MAX_SCHEMAS} schemas")
        latest = self._latest.get(schema.action)
        if latest is not None and latest.id != schema.id:
            raise UnprocessableError(f"the schema of {schema.action} is {latest.id}")
        if self._actions.get(schema.id, schema.action) != schema.action:
            raise UnprocessableError(
                f"schema {schema.id} is for {self._actions[schema.id]}"
            )
        version = self._next_version(schema.id)
        if schema.version != version:
            raise UnprocessableError(f"expected version {version} of {schema.id}")
        if latest is not None:
            old = _parse(latest.text)
            found = await asyncio.to_thread(differences, old, schema)
            if found:
                told = "; ".join(f"{one.where}: {one.why}" for one in found)
                raise UnprocessableError(
                    f"version {old.version} took more ({len(found)}): {told}"
                )

    def _next_version(self, schema_id: str) -> int:
        action = self._actions.get(schema_id)
        return 1 if action is None else self._latest[action].version + 1

    def _keep(self, schema: Schema, index: int, registered_ms: int, by: str) -> None:
        entry = Entry(
            schema.id,
            schema.version,
            schema.action,
            schema.digest,
            index,
            registered_ms,
            by,
            schema.text,
        )
        self._entries[schema.id, schema.version] = entry
        self._latest[schema.action] = entry
        self._actions[schema.id] = schema.action

    def _forget(self) -> None:
        self._entries.clear()
        self._latest.clear()
        self._actions.clear()
        self._compiled.clear()

    def _compile(self, entry: Entry) -> Compiled:
        """Give a schema compiled; those used last are kept."""
        key = entry.id, entry.version
        found = self._compiled.pop(key, None)
        if found is None:
            found = compile_schema(_parse(entry.text))
            if len(self._compiled) >= MAX_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled[key] = found
        return found


def _doubt_heartbeat(event: Event) -> str:
    """Say that a heartbeat announces nothing; nothing about any other event."""
    if event.action != HEARTBEAT or heartbeat_of(event) is not None:
        return ""
    return (
        f"details/heartbeat_s is no integer from 0 to {MAX_HEARTBEAT_S}: no heartbeat"
    )


def _read(document: bytes) -> Schema:
    """Read and compile a document that is to be registered."""
    try:
        compiled = compile_schema(parse_schema(document))
        check_weight(compiled.weight)
    except MalformedError as error:
        raise UnprocessableError(str(error)) from error
    return compiled.schema


def _parse(text: str) -> Schema:
    """Read a schema that was registered; raise ValueError for what is none."""
    try:
        return parse_schema(text.encode())
    except MalformedError as error:
        raise ValueError(str(error)) from error


def _loaded(value: Value) -> tuple[Schema, int, int, str]:
    """Read one schema of a dump; raise ValueError for what is none."""
    match value:
        case [str(text), int(index), int(registered_ms), str(by)]:
            return _parse(text), index, registered_ms, by
        case _:
            raise ValueError("a text, an index, a time and a principal were expected")


def _details(schema: Schema, by: str) -> dict[str, Value]:
    return {
        "id": schema.id,
        "version": schema.version,
        "action": schema.action,
        "digest": schema.digest.hex(),
        "document": schema.text,
        "by": by,
    }
