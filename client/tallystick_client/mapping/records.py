"""Values of JSON as records bring them, and places in them (JSON Pointer, RFC 6901).

Records are read strictly: repeated names and numbers that are none are refused, and
decimals stay the texts that they were written as, since events have no floats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NoReturn

from tallystick_client.errors import ClientError
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Value, escape, unescape

MAX_DEPTH = 64
"""Deepest nesting of a record."""

MAX_RECORD = 1024 * 1024
"""Longest record, in bytes of its canonical JSON."""

Pointer = tuple[str, ...]
"""The parts of a JSON Pointer."""

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_INT_DIGITS = 20


class RecordError(ClientError):
    """A record that cannot become an event; the message says why in one line."""


def parse_json(data: bytes | str) -> Value:
    """Read JSON strictly; raise RecordError for what is none."""
    try:
        text = data if isinstance(data, str) else data.decode()
        value: Value = json.loads(
            text,
            object_pairs_hook=_once,
            parse_float=str,
            parse_int=_whole,
            parse_constant=_no_number,
        )
    except UnicodeDecodeError as error:
        raise RecordError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise RecordError(f"not JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise RecordError(f"nested over {MAX_DEPTH} deep") from error
    check_depth(value)
    return value


def check_depth(value: Value, depth: int = 0) -> None:
    """Raise RecordError for a value that is nested too deep."""
    if depth > MAX_DEPTH:
        raise RecordError(f"nested over {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for item in value.values():
            check_depth(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_depth(item, depth + 1)


def format_json(value: Value) -> str:
    """Write a value as JSON in one spelling, of ASCII characters only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def parse_pointer(text: str) -> Pointer:
    """Read a JSON Pointer; raise ValueError for what is none."""
    if not text:
        return ()
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not a JSON Pointer: it starts with no slash")
    try:
        return tuple(unescape(part) for part in text[1:].split("/"))
    except MalformedError as error:
        raise ValueError(f"{text!r} is not a JSON Pointer: {error.why}") from error


def format_pointer(parts: Pointer) -> str:
    """Write a JSON Pointer."""
    return "".join(f"/{escape(part)}" for part in parts)


def find(value: Value, parts: Pointer) -> Value:
    """Give what stands at a place; None where nothing does."""
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and part.isascii():
            number = int(part) if len(part) < 9 else len(value)
            value = value[number] if number < len(value) else None
        else:
            return None
    return value


def without(value: Mapping[str, Value], places: set[Pointer]) -> dict[str, Value]:
    """Copy an object without the members at some places, reached through objects only.

    An object that loses all of its members goes too; one that was empty stays.
    """
    kept: dict[str, Value] = {}
    for name, item in value.items():
        inner = {place[1:] for place in places if place[0] == name}
        if () in inner:
            continue
        if inner and isinstance(item, dict):
            left = without(item, inner)
            if left:
                kept[name] = left
            continue
        kept[name] = item
    return kept


def _once(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    members: dict[str, Value] = {}
    for name, value in pairs:
        if name in members:
            raise RecordError(f"the member {name!r} stands there twice")
        members[name] = value
    return members


def _whole(text: str) -> int | str:
    """Keep an integer that no event can hold as its digits."""
    if len(text) > _INT_DIGITS:
        return text
    number = int(text)
    return number if _INT_MIN <= number <= _INT_MAX else text


def _no_number(text: str) -> NoReturn:
    raise RecordError(f"{text} is not a number of JSON")
