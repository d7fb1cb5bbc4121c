"""Schemas compiled into what checks events.

The validator asks nothing outside the document (`offline`; the kernel has refused every
reference that leads out).  Its regular expressions run on an engine whose time grows
with the text and not faster, and whose compiled size is bounded: no pattern can make an
event expensive alone.  It knows no look-around and no back-references; a pattern that
needs them is refused when its schema is registered.  How much work all of a schema may
make of an event, `weighing` bounds; the first fault is what is told (`telling`).
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
from tallystick_server.ingest.schemas.telling import Teller, make_telling, tell_error
from tallystick_server.ingest.schemas.weighing import (
    Weight,
    find_excess,
    weigh_schema,
)

MAX_REGEX_BYTES = 256 * 1024
"""Largest compiled form of one regular expression, in bytes."""


@dataclass(slots=True)
class Compiled:
    """A schema that checks events.

    `places` gives fields, with all below, to targets; `sensitive` names the fields that
    are, with all below; `indexed` those that can be searched for.
    """

    schema: Schema
    places: Mapping[str, int]
    sensitive: frozenset[str]
    indexed: tuple[str, ...]
    weight: Weight
    _judge: Draft202012Validator = field(repr=False)
    _teller: Teller | None = field(default=None, repr=False)

    def check(self, event: Mapping[str, Any]) -> tuple[str, str] | None:
        """Name the first fault of an event in its JSON shape; None if it fits.

        A fault is a JSON pointer into the event and what was expected: never what came,
        but for the name of a member that the schema does not name.
        """
        excess = find_excess(event, self.weight)
        if excess is not None:
            return excess
        if self._judge.is_valid(event):
            return None
        if self._teller is None:  # many schemas never meet an event that does not fit
            document = make_telling(self.schema.root)
            self._teller = Teller(document, _compile(document))
        return self._teller.tell(event) or self._tell_rest(event)

    def _tell_rest(self, event: Mapping[str, Any]) -> tuple[str, str]:
        """Tell what only the whole schema finds: what nothing in it has named."""
        try:
            self._judge.validate(event)
        except ValidationError as error:
            return tell_error(error, self.schema.document, event)
        return "", "does not fit"


def compile_schema(schema: Schema) -> Compiled:
    """Compile a schema; raise MalformedError for a pattern that the engine refuses."""
    judge = _compile(json.loads(schema.text))
    marks = schema.marks
    return Compiled(
        schema,
        marks.places,
        marks.sensitive,
        marks.indexed,
        weigh_schema(schema.root),
        judge,
    )


def _compile(document: dict[str, Any]) -> Draft202012Validator:
    try:
        return Draft202012Validator(
            document,
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
