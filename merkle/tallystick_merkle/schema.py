"""Event schemas: JSON Schema 2020-12 for the events of one action, in versions.

    {"$schema": "https://json-schema.org/draft/2020-12/schema",
     "title": "A role was given or taken",
     "x-tallystick": {"action": "user.role.updated", "version": 2},
     "type": "object",
     "required": ["details"],
     "properties": {
       "details": {
         "type": "object",
         "additionalProperties": false,
         "properties": {
           "ticket": {"type": "string", "maxLength": 64,
                      "x-tallystick": {"indexed": true}}}}}}

It is applied to the whole event in its JSON shape.  The head, `x-tallystick` at the
root, names the action, the version from 1 and the id of the schema, which is the action
unless another is given.  Marks on properties: see `schema_marks`.

Nothing outside the document is ever asked: `$ref` leads to `#/$defs/NAME`, and never in
a circle.  Sizes are capped, with every reference counted as often as it is followed, so
that checking an event stays cheap.  The *text* of a schema is its JSON with sorted
names and no spaces; what has the same text is the same schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import (
    ACTION,
    MAX_ACTION,
    MAX_VERSION,
    SCHEMA_ID,
    check_plain,
)
from tallystick_merkle.schema_keywords import (
    CHECKS,
    MANY,
    NAMED,
    NOTES,
    ONE,
    Node,
    check_pattern,
    pointer,
    refuse,
)
from tallystick_merkle.schema_marks import (
    MARK,
    Mark,
    Marks,
    check_marks,
    flat_name,
    read_mark,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""What `$schema` has to say."""

MAX_INPUT = 64 * 1024
"""Longest document as it is written, in bytes."""

MAX_TEXT = 16_000
"""Longest text of a schema in bytes: one field of an event has to hold it."""

MAX_NODES = 512
"""Most schemas within a schema, references counted as often as they are followed."""

MAX_DEPTH = 16
"""Deepest nesting of schemas."""

MAX_MEMBERS = 128
"""Most schemas in one list or map of schemas."""

MAX_NAME = 128
"""Longest name of a property, in characters."""

_REF = "#/$defs/"
_ROOT = frozenset({"$schema", "$id", "$defs"})
_URN = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,31}:[A-Za-z0-9._:/-]{1,200}", re.ASCII)
_DEFINITION = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_ID = re.compile(SCHEMA_ID, re.ASCII)
_ACTION = re.compile(ACTION, re.ASCII)
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema that was checked.

    `text` is its one spelling and `digest` the SHA-256 of that.  `document` is what
    was read; `root` the same with references followed and without notes and marks.
    """

    id: str
    version: int
    action: str
    text: str = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    root: dict[str, Any] = field(repr=False)
    marks: Marks = field(repr=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the text, 32 bytes."""
        return sha256(self.text.encode()).digest()


def parse_schema(data: bytes) -> Schema:
    """Read a schema document; raise MalformedError with the JSON pointer of the fault.

    Whether its regular expressions are ones, the validator of the server has to say.
    """
    document, text = _decode(data)
    if len(text.encode()) > MAX_TEXT:
        raise refuse(f"more than {MAX_TEXT} bytes without spaces", "")
    action, schema_id, version = _read_head(document)
    _check_root(document)
    walk = _Walk(document.get("$defs", {}))
    root = walk.root(document)
    marks = Marks(walk.marks, walk.named)
    check_marks(marks)
    return Schema(schema_id, version, action, text, document, root, marks)


def _decode(data: bytes) -> tuple[dict[str, Any], str]:
    """Decode JSON (no name twice, no floats, one object), and give its spelling."""
    if len(data) > MAX_INPUT:
        raise refuse(f"more than {MAX_INPUT} bytes", "")
    try:
        document: object = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_integer,
        )
        text = json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        text.encode()
    except UnicodeEncodeError as error:
        raise refuse("a text that is not valid Unicode", "") from error
    except (ValueError, RecursionError) as error:
        raise refuse("expected JSON in UTF-8", "") from error
    if not isinstance(document, dict):
        raise refuse("expected an object", "")
    return document, text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise refuse("a name that stands twice in one object", "")
    return found


def _no_float(text: str) -> object:
    raise refuse(f"{text[:20]} is no integer: events have no other numbers", "")


def _integer(text: str) -> int:
    if len(text) > _DIGITS + 1:
        raise refuse("an integer of more than 64 bits", "")
    return int(text)


def _read_head(document: dict[str, Any]) -> tuple[str, str, int]:
    """Read action, id and version."""
    head, where = document.get(MARK), pointer("", MARK)
    if not isinstance(head, dict) or set(head) - {"action", "id", "version"}:
        raise refuse("expected an object of action, version and id", where)
    action, version = head.get("action"), head.get("version")
    if not (
        isinstance(action, str)
        and len(action) <= MAX_ACTION
        and _ACTION.fullmatch(action)
    ):
        raise refuse("expected an action like user.role.updated", where + "/action")
    if type(version) is not int or not 1 <= version <= MAX_VERSION:
        raise refuse(f"expected a version of 1 to {MAX_VERSION}", where + "/version")
    schema_id = head.get("id", action)
    if not isinstance(schema_id, str) or _ID.fullmatch(schema_id) is None:
        raise refuse("expected an id of a-z, 0-9, '.', '_' and '-'", where + "/id")
    return action, schema_id, version


