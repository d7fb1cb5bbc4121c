"""Read one event from JSON quickly: a compiled decoder of typed structures.

What is read here is exactly what `parse_event` would read; whatever is not plainly so
is left to it.  None is therefore never a refusal: the caller reads again, the
thorough way, which finds the place and the reason, or takes the event after all.

The decoder takes the last of two members of one name and says nothing (RFC 8259 §4
leaves that open).  So the names in the bytes are counted and compared with those of
what was decoded, nested ones included: where there are more in the bytes, one of them
stands twice.  A name ends in a quote and a colon; no fewer of these are in the bytes
than names, as long as no colon has white space before it.  Only where that count does
not come out, texts and names are told apart one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, MsgspecError, Struct, UnsetType
from msgspec.json import Decoder

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import (
    ACTION,
    CODE,
    EVENT_ID,
    INSTANCE,
    MAX_ACTION,
    MAX_FIELDS,
    MAX_ID,
    MAX_NUMBER,
    MAX_TARGETS,
    MAX_VERSION,
    PERSON_TYPES,
    REGION,
    SCHEMA_ID,
    SERVICE,
    TYPE,
    Event,
    Producer,
    Ref,
    Target,
    Value,
    check_plain,
)
from tallystick_merkle.eventjson import (
    MAX_REASON,
    MAX_SHORT,
    REQUEST_MEMBERS,
    parse_time,
)

_Type = Annotated[str, Meta(max_length=64)]
_Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
_Short = Annotated[str, Meta(min_length=1, max_length=MAX_SHORT)]
_Number = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
_Header = Annotated[str, Meta(min_length=1, max_length=1024)]
_RequestName = Annotated[str, Meta(pattern=rf"\A(?:{'|'.join(REQUEST_MEMBERS)})\Z")]
_Map = dict[str, Any]

_MANDATORY_NAMES = 12
"""Seven of the event, two of the actor, one of the outcome, two of the producer."""


class _Ref(Struct, forbid_unknown_fields=True, gc=False):
    type: _Type
    id: _Id


class _Target(Struct, forbid_unknown_fields=True, gc=False):
    type: _Type
    id: _Id
    person: bool | UnsetType = UNSET


class _Outcome(Struct, forbid_unknown_fields=True, gc=False):
    result: Literal["success", "failure", "denied"]
    code: _Short | UnsetType = UNSET


class _Producer(Struct, forbid_unknown_fields=True, gc=False):
    instance: _Short
    sequence: _Number
    service: _Short | UnsetType = UNSET
    epoch: _Number | UnsetType = UNSET


class _Schema(Struct, forbid_unknown_fields=True, gc=False):
    id: _Short
    version: Annotated[int, Meta(ge=1, le=MAX_VERSION)]


class _Event(Struct, forbid_unknown_fields=True):
    """The shape of an event; the free members come last, by their own names."""

    event_id: _Short
    action: Annotated[str, Meta(max_length=MAX_ACTION)]
    actor: _Ref
    targets: Annotated[list[_Target], Meta(max_length=MAX_TARGETS)]
    occurred_at: str
    outcome: _Outcome
    producer: _Producer
    schema: _Schema | UnsetType = UNSET
    region: _Short | UnsetType = UNSET
    corrects: _Short | UnsetType = UNSET
    reason: Annotated[str, Meta(min_length=1, max_length=MAX_REASON)] | UnsetType = (
        UNSET
    )
    before: _Map | UnsetType = UNSET
    after: _Map | UnsetType = UNSET
    decision: _Map | UnsetType = UNSET
    request: dict[_RequestName, _Header] | UnsetType = UNSET
    correlation_id: _Short | UnsetType = UNSET
    trace_id: _Short | UnsetType = UNSET
    roles: Annotated[list[_Short], Meta(max_length=MAX_FIELDS)] | UnsetType = UNSET
    details: _Map | UnsetType = UNSET


_decode = Decoder(_Event).decode

_NAME_OR_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"([ \t\n\r]*:)?', re.DOTALL)
_SECONDS = re.compile(r"([0-5][0-9])\.([0-9]{3})Z")
_SPACED_COLON = re.compile(rb"[ \t\n\r]:")


def _rule(pattern: str) -> Callable[[str], bool]:
    """Make a check that a whole text matches a pattern.

    Most of these texts come again and again, so what was found is kept: of 4,096 texts,
    none longer than the decoder lets through.
    """
    match = re.compile(pattern, re.ASCII).fullmatch
    return lru_cache(maxsize=4096)(lambda text: match(text) is not None)


_is_id = re.compile(EVENT_ID, re.ASCII).fullmatch
_is_action, _is_type, _is_code = _rule(ACTION), _rule(TYPE), _rule(CODE)
_is_service, _is_instance = _rule(SERVICE), _rule(INSTANCE)
_is_schema, _is_region = _rule(SCHEMA_ID), _rule(REGION)


def read_event(text: bytes, service: str | None) -> Event | None:
    """Read an event from its JSON text; None if `parse_event` has to look at it.

    `service` is as in `parse_event`.
    """
    try:
        shape = _decode(text)
        if not _is_spelled(shape):
            return None
        extra, inner = _free(shape)
        event = _build(shape, extra, service)
    except (MsgspecError, MalformedError, UnicodeDecodeError, RecursionError):
        return None
    if event is None:
        return None
    names = _names_of(shape) + inner
    if text.count(b'":') == names and not _has_spaced_colon(text):
        return event
    return event if _count_names(text) == names else None


def _is_spelled(shape: _Event) -> bool:
    """Whether the texts that have a pattern match it."""
    producer, schema = shape.producer, shape.schema
    code, region = shape.outcome.code, shape.region
    return (
        _is_id(shape.event_id) is not None
        and _is_action(shape.action)
        and _is_type(shape.actor.type)
        and all(_is_type(target.type) for target in shape.targets)
        and (code is UNSET or _is_code(code))
        and _is_instance(producer.instance)
        and (producer.service is UNSET or _is_service(producer.service))
        and (schema is UNSET or _is_schema(schema.id))
        and (region is UNSET or _is_region(region))
        and (shape.corrects is UNSET or _is_id(shape.corrects) is not None)
    )


def _build(shape: _Event, extra: dict[str, Value], service: str | None) -> Event | None:
    """Make the event; None where the service is not plain."""
    producer = shape.producer
    said = service if producer.service is UNSET else producer.service
    if said is None or (service is not None and said != service):
        return None
    actor, outcome, schema = shape.actor, shape.outcome, shape.schema
    epoch = producer.epoch
    check_plain(actor.id, most=MAX_ID, where="")
    return Event(
        shape.event_id,
        shape.action,
        Ref(actor.type, actor.id),
        tuple([_target(target) for target in shape.targets]),
        _time(shape.occurred_at),
        outcome.result,
        None if outcome.code is UNSET else outcome.code,
        Producer(
            said, producer.instance, 0 if epoch is UNSET else epoch, producer.sequence
        ),
        None if schema is UNSET else (schema.id, schema.version),
        None if shape.region is UNSET else shape.region,
        None if shape.corrects is UNSET else shape.corrects,
        extra,
    )


def _time(text: str) -> int:
    """Read a time as `parse_time` does; in the usual spelling, its minute only once."""
    seconds = _SECONDS.fullmatch(text, 17)
    if seconds is None:
        return parse_time(text, where="")
    return _minute(text[:17]) + int(seconds[1]) * 1000 + int(seconds[2])


@lru_cache(maxsize=1024)
def _minute(text: str) -> int:
    """Read a time that ends before its seconds."""
    return parse_time(f"{text}00Z", where="")


def _target(shape: _Target) -> Target:
    """Make a target."""
    check_plain(shape.id, most=MAX_ID, where="")
    person = shape.person
    if person is UNSET:
        person = shape.type in PERSON_TYPES
    return Target(shape.type, shape.id, person)


def _free(shape: _Event) -> tuple[dict[str, Value], int]:
    """Give the free members that are there, and how many names are in them."""
    extra: dict[str, Value] = {}
    inner = 0
    if shape.reason is not UNSET:
        extra["reason"] = shape.reason
    if shape.correlation_id is not UNSET:
        extra["correlation_id"] = shape.correlation_id
    if shape.trace_id is not UNSET:
        extra["trace_id"] = shape.trace_id
    if shape.roles is not UNSET:
        extra["roles"] = list[Value](shape.roles)
    if (inside := shape.before) is not UNSET:
        extra["before"] = inside
        inner += _names_in(inside)
    if (inside := shape.after) is not UNSET:
        extra["after"] = inside
        inner += _names_in(inside)
    if (inside := shape.decision) is not UNSET:
        extra["decision"] = inside
        inner += _names_in(inside)
    if shape.request is not UNSET:
        extra["request"] = dict[str, Value](shape.request)
        inner += len(shape.request)
    if (inside := shape.details) is not UNSET:
        extra["details"] = inside
        inner += _names_in(inside)
    return extra, len(extra) + inner


def _names_in(value: dict[str, Any]) -> int:
    """Count the names in an object and all that is nested in it."""
    names = len(value)
    for item in value.values():
        if type(item) is dict:
            names += _names_in(item)
        elif type(item) is list:
            names += _names_in_list(item)
    return names


def _names_in_list(items: list[Any]) -> int:
    """Count the names in all that is nested in a list."""
    return sum(
        _names_in(item) if type(item) is dict else _names_in_list(item)
        for item in items
        if type(item) in (dict, list)
    )


def _names_of(shape: _Event) -> int:
    """Count the names of the members that are not free."""
    names = _MANDATORY_NAMES + 2 * len(shape.targets)
    for target in shape.targets:
        names += target.person is not UNSET
    schema = 0 if shape.schema is UNSET else 3
    return (
        names
        + schema
        + (shape.outcome.code is not UNSET)
        + (shape.producer.service is not UNSET)
        + (shape.producer.epoch is not UNSET)
        + (shape.region is not UNSET)
        + (shape.corrects is not UNSET)
    )


def _has_spaced_colon(text: bytes) -> bool:
    """Whether a colon may have white space before it; of one in a text too."""
    if b" :" in text:
        return True
    is_plain = b"\n" not in text and b"\t" not in text and b"\r" not in text
    return not is_plain and _SPACED_COLON.search(text) is not None


def _count_names(text: bytes) -> int:
    """Count the names in a valid JSON text: the texts that a colon follows."""
    return sum(colon != b"" for colon in _NAME_OR_TEXT.findall(text))
