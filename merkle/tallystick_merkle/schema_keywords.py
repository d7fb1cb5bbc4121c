"""The keywords of JSON Schema 2020-12 that an event schema may use, and their values.

Each keyword has one rule.  What is not in the table is refused: a keyword that we
cannot compare between two versions must not decide what an event may hold.  Numbers
are integers, as in events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import escape

Node = dict[str, Any] | bool
"""A schema: an object of keywords, or true (anything) or false (nothing)."""

TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
"""What `type` may say."""

FORMATS = frozenset(
    {
        "date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time",
        "uri", "uuid",
    }
)  # fmt: skip
"""What `format` may say; a format is checked, not only noted."""

MAX_PATTERN = 256
"""Longest regular expression, in characters."""

MAX_CHOICES = 256
"""Most values of an `enum`, and most names of a list."""

MAX_VALUE_DEPTH = 8
"""Deepest nesting of a value of `enum`, `const`, `default` or `examples`."""

ONE = frozenset(
    {
        "additionalProperties", "contains", "else", "if", "items", "not",
        "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
"""Keywords whose value is a schema."""

MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords whose value is a list of schemas."""

NAMED = frozenset({"dependentSchemas", "patternProperties", "properties"})
"""Keywords whose value maps names to schemas."""

NOTES = frozenset(
    {
        "$comment", "default", "deprecated", "description", "examples", "readOnly",
        "title", "writeOnly",
    }
)  # fmt: skip
"""Keywords that tell people something, and decide nothing."""


def refuse(why: str, where: str) -> MalformedError:
    """Make the error of a schema; `where` is a JSON pointer into the document."""
    return MalformedError("schema", why, where=where or "the whole document")


def pointer(where: str, *parts: str | int) -> str:
    """Go on from a JSON pointer (RFC 6901)."""
    return where + "".join(f"/{escape(str(part))}" for part in parts)


def _check_text(value: object, where: str) -> None:
    """Raise unless it is a text."""
    if not isinstance(value, str):
        raise refuse("expected a text", where)


def check_pattern(value: object, where: str) -> None:
    """Raise unless it is a text that is short enough for a regular expression.

    Whether it is one, the validator's own engine says when the schema is registered.
    """
    if not isinstance(value, str) or len(value) > MAX_PATTERN:
        raise refuse(f"expected a text of at most {MAX_PATTERN} characters", where)


def check_value(value: object, where: str, depth: int = 0) -> None:
    """Raise unless an event could hold this value."""
    if depth > MAX_VALUE_DEPTH:
        raise refuse(f"a value nested over {MAX_VALUE_DEPTH} deep", where)
    if isinstance(value, list):
        for item in value:
            check_value(item, where, depth + 1)
    elif isinstance(value, dict):
        for item in value.values():
            check_value(item, where, depth + 1)
    elif type(value) is int:
        _check_number(value, where)


def _check_bool(value: object, where: str) -> None:
    if not isinstance(value, bool):
        raise refuse("expected true or false", where)


def _check_number(value: object, where: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise refuse("expected an integer", where)
    if not -(2**63) <= value < 2**64:
        raise refuse("an integer of more than 64 bits", where)


def _check_count(value: object, where: str) -> None:
    _check_number(value, where)
    if isinstance(value, int) and value < 0:
        raise refuse("expected an integer from 0", where)


def _check_divisor(value: object, where: str) -> None:
    _check_number(value, where)
    if isinstance(value, int) and value < 1:
        raise refuse("expected an integer from 1", where)


def _check_type(value: object, where: str) -> None:
    named = value if isinstance(value, list) else [value]
    if not named or not all(isinstance(one, str) and one in TYPES for one in named):
        raise refuse(f"expected one or more of {', '.join(sorted(TYPES))}", where)
    if len(set(named)) != len(named):
        raise refuse("a type that stands twice", where)


def _check_format(value: object, where: str) -> None:
    if not isinstance(value, str) or value not in FORMATS:
        raise refuse(f"expected one of {', '.join(sorted(FORMATS))}", where)


def _check_list(value: object, where: str) -> None:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_CHOICES:
        raise refuse(f"expected a list of 1 to {MAX_CHOICES} values", where)
    check_value(value, where)


def _check_examples(value: object, where: str) -> None:
    if not isinstance(value, list):
        raise refuse("expected a list", where)
    check_value(value, where)


def _check_names(value: object, where: str) -> None:
    if not isinstance(value, list) or len(value) > MAX_CHOICES:
        raise refuse(f"expected a list of at most {MAX_CHOICES} names", where)
    if not all(isinstance(name, str) for name in value):
        raise refuse("expected a list of names", where)
    if len(set(value)) != len(value):
        raise refuse("a name that stands twice", where)


def _check_name_lists(value: object, where: str) -> None:
    if not isinstance(value, dict):
        raise refuse("expected an object of lists of names", where)
    for name, names in value.items():
        _check_names(names, pointer(where, name))


CHECKS: dict[str, Callable[[object, str], None]] = {
    "$comment": _check_text,
    "const": check_value,
    "default": check_value,
    "dependentRequired": _check_name_lists,
    "deprecated": _check_bool,
    "description": _check_text,
    "enum": _check_list,
    "examples": _check_examples,
    "exclusiveMaximum": _check_number,
    "exclusiveMinimum": _check_number,
    "format": _check_format,
    "maxContains": _check_count,
    "maxItems": _check_count,
    "maxLength": _check_count,
    "maxProperties": _check_count,
    "maximum": _check_number,
    "minContains": _check_count,
    "minItems": _check_count,
    "minLength": _check_count,
    "minProperties": _check_count,
    "minimum": _check_number,
    "multipleOf": _check_divisor,
    "pattern": check_pattern,
    "readOnly": _check_bool,
    "required": _check_names,
    "title": _check_text,
    "type": _check_type,
    "uniqueItems": _check_bool,
    "writeOnly": _check_bool,
}
"""Keywords whose value holds no schema, with what checks the value."""
