"""The audit event: who did what to whom, when, with what outcome.

    event_id     text of a UUIDv7, the event's permanent name in its log (D14)
    action       a stable verb, `user.role.updated`
    actor        who acted: type and id
    targets      on what, an ordered list of type and id; persons are data subjects
    occurred_ms  when, as the producer says: POSIX milliseconds, UTC
    outcome      success, failure or denied, with a code
    producer     the service that says so, its instance and its sequence number
    schema       id and version of the schema that describes the rest
    region       where it was processed
    corrects     the event that this one corrects
    extra        everything else, nested, under the roots of EXTRA_ROOTS

`extra` is flattened into *fields*, the unit of disclosure: names joined by "/" with
JSON Pointer's escapes, down to four parts; what is deeper, an empty map and every array
stay one value.  Values are integers of 64 bits, texts, booleans, null, and arrays and
maps of those: no floats (write decimals as text), so that there is one spelling.
Texts are kept as they came; names and ids have to be NFC and without characters that
nobody sees, since they are compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import is_normalized

from tallystick_merkle.canonical import pack, pack_text
from tallystick_merkle.errors import MalformedError

Value = int | str | bool | None | list["Value"] | dict[str, "Value"]
"""A value of a field."""

EXTRA_ROOTS = frozenset(
    {
        "reason",
        "before",
        "after",
        "decision",
        "request",
        "correlation_id",
        "trace_id",
        "roles",
        "details",
    }
)
"""First parts that names of fields may have, beside "targets" of the layout."""

OUTCOMES = ("success", "failure", "denied")
"""What may have become of an action."""

PERSON_TYPES = frozenset(
    {"user", "person", "customer", "patient", "employee", "member", "subscriber"}
)
"""Types of targets that are persons unless the event says otherwise."""

MAX_TARGETS = 10
"""Most targets of an event."""

MAX_FIELDS = 64
"""Most fields of an event, after flattening."""

MAX_FIELD = 16 * 1024
"""Longest encoded value of a field, in bytes."""

MAX_EVENT = 48 * 1024
"""Most bytes of all encoded names and values of the fields of an event."""

MAX_NAME = 128
"""Longest part of a field's name, in characters."""

MAX_PARTS = 4
"""Most parts of a field's name."""

MAX_ID = 256
"""Longest id of an actor or a target, in characters."""

MAX_NUMBER = 2**53 - 1
"""Largest epoch, sequence number and time: every reader's number holds it."""

MAX_VERSION = 2**31 - 1
"""Largest version of a schema."""

EVENT_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
"""What an event id looks like: a UUIDv7 in lower case (RFC 9562 §5.7)."""

ACTION = r"[a-z][a-z0-9_-]{0,63}(\.[a-z][a-z0-9_-]{0,63}){1,5}"
"""What an action looks like; it has at most 128 characters."""

TYPE = r"[a-z][a-z0-9._-]{0,63}"
"""What a type of an actor or a target looks like."""

CODE = r"[A-Za-z0-9._:/-]{1,64}"
"""What the code of an outcome looks like."""

REGION = r"[A-Za-z0-9._-]{1,64}"
"""What a region looks like."""

SERVICE = r"[a-z0-9._-]{1,64}"
"""What a service looks like: it is the principal of a token."""

INSTANCE = r"[A-Za-z0-9._:-]{1,128}"
"""What the instance of a producer looks like."""

SCHEMA_ID = r"[a-z][a-z0-9._-]{0,127}"
"""What the id of a schema looks like."""

MAX_ACTION = 128
"""Longest action, in characters."""

_FORMATS = (
    r"\u00AD\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u180E\u200B-\u200F"
    r"\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFEFF\uFFF9-\uFFFB\U000110BD\U000110CD"
    r"\U00013430-\U0001343F\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0001"
    r"\U000E0020-\U000E007F"
)  # category Cf of Unicode 15
_FORMAT = re.compile(f"[{_FORMATS}]")