def _check_root(document: dict[str, Any]) -> None:
    """Check what only the root has to say."""
    if document.get("$schema") != DIALECT:
        raise refuse(f'expected "{DIALECT}"', "/$schema")
    urn = document.get("$id", "urn:a:b")
    if not isinstance(urn, str) or _URN.fullmatch(urn) is None:
        raise refuse("expected a urn: of letters, digits and ._:/-", "/$id")
    if document.get("type") != "object":
        raise refuse('expected "object": an event is one', "/type")
    if not isinstance(document.get("$defs", {}), dict):
        raise refuse("expected an object of schemas", "/$defs")


class _Walk:
    """Checks all keywords once, and follows the references."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self.marks: dict[str, Mark] = {}
        self.named: dict[str, str] = {}
        self._definitions = definitions
        self._count = 0
        self._above: list[str] = []  # the definitions that are being followed

    def root(self, document: dict[str, Any]) -> dict[str, Any]:
        """Walk the whole document; what is never referred to has to be right too."""
        _check_count(self._definitions, "/$defs")
        for name in self._definitions:
            self._follow(_REF + name, pointer("/$defs", name))
        body = {key: document[key] for key in document if key not in _ROOT}
        del body[MARK]
        return self._keywords(body, "", (), 0)

    def _node(
        self, node: object, where: str, field: tuple[str, ...] | None, depth: int
    ) -> Node:
        """Check one schema. `field` is its name, if it is that of a field."""
        self._count += 1
        if self._count > MAX_NODES:
            raise refuse(f"over {MAX_NODES} schemas, references followed", where)
        if depth > MAX_DEPTH:
            raise refuse(f"schemas nested over {MAX_DEPTH} deep", where)
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            raise refuse("expected a schema: an object, true or false", where)
        return self._keywords(node, where, field, depth)

    def _keywords(
        self,
        node: dict[str, Any],
        where: str,
        field: tuple[str, ...] | None,
        depth: int,
    ) -> dict[str, Any]:
        """Check the keywords of a schema; leave notes and marks out."""
        found: dict[str, Any] = {}
        for key, value in node.items():
            place = pointer(where, key)
            if key == MARK:
                self._mark(node, field, place)
            elif key == "$ref":
                found[key] = self._follow(value, place, depth + 1)
            elif key in ONE:
                found[key] = self._node(value, place, None, depth + 1)
            elif key in MANY:
                found[key] = self._list(value, place, depth)
            elif key in NAMED:
                below = field if key == "properties" else None
                found[key] = self._map(key, value, place, below, depth)
            elif key in CHECKS:
                CHECKS[key](value, place)
                if key not in NOTES:
                    found[key] = value
            else:
                raise refuse("not a keyword that event schemas may use", place)
        return found

    def _list(self, value: object, where: str, depth: int) -> list[Node]:
        if not isinstance(value, list) or not value:
            raise refuse("expected a list of schemas", where)
        _check_count(value, where)
        return [
            self._node(one, pointer(where, place), None, depth + 1)
            for place, one in enumerate(value)
        ]

    def _map(
        self,
        key: str,
        value: object,
        where: str,
        above: tuple[str, ...] | None,
        depth: int,
    ) -> dict[str, Node]:
        if not isinstance(value, dict):
            raise refuse("expected an object of schemas", where)
        _check_count(value, where)
        found: dict[str, Node] = {}
        for name, node in value.items():
            place = pointer(where, name)
            if key == "patternProperties":
                check_pattern(name, place)
            else:
                _check_name(name, place)
            field = None if above is None else (*above, name)
            if field is not None:
                self.named[flat_name(field)] = place
            found[name] = self._node(node, place, field, depth + 1)
        return found

    def _follow(self, value: object, where: str, depth: int = 0) -> Node:
        """Walk the definition that a reference leads to."""
        if not isinstance(value, str) or not value.startswith(_REF):
            raise refuse(f'expected "{_REF}NAME": nothing outside is asked', where)
        name = value.removeprefix(_REF)
        if _DEFINITION.fullmatch(name) is None or name not in self._definitions:
            raise refuse("there is no such definition, of A-Z, a-z, 0-9, '.-_'", where)
        if name in self._above:
            raise refuse("a reference that leads in a circle", where)
        self._above.append(name)
        node = self._definitions[name]
        found = self._node(node, pointer("/$defs", name), None, depth)
        self._above.pop()
        return found

    def _mark(
        self, node: dict[str, Any], field: tuple[str, ...] | None, where: str
    ) -> None:
        if field is None:
            raise refuse("a mark stands on a property that 'properties' lead to", where)
        mark = read_mark(node[MARK], field, node.get("type"), where)
        self.marks[flat_name(field)] = mark


def _check_count(value: dict[str, Any] | list[Any], where: str) -> None:
    if len(value) > MAX_MEMBERS:
        raise refuse(f"{len(value)} schemas, at most {MAX_MEMBERS}", where)


def _check_name(name: str, where: str) -> None:
    """Raise unless an event could have a member of this name."""
    try:
        check_plain(name, most=MAX_NAME, where=where)
    except MalformedError as error:
        raise refuse(error.why, where) from error
