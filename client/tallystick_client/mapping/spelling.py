"""Values as events can have them: actions, types, ids, codes and times.

Each function gives the nearest value that is allowed.  Where that is not the value
itself, the engine leaves the original in the rest of the record.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from unicodedata import category, normalize

from tallystick_client.mapping.rules import as_text, kebab
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import (
    ACTION,
    CODE,
    MAX_ACTION,
    MAX_ID,
    REGION,
    TYPE,
    UNSEEN,
    Value,
)
from tallystick_merkle.eventjson import MAX_TIME_MS, parse_time

RFC3339 = "rfc3339"
"""The format of a time that needs no other."""

UNIX = {
    "unix-s": Decimal(1000),
    "unix-ms": Decimal(1),
    "unix-us": Decimal("0.001"),
    "unix-ns": Decimal("0.000001"),
}
"""Formats of times that are numbers, and how many milliseconds one is."""

MOST_PARTS = 6
"""Most parts of an action."""

_MOST_PART = 64
_ACTION = re.compile(ACTION, re.ASCII)
_TYPE = re.compile(TYPE, re.ASCII)
_CODE = re.compile(CODE, re.ASCII)
_REGION = re.compile(REGION, re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


def action_of(text: str, *, name: str) -> str | None:
    """Give the action that a text means; `name` stands before one of a single part.

    More than six parts become six, the middle ones joined by dashes; a part that does
    not begin with a letter is given one; one that is too long ends in its digest.
    """
    if len(text) <= MAX_ACTION and _ACTION.fullmatch(text):
        return text
    parts = [part for part in map(kebab, text.split(".")) if part]
    if not parts:
        return None
    if len(parts) == 1:
        parts.insert(0, kebab(name))
    parts = [part if part[0].isalpha() else f"x{part}" for part in parts]
    if len(parts) > MOST_PARTS:
        stop = 2 + len(parts) - MOST_PARTS
        parts[1:stop] = ["-".join(parts[1:stop])]
    parts = [_short(part, _MOST_PART) for part in parts]
    action = ".".join(parts)
    if len(action) > MAX_ACTION:
        first, *rest = parts
        room = MAX_ACTION - len(first) - 1
        action = f"{first}.{_short('-'.join(rest), min(room, _MOST_PART))}"
    return action


def type_of(text: str) -> str | None:
    """Give the type that a text means."""
    if _TYPE.fullmatch(text):
        return text
    found = kebab(text)
    if not found:
        return None
    return _short(found if found[0].isalpha() else f"x{found}", 64)


def id_of(value: Value) -> str | None:
    """Give the id that a value means; one that is too long ends in its digest.

    A control character becomes a space; a format character, which nobody sees, the
    replacement character, so that an id with one is not the id without.
    """
    text = as_text(value)
    if text is None:
        return None
    plain = normalize("NFC", text)
    plain = UNSEEN.sub(_seen, plain)
    plain = normalize("NFC", plain.strip())
    if len(plain) > MAX_ID:
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        plain = normalize("NFC", plain[: MAX_ID - 66]) + f"…{digest}"
    return plain or None


def _seen(mark: re.Match[str]) -> str:
    return " " if category(mark[0]) in {"Cc", "Cs"} else "\ufffd"


def code_of(value: Value) -> str | None:
    """Give the code that a value means."""
    text = as_text(value)
    if text is None or _CODE.fullmatch(text):
        return text
    return re.sub(r"[^A-Za-z0-9._:/-]+", "-", text)[:64].strip("-") or None


def region_of(value: Value) -> str | None:
    """Give a region, unless it cannot be one."""
    return value if isinstance(value, str) and _REGION.fullmatch(value) else None


def time_of(value: Value, *, how: str, zone_minutes: int) -> int | None:
    """Read a time in POSIX milliseconds; None for what is not one in this format.

    `how` is "rfc3339", one of UNIX, or a pattern of strptime; `zone_minutes` is the
    offset from UTC of a pattern that says none.
    """
    text = as_text(value)
    if text is None:
        return None
    if how == RFC3339:
        try:
            return parse_time(text, where="")
        except MalformedError:
            return None
    time_ms = _unix(text, UNIX[how]) if how in UNIX else _read(text, how, zone_minutes)
    return time_ms if time_ms is not None and 0 <= time_ms <= MAX_TIME_MS else None


def _unix(text: str, unit: Decimal) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(Decimal(text) * unit)
    except (InvalidOperation, OverflowError):
        return None


def _read(text: str, how: str, zone_minutes: int) -> int | None:
    try:
        moment = datetime.strptime(text, how)  # noqa: DTZ007 -- the zone is set below
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone(timedelta(minutes=zone_minutes)))
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _short(text: str, most: int) -> str:
    """Cut a text to `most` characters, ending in a digest of all of it."""
    if len(text) <= most:
        return text
    return f"{text[: most - 9]}-{sha256(text.encode()).hexdigest()[:8]}"
