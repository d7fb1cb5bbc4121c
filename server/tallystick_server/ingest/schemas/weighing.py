"""How much work a schema makes of an event, counted before it is done.

    values  checks that one value of an event may have to pass, in the worst case
    states  places in regular expressions where a match of one character may stand

Checking an event costs no more than its values times the first, and its bytes of text
times the second: both products are bounded, so that no event holds up the others, by
whatever schema it is checked.  The counts are upper bounds, of the schema with every
reference followed; how the validator works inside does not matter to them, but for
`unevaluated…`, which looks again at all that is beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import escape
from tallystick_merkle.schema_keywords import MANY, NAMED, ONE, Node

MAX_VALUES = 5_000
"""Most values of an event that a schema is applied to, nested ones counted."""

MAX_CHECKS = 500_000
"""Most checks of an event: its values times those of its schema."""

MAX_STEPS = 8_000_000
"""Most steps of regular expressions: bytes of an event's text times the states."""

MAX_WEIGHT_VALUES = 5_000
"""Most checks that a schema may make of one value: 100 values have to be possible."""

MAX_WEIGHT_STATES = 4_000
"""Most states that a schema may have: 2,000 bytes of text have to be possible."""

_AGAIN = 3
"""How often `unevaluated…` looks at what is beside it."""

_UNEVALUATED = frozenset({"unevaluatedItems", "unevaluatedProperties"})
_SCALARS = 8
"""How many texts and numbers are compared in the time of one check."""

_TOKEN = re.compile(
    r"\\[pPux]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
    r"|\{([0-9]+)(?:,([0-9]*))?\}|.",
    re.DOTALL,
)


class Weight(NamedTuple):
    """What a schema makes of each value, and of each byte of text; see the module."""

    values: int
    states: int


def weigh_schema(node: Node) -> Weight:
    """Weigh a schema whose references are followed, as `Schema.root` has them."""
    if isinstance(node, bool):
        return Weight(1, 0)
    values, states = 1, 0
    for key, value in node.items():
        if key in ("const", "enum"):
            values += _count_choices(value)
        elif key == "pattern":
            states += count_states(value)
        elif key in ("dependentRequired", "required"):
            values += len(value)
        if key == "patternProperties":
            states += sum(count_states(name) for name in value)
        for below in _schemas_of(key, value):
            more = weigh_schema(below)
            values += more.values
            states += more.states
    again = _AGAIN if _UNEVALUATED & node.keys() else 1
    return Weight(values * again, states * again)


def check_weight(weight: Weight) -> None:
    """Raise MalformedError for a schema that leaves no room for ordinary events."""
    if weight.values > MAX_WEIGHT_VALUES:
        why = f"{weight.values} checks of one value, at most {MAX_WEIGHT_VALUES}"
        raise MalformedError("schema", why, where="the whole document")
    if weight.states > MAX_WEIGHT_STATES:
        why = (
            f"patterns of {weight.states} states, repetitions counted out, at most"
            f" {MAX_WEIGHT_STATES}"
        )
        raise MalformedError("schema", why, where="the whole document")


def count_states(pattern: str) -> int:
    """Count the places of a regular expression, repetitions counted out."""
    open_groups = [0]
    last = 0
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if token[1] is not None:
            times = max(int(token[1]), int(token[2] or 0), 1)
            open_groups[-1] += last * (times - 1)
            last *= times
        elif text == "(":
            open_groups.append(0)
        elif text == ")" and len(open_groups) > 1:
            last = open_groups.pop() + 1
            open_groups[-1] += last
        elif text not in "*+?|":
            last = 1
            open_groups[-1] += 1
    return sum(open_groups) + 1


def find_excess(event: Mapping[str, Any], weight: Weight) -> tuple[str, str] | None:
    """Say where an event is too much work, and why; None for one that is not.

    It is counted no further than to where it is too much.
    """
    most = min(MAX_VALUES, MAX_CHECKS // weight.values)
    longest = MAX_STEPS // max(weight.states, 1)
    values = size = 0
    for name, value in event.items():
        for text in _walk(value):
            values += 1
            size += text
            if values > most:
                return f"/{escape(name)}", f"over {most} values to check"
            if size > longest:
                return f"/{escape(name)}", f"over {longest} bytes of text to check"
    return None


def _walk(value: object) -> Iterator[int]:
    """Go through all values, and give of each how many bytes of text it brings."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield len(one) if one.isascii() else len(one.encode())
        elif isinstance(one, dict):
            yield 0
            for name, item in one.items():
                yield len(name.encode())
                waiting.append(item)
        else:
            yield 0
            if isinstance(one, list):
                waiting.extend(one)


def _schemas_of(key: str, value: Any) -> Iterator[Node]:  # noqa: ANN401 -- a keyword's value
    """Give the schemas right below a keyword."""
    if key in ONE or key == "$ref":
        yield value
    elif key in MANY:
        yield from value
    elif key in NAMED:
        yield from value.values()


def _count_choices(value: object) -> int:
    """Count what has to be compared with a value that stands in a schema."""
    scalars = others = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            others += 1
            waiting.extend(one.values())
        elif isinstance(one, list):
            others += 1
            waiting.extend(one)
        else:
            scalars += 1
    return others + (scalars if others > 1 else -(-scalars // _SCALARS))
