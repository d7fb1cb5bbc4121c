"""The JSON shape of an event: what producers send, and what readers are shown.

    {"event_id": "0197…", "action": "user.role.updated",
     "actor": {"type": "user", "id": "alice"},
     "targets": [{"type": "user", "id": "bob", "person"?: true}],
     "occurred_at": "2026-11-23T12:00:00.000Z",
     "outcome": {"result": "success", "code"?: "…"},
     "producer": {"service"?: "…", "instance": "…", "epoch"?: 0, "sequence": 17},
     "schema"?: {"id": "…", "version": 1}, "region"?, "corrects"?,
     "reason"?, "before"?, "after"?, "decision"?, "request"?, "correlation_id"?,
     "trace_id"?, "roles"?, "details"?}

Members that are not named here are refused; free ones go into `details`.  Times are
RFC 3339 with any offset; they are kept as UTC milliseconds, finer digits cut off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import (
    ACTION,
    CODE,
    EVENT_ID,
    EXTRA_ROOTS,
    INSTANCE,
    MAX_ACTION,
    MAX_FIELDS,
    MAX_ID,
    MAX_NAME,
    MAX_NUMBER,
    MAX_TARGETS,
    MAX_VERSION,
    OUTCOMES,
    PERSON_TYPES,
    REGION,
    SCHEMA_ID,
    SERVICE,
    TYPE,
    Event,
    Producer,
    Ref,
    Target,
    check_plain,
    check_value,
    escape,
)

TIME = (
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?"
    r"(?:[Zz]|([+-])(\d{2}):(\d{2}))"
)
"""What a time looks like (RFC 3339 §5.6)."""

MAX_SHORT = 128
"""Longest correlation id, trace id or role, in characters."""

MAX_REASON = 4096
"""Longest reason, in characters."""

REQUEST_MEMBERS = ("ip", "user_agent", "session", "id")
"""What `request` may say."""

MAX_TIME_MS = 253402300799999
"""Latest time of an event: the last millisecond of the year 9999."""

_MANDATORY = frozenset(
    {
        "event_id",
        "action",
        "actor",
        "targets",
        "occurred_at",
        "outcome",
        "producer",
    }
)
_MEMBERS = _MANDATORY | {"schema", "region", "corrects"} | EXTRA_ROOTS
_MAPS = ("before", "after", "decision", "details")
_TIME = re.compile(TIME, re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PATTERNS = {
    name: re.compile(pattern, re.ASCII)
    for name, pattern in (
        ("an action", ACTION),
        ("a code", CODE),
        ("a UUIDv7", EVENT_ID),
        ("an instance", INSTANCE),
        ("a region", REGION),
        ("a schema id", SCHEMA_ID),
        ("a service", SERVICE),
        ("a type", TYPE),
    )
}


def parse_event(data: object, *, service: str | None = None) -> Event:
    """Read an event in its JSON shape, decoded already.

    `service` is the authenticated principal: it fills `producer.service`, and one that
    is there has to be equal to it (D19).  Raises MalformedError with the JSON Pointer
    of what is wrong.
    """
    body = _object(data, "", _MEMBERS, _MANDATORY)
    outcome = _object(body["outcome"], "/outcome", {"result", "code"}, {"result"})
    if outcome["result"] not in OUTCOMES:
        raise _wrong(f"expected one of {', '.join(OUTCOMES)}", "/outcome/result")
    targets = body["targets"]
    if not isinstance(targets, list) or len(targets) > MAX_TARGETS:
        raise _wrong(f"expected a list of at most {MAX_TARGETS}", "/targets")
    action = _match(body["action"], "an action", "/action")
    if len(action) > MAX_ACTION:
        raise _wrong(f"expected at most {MAX_ACTION} characters", "/action")
    return Event(
        event_id=_match(body["event_id"], "a UUIDv7", "/event_id"),
        action=action,
        actor=_ref(body["actor"], "/actor"),
        targets=tuple(
            _target(item, f"/targets/{number}") for number, item in enumerate(targets)
        ),
        occurred_ms=parse_time(body["occurred_at"], where="/occurred_at"),
        outcome=outcome["result"],
        code=_maybe(outcome, "code", "a code", "/outcome/code"),
        producer=_producer(body["producer"], service),
        schema=_schema(body["schema"]) if "schema" in body else None,
        region=_maybe(body, "region", "a region", "/region"),
        corrects=_maybe(body, "corrects", "a UUIDv7", "/corrects"),
        extra=read_extra({key: body[key] for key in body if key in EXTRA_ROOTS}),
    )


def format_event(event: Event) -> dict[str, Any]:
    """Give the JSON shape of an event; `parse_event` gives the event again."""
    producer = event.producer
    body: dict[str, Any] = {
        "event_id": event.event_id,
        "action": event.action,
        "actor": {"type": event.actor.type, "id": event.actor.id},
        "targets": [_format_target(target) for target in event.targets],
        "occurred_at": format_time(event.occurred_ms),
        "outcome": {"result": event.outcome},
        "producer": {
            "service": producer.service,
            "instance": producer.instance,
            "epoch": producer.epoch,
            "sequence": producer.sequence,
        },
    }
    if event.code is not None:
        body["outcome"]["code"] = event.code
    if event.schema is not None:
        body["schema"] = {"id": event.schema[0], "version": event.schema[1]}
    if event.region is not None:
        body["region"] = event.region
    if event.corrects is not None:
        body["corrects"] = event.corrects
    return {**body, **event.extra}


def parse_time(text: object, *, where: str) -> int:
    """Read an RFC 3339 time as POSIX milliseconds; raise MalformedError."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise _wrong("expected a time as RFC 3339 writes it, with its offset", where)
    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
    except ValueError as error:
        raise _wrong("a time that does not exist", where) from error
    if found[4]:
        hours, minutes = int(found[5]), int(found[6])
        if hours > 23 or minutes > 59:
            raise _wrong("an offset that does not exist", where)
        offset = (hours * 60 + minutes) * (1 if found[4] == "+" else -1) * 60_000
    else:
        offset = 0
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    time_ms = seconds * 1000 + int((found[3] or "0")[:3].ljust(3, "0")) - offset
    if not 0 <= time_ms <= MAX_TIME_MS:
        raise _wrong("a time before 1970 or after 9999", where)
    return time_ms


