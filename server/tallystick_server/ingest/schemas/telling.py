"""Say the first fault of an event that does not fit its schema, at a bounded cost.

The validator words every fault that it meets in every branch of `anyOf` and `oneOf`,
also of those inside branches, before it gives the first: for an event of many values
that takes seconds.  So what tells faults is another form of the schema, in which these
two only say that they do not fit:

    {"anyOf": branches}  →  {"allOf": [{"not": {"not": {"anyOf": branches}}}]}

It follows references, and leaves `unevaluated…` out, which would not see into that:
where nothing else is wrong, that is what is wrong, and no branch is to be worded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

from tallystick_merkle.event import MAX_NAME
from tallystick_merkle.schema_keywords import MANY, NAMED, ONE, Node, pointer

_BRANCHES = ("anyOf", "oneOf")
_KEPT = frozenset({"contains", "if", "not", "propertyNames"})
_MAX_SHOWN = 80
_OTHERS = "additionalProperties"
_UNEVALUATED = frozenset({"unevaluatedItems", "unevaluatedProperties"})


@dataclass(frozen=True, slots=True)
class Teller:
    """The form of a schema that tells faults, and its validator."""

    document: Mapping[str, Any]
    judge: Draft202012Validator

    def tell(self, event: Mapping[str, Any]) -> tuple[str, str] | None:
        """Give the first fault: its JSON pointer, and what was expected there."""
        try:
            self.judge.validate(event)
        except ValidationError as error:
            return tell_error(error, self.document, event)
        return None


def make_telling(root: dict[str, Any]) -> dict[str, Any]:
    """Make the form that tells faults of a schema whose references are followed."""
    return _telling(root)


def tell_error(
    error: ValidationError, document: Mapping[str, Any], event: Mapping[str, Any]
) -> tuple[str, str]:
    """Say where a fault is, and what the document asks for there, in its words."""
    where = [*error.instance_path, *_unnamed(error, event)]
    return pointer("", *where), _expected(error, document)


def _unnamed(error: ValidationError, event: Mapping[str, Any]) -> list[str]:
    """Name the first member that the schema does not, where it can be shown."""
    path = error.instance_path
    if not _is_unnamed(error) or path[-1:] == [_OTHERS]:
        return []
    found = error.kind.as_dict().get("unexpected")
    if found is None:  # nothing at all may be there, and no name is told
        there: Any = event
        for part in path:
            there = there[part]
        found = list(there)
    return [one for one in found[:1] if len(one) <= MAX_NAME and one.isprintable()]


def _is_unnamed(error: ValidationError) -> bool:
    return error.schema_path[-1:] == [_OTHERS]


def _telling(node: dict[str, Any]) -> dict[str, Any]:
    """Take the branches apart, in all that is applied for itself."""
    found: dict[str, Any] = {}
    more: list[Node] = []
    for key, value in node.items():
        if key in _BRANCHES:
            more.append({"not": {"not": {key: [_whole(one) for one in value]}}})
        elif key == "$ref":
            more.append(_tell(value))
        elif key in _KEPT:
            found[key] = _whole(value)
        elif key in ONE:
            if key not in _UNEVALUATED:
                found[key] = _tell(value)
        elif key in MANY:
            found[key] = [_tell(one) for one in value]
        elif key in NAMED:
            found[key] = {name: _tell(one) for name, one in value.items()}
        else:
            found[key] = value
    if more:
        found["allOf"] = [*found.get("allOf", []), *more]
    return found


def _tell(node: Node) -> Node:
    return node if isinstance(node, bool) else _telling(node)


def _whole(node: Node) -> Node:
    """Put in what references lead to, and leave all else as it is."""
    if isinstance(node, bool):
        return node
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref":
            continue
        if key in ONE:
            found[key] = _whole(value)
        elif key in MANY:
            found[key] = [_whole(one) for one in value]
        elif key in NAMED:
            found[key] = {name: _whole(one) for name, one in value.items()}
        else:
            found[key] = value
    if "$ref" in node:
        found["allOf"] = [*found.get("allOf", []), _whole(node["$ref"])]
    return found


def _expected(error: ValidationError, document: Mapping[str, Any]) -> str:
    """Say what the schema asks for, in its own words."""
    keyword = error.kind.name
    if keyword == "required":
        return f"{error.kind.as_dict()['property']} is required"
    if _is_unnamed(error):
        return "a member that the schema does not name"
    if keyword == "falseSchema":
        return "nothing is taken here"
    asked: Any = document
    for part in error.schema_path:
        asked = asked[part]
    if keyword == "not" and isinstance(asked, dict) and asked.keys() == {"not"}:
        keyword, asked = _branches(asked)
    text = json.dumps(asked, ensure_ascii=False)
    if isinstance(asked, dict | bool) or len(text) > _MAX_SHOWN:
        return f"does not fit {keyword}"
    return f"expected {keyword} {text}"


def _branches(asked: dict[str, Any]) -> tuple[str, Any]:
    """Name the branches that were taken apart; "not" for a `not` of the schema's."""
    inner = asked["not"]
    if isinstance(inner, dict) and len(inner) == 1:
        keyword, value = next(iter(inner.items()))
        if keyword in _BRANCHES:
            return keyword, value
    return "not", asked