UNSEEN = re.compile(rf"[\x00-\x1F\x7F-\x9F\uD800-\uDFFF{_FORMATS}]")
"""A character that stands in no name and no id: control, surrogate, format."""

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


class Field(NamedTuple):
    """One field: its encoded name (fields sort by it), its name, and [name, value]."""

    key: bytes
    name: str
    pair: bytes


class Ref(NamedTuple):
    """An actor: type and id."""

    type: str
    id: str


class Target(NamedTuple):
    """A target: type and id, and whether it is a person, a data subject of its own."""

    type: str
    id: str
    person: bool


class Producer(NamedTuple):
    """Who says so: the service (a principal), its instance, and the event's number.

    `epoch` tells starts of the instance apart; `sequence` counts up within one.
    """

    service: str
    instance: str
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Event:
    """An audit event, see the module. `fields` is what `extra` comes to, sorted.

    Making one checks `extra` and raises MalformedError naming the field; the other
    members are checked where they are parsed.
    """

    event_id: str
    action: str
    actor: Ref
    targets: tuple[Target, ...]
    occurred_ms: int
    outcome: str
    code: str | None
    producer: Producer
    schema: tuple[str, int] | None = None
    region: str | None = None
    corrects: str | None = None
    extra: Mapping[str, Value] = field(default_factory=dict)
    fields: tuple[Field, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Flatten what is free."""
        object.__setattr__(self, "fields", flatten(self.extra))


def id_bytes(event_id: str) -> bytes:
    """Give the 16 bytes of an event id."""
    return bytes.fromhex(event_id.replace("-", ""))


def id_text(data: bytes) -> str:
    """Give the text of an event id of 16 bytes."""
    h = data.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def is_event_id(text: str) -> bool:
    """Whether a text is the id of an event."""
    return _ID.fullmatch(text) is not None


def check_plain(text: str, *, most: int, where: str) -> None:
    """Raise MalformedError unless `text` may be a name or an id.

    1 to `most` characters, NFC; no control characters, no lone surrogates, and no
    format characters (zero width, direction of writing: what is read alike should be
    alike).  Which those are is fixed, whatever Unicode adds later: two verifiers must
    not come to two verdicts.
    """
    if not 1 <= len(text) <= most:
        raise MalformedError("event", f"expected 1 to {most} characters", where=where)
    if text.isascii():
        if not text.isprintable():
            raise MalformedError("event", "a control character", where=where)
        return
    if hidden := UNSEEN.search(text):
        is_format = _FORMAT.match(hidden[0]) is not None
        why = f"a format character, U+{ord(hidden[0]):04X}"
        raise MalformedError(
            "event", why if is_format else "a control character", where=where
        )
    if not is_normalized("NFC", text):
        raise MalformedError("event", "not in Unicode normal form NFC", where=where)


def escape(part: str) -> str:
    """Write one part of a name (RFC 6901 §3)."""
    if "~" in part or "/" in part:
        return part.replace("~", "~0").replace("/", "~1")
    return part


def unescape(part: str) -> str:
    """Read one part of a name; raise MalformedError for an escape there is not."""
    if "~" in part:
        if _BAD_ESCAPE.search(part):
            raise MalformedError("event", "an escape that there is not", where=part)
        return part.replace("~1", "/").replace("~0", "~")
    return part


def is_free_name(name: str) -> bool:
    """Whether a name may be that of a free field: its root, its parts, its escapes."""
    parts = name.split("/", MAX_PARTS)
    if parts[0] not in EXTRA_ROOTS or len(parts) > MAX_PARTS:
        return False
    try:
        for part in parts[1:]:
            check_plain(unescape(part), most=MAX_NAME, where=name)
    except MalformedError:
        return False
    return True


def flatten(extra: Mapping[str, Value]) -> tuple[Field, ...]:
    """Flatten nested maps into fields, sorted by their encoded names.

    Raises MalformedError, naming the place as a JSON Pointer, for a value that is not
    allowed, or where there is too much.
    """
    fields: list[Field] = []
    for root, value in extra.items():
        if root not in EXTRA_ROOTS:
            raise MalformedError("event", "no such member", where=f"/{escape(root)}")
        _flatten(root, value, MAX_PARTS - 1, fields)
    if len(fields) > MAX_FIELDS:
        raise MalformedError("event", f"{len(fields)} fields, at most {MAX_FIELDS}")
    if sum([len(pair) for _, _, pair in fields]) > MAX_EVENT:
        raise MalformedError("event", f"more than {MAX_EVENT} bytes of fields")
    fields.sort()
    return tuple(fields)


def make_field(name: str, value: object) -> Field:
    """Make a field of a name and a value that were checked."""
    key = pack_text(name)
    return Field(key, name, b"\x82" + key + pack(value))


def check_value(value: object, *, where: str, depth: int = 0) -> None:
    """Raise MalformedError unless `value` may stand in a field, whatever its size."""
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise MalformedError("event", "an integer of over 64 bits", where=where)
        return
    if depth >= _MAX_NESTING:
        raise MalformedError("event", "nested too deep", where=where)
    if isinstance(value, list):
        for number, item in enumerate(value):
            check_value(item, where=f"{where}/{number}", depth=depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = f"{where}/{check_name(name, where=where)}"
            check_value(item, where=inner, depth=depth + 1)
    elif isinstance(value, float):
        raise MalformedError("event", "a float; write decimals as text", where=where)
    else:
        raise MalformedError("event", "a type that events do not have", where=where)


def check_name(name: object, *, where: str) -> str:
    """Give one part of a name, escaped; raise MalformedError for an impossible one."""
    if not isinstance(name, str):
        raise MalformedError("event", "a name that is not a text", where=where)
    check_plain(name, most=MAX_NAME, where=where)
    return escape(name)


_MAX_NESTING = 11  # evidence adds five levels around a value, CBOR ends at 16
_REMEMBERED = 4096  # names of fields: few, and the same in event after event
_SHORT = 48  # longer ones are not remembered: somebody may make up millions
_ID = re.compile(EVENT_ID, re.ASCII)
_BAD_ESCAPE = re.compile(r"~(?![01])")


def _keys(name: str) -> tuple[bytes, bytes]:
    """Encode a name, and what a field of that name begins with."""
    key = pack_text(name)
    return key, b"\x82" + key


_known_keys = lru_cache(_REMEMBERED)(_keys)


def _inner_name(name: str, part: object) -> str:
    """Add a part to a name; raise MalformedError for an impossible one."""
    return f"{name}/{check_name(part, where=f'/{name}')}"


_known_name = lru_cache(_REMEMBERED)(_inner_name)


def _flatten(name: str, value: Value, parts: int, fields: list[Field]) -> None:
    """Add the fields that a value comes to; `parts` more may be added to its name."""
    if isinstance(value, dict) and value and parts:
        if len(value) > MAX_FIELDS:
            raise MalformedError("event", f"over {MAX_FIELDS} fields", where=f"/{name}")
        for part, item in value.items():
            known = len(part) <= _SHORT if type(part) is str else False
            inner = (_known_name if known else _inner_name)(name, part)
            _flatten(inner, item, parts - 1, fields)
        return
    if type(value) is str:  # most of them
        pack_value: Callable[[Any], bytes] = pack_text
    else:
        check_value(value, where=f"/{name}")
        pack_value = pack
    try:
        data = pack_value(value)
    except MalformedError as error:
        raise MalformedError("event", error.why, where=f"/{name}") from error
    if len(data) > MAX_FIELD:
        raise MalformedError(
            "event", f"{len(data)} bytes, at most {MAX_FIELD} a field", where=f"/{name}"
        )
    key, head = (_known_keys if len(name) <= 2 * _SHORT else _keys)(name)
    fields.append(tuple.__new__(Field, (key, name, head + data)))