def format_time(time_ms: int) -> str:
    """Write a time as RFC 3339 in UTC with milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def read_extra(extra: dict[str, Any]) -> dict[str, Any]:
    """Check the shapes of the free members; what is in them, the event checks."""
    for name in _MAPS:
        if name in extra and not isinstance(extra[name], dict):
            raise _wrong("expected an object", f"/{name}")
    for name, most in _TEXTS.items():
        if name in extra:
            _text(extra[name], most, f"/{name}")
    if "request" in extra:
        request = _object(extra["request"], "/request", set(REQUEST_MEMBERS), set())
        for name, value in request.items():
            _text(value, 1024, f"/request/{name}")
    roles = extra.get("roles", [])
    if not isinstance(roles, list) or len(roles) > MAX_FIELDS:
        raise _wrong(f"expected a list of at most {MAX_FIELDS} texts", "/roles")
    for number, role in enumerate(roles):
        _text(role, MAX_SHORT, f"/roles/{number}")
    return extra


_TEXTS = {
    "reason": MAX_REASON,
    "correlation_id": MAX_SHORT,
    "trace_id": MAX_SHORT,
}


def _format_target(target: Target) -> dict[str, object]:
    body: dict[str, object] = {"type": target.type, "id": target.id}
    if target.person != (target.type in PERSON_TYPES):
        body["person"] = target.person
    return body


def _ref(data: object, where: str) -> Ref:
    body = _object(data, where, {"type", "id"}, {"type", "id"})
    return Ref(_match(body["type"], "a type", f"{where}/type"), _id(body, where))


def _target(data: object, where: str) -> Target:
    body = _object(data, where, {"type", "id", "person"}, {"type", "id"})
    kind = _match(body["type"], "a type", f"{where}/type")
    person = body.get("person", kind in PERSON_TYPES)
    if not isinstance(person, bool):
        raise _wrong("expected true or false", f"{where}/person")
    return Target(kind, _id(body, where), person)


def _producer(data: object, service: str | None) -> Producer:
    body = _object(
        data,
        "/producer",
        {"service", "instance", "epoch", "sequence"},
        {"instance", "sequence"},
    )
    said = _maybe(body, "service", "a service", "/producer/service")
    if said is None and service is None:
        raise _wrong("a member is missing", "/producer/service")
    if said is not None and service and said != service:
        raise _wrong("it is not the principal of the token", "/producer/service")
    return Producer(
        said or service or "",
        _match(body["instance"], "an instance", "/producer/instance"),
        _number(body.get("epoch", 0), 0, MAX_NUMBER, "/producer/epoch"),
        _number(body["sequence"], 0, MAX_NUMBER, "/producer/sequence"),
    )


def _schema(data: object) -> tuple[str, int]:
    body = _object(data, "/schema", {"id", "version"}, {"id", "version"})
    return (
        _match(body["id"], "a schema id", "/schema/id"),
        _number(body["version"], 1, MAX_VERSION, "/schema/version"),
    )


def _id(body: Mapping[str, Any], where: str) -> str:
    text = body["id"]
    if not isinstance(text, str):
        raise _wrong("expected a text", f"{where}/id")
    check_plain(text, most=MAX_ID, where=f"{where}/id")
    return text


def _object(
    data: object, where: str, allowed: AbstractSet[str], needed: AbstractSet[str]
) -> dict[str, Any]:
    """Give an object whose members are among the allowed, and the needed all there."""
    if not isinstance(data, dict):
        raise _wrong("expected an object", where)
    for name in data:
        if not isinstance(name, str) or name not in allowed:
            raise _wrong(
                f"a member that there is not: expected {', '.join(sorted(allowed))}",
                _name_member(name, where),
            )
    for name in sorted(needed):
        if name not in data:
            raise _wrong("a member is missing", f"{where}/{name}")
    return data


def _name_member(name: object, where: str) -> str:
    """Give the place of a member that there is not; of its object if it is too odd."""
    if isinstance(name, str) and len(name) <= MAX_NAME and name.isprintable():
        return f"{where}/{escape(name)}"
    return where


def _match(data: object, what: str, where: str) -> str:
    if not isinstance(data, str) or _PATTERNS[what].fullmatch(data) is None:
        raise _wrong(f"expected {what}: {_PATTERNS[what].pattern}", where)
    return data


def _maybe(body: Mapping[str, Any], name: str, what: str, where: str) -> str | None:
    return _match(body[name], what, where) if name in body else None


def _number(data: object, least: int, most: int, where: str) -> int:
    if type(data) is not int or not least <= data <= most:
        raise _wrong(f"expected an integer from {least} to {most}", where)
    return data


def _text(data: object, most: int, where: str) -> None:
    if not isinstance(data, str) or not 1 <= len(data) <= most:
        raise _wrong(f"expected a text of 1 to {most} characters", where)
    check_value(data, where=where)


def _wrong(why: str, where: str) -> MalformedError:
    return MalformedError("event", why, where=where)
