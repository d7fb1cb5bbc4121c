"""The description of the HTTP interface as tests need it: resolved, strict, checked."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from tallystick_server.web.openapi.document import document

Node = dict[str, Any]


def described() -> Node:
    """The document as JSON says it."""
    found: Node = json.loads(json.dumps(document()))
    return found


def nodes(node: object, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every object of a document, with where it stands."""
    if isinstance(node, dict):
        yield path, node
        for name, below in node.items():
            yield from nodes(below, f"{path}/{name}")
    elif isinstance(node, list):
        for at, below in enumerate(node):
            yield from nodes(below, f"{path}/{at}")


def strict(whole: Node) -> Node:
    """A copy whose records have no members but those that are described.

    The document itself leaves room: a later version may add a member.
    """
    made = copy.deepcopy(whole)
    for _, node in nodes(made["components"]["schemas"]):
        if "properties" in node and "$ref" not in node:
            node["additionalProperties"] = False
    return made


def resolve(whole: Node, node: Node) -> Node:
    """What a node is, or refers to."""
    found = node
    while "$ref" in found and found["$ref"].startswith("#/"):
        target: Any = whole
        for name in found["$ref"][2:].split("/"):
            target = target[name]
        found = target
    return found


def faults(whole: Node, schema: Node, value: object) -> list[str]:
    """What a schema of the document finds wrong with a value."""
    standing = {**schema, "components": whole["components"]}
    validator = jsonschema_rs.Draft202012Validator(standing, validate_formats=True)
    return [str(error) for error in validator.iter_errors(value)]


def operations(whole: Node) -> dict[str, Node]:
    """Every operation by its id, with its path and method."""
    return {
        node["operationId"]: {**node, "path": path, "method": method}
        for path, item in whole["paths"].items()
        for method, node in item.items()
    }
