"""Schemas compiled into what checks events.

The validator asks nothing outside the document (`offline`; the kernel has refused every
reference that leads out).  Its regular expressions run on an engine whose time grows
with the text and not faster, and whose compiled size is bounded: no pattern can make an
event expensive.  It knows no look-around and no back-references; a pattern that needs
them is refused when its schema is registered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.schema import Schema
from tallystick_merkle.schema_keywords import pointer

MAX_FINDINGS = 10
"""Most faults of one event that are told."""

MAX_REGEX_BYTES = 256 * 1024
"""Largest compiled form of one regular expression, in bytes."""

_MAX_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Compiled:
    """A schema that checks events.

    `places` gives fields, with all below, to targets; `sensitive` names the fields that
    are, with all below; `indexed` those that can be searched for.
    """

    schema: Schema
    places: Mapping[str, int]
    sensitive: frozenset[str]
    indexed: tuple[str, ...]
    _judge: Draft202012Validator = field(repr=False)

    def check(self, event: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Name what is wrong with an event in its JSON shape; nothing if it fits.

        Each fault is a JSON pointer into the event and what was expected: never what
        came.
        """
        if self._judge.is_valid(event):
            return []
        found: list[tuple[str, str]] = []
        for error in self._judge.iter_errors(event):
            found.append((pointer("", *error.instance_path), self._expected(error)))
            if len(found) == MAX_FINDINGS:
                break
        return found

    def _expected(self, error: ValidationError) -> str:
        """Say what the schema asks for, in its own words."""
        keyword = error.kind.name
        if keyword == "required":
            return f"{error.kind.as_dict()['property']} is required"
        if error.schema_path[-1:] == ["additionalProperties"]:
            return "a member that the schema does not name"
        if keyword == "falseSchema":
            return "nothing is taken here"
        asked: Any = self.schema.document
        for part in error.schema_path:
            asked = asked[part]
        text = json.dumps(asked, ensure_ascii=False)
        if isinstance(asked, dict | bool) or len(text) > _MAX_SHOWN:
            return f"does not fit {keyword}"
        return f"expected {keyword} {text}"


def compile_schema(schema: Schema) -> Compiled:
    """Compile a schema; raise MalformedError for a pattern that the engine refuses."""
    try:
        judge = Draft202012Validator(
            json.loads(schema.text),
            validate_formats=True,
            ignore_unknown_formats=False,
            offline=True,
            pattern_options=RegexOptions(
                size_limit=MAX_REGEX_BYTES, dfa_size_limit=MAX_REGEX_BYTES
            ),
        )
    except ValidationError as error:
        raise MalformedError(
            "schema",
            f"the validator refuses it: {error.kind.name}",
            where=pointer("", *error.instance_path) or "the whole document",
        ) from error
    marks = schema.marks
    return Compiled(schema, marks.places, marks.sensitive, marks.indexed, judge)
