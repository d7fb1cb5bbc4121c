"""Read one JSON text strictly, and name the place of what is wrong.

The thorough way, for texts that the quick one of `shapes` did not take: it is several
times slower, and every refusal names its place as a JSON Pointer.  Refused, beside what
JSON itself forbids: repeated names, every number that is not an integer of 64 bits
(also -0.0, 1e2, NaN), lone surrogates, a byte order mark, nesting over 16 deep.

No refusal quotes a value: it may be personal.  A pointer is made of names, each of
which has passed `check_name`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from tallystick_merkle.canonical import MAX_DEPTH
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import check_name

_MAX_DIGITS = 20
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Bad:
    """Stands for a value that is refused, until its place is known."""

    why: str


_TWICE = _Bad("the name stands twice in its object")
_FLOAT = _Bad("a number with a fraction or an exponent; send decimals as text")
_NOT_FINITE = _Bad("not a finite number; send decimals as text")
_LONG = _Bad("an integer of over 64 bits")


def read_json(text: bytes) -> object:
    """Read one JSON text; raise MalformedError with the pointer of what is wrong."""
    try:
        value = _READER.decode(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _refuse(f"not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise _refuse(f"not JSON (character {error.pos})") from error
    except RecursionError as error:
        raise _refuse(f"nested over {MAX_DEPTH} deep") from error
    _check(value, "", 1)
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object; a name that stands twice becomes a bad value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                found[name] = _TWICE
            seen.add(name)
    return found


def _integer(digits: str) -> int | _Bad:
    """Make an integer; of one that is too long, the digits are not even read."""
    return int(digits) if len(digits) <= _MAX_DIGITS else _LONG


_READER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=lambda _: _FLOAT,
    parse_int=_integer,
    parse_constant=lambda _: _NOT_FINITE,
)


def _check(value: object, where: str, depth: int) -> None:
    """Raise MalformedError for the first bad value, with its place."""
    if isinstance(value, _Bad):
        raise _refuse(value.why, where)
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            raise _refuse("a lone surrogate", where)
    elif isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise _refuse(f"nested over {MAX_DEPTH} deep", where)
        if isinstance(value, list):
            for number, item in enumerate(value):
                _check(item, f"{where}/{number}", depth + 1)
        else:
            for name, item in value.items():
                _check(item, f"{where}/{check_name(name, where=where)}", depth + 1)


def _refuse(why: str, where: str = "") -> MalformedError:
    return MalformedError("event", why, where=where)
