"""The schema of events (`ingest.envelope`) as components of the document.

What is a definition of its own there is a component here, named after it: `target` is
`EventTarget`.  Everything else stands word for word.
"""

from __future__ import annotations

from typing import Any

from tallystick_server.ingest.envelope import envelope
from tallystick_server.web.openapi.schemas import Node

_DEFINED = "#/$defs/"
_LEFT_OUT = ("$schema", "$id", "$defs", "title")


def enveloped() -> dict[str, Node]:
    """Give the schema of events, and those that it is made of, by name."""
    whole = envelope()
    event = {name: node for name, node in whole.items() if name not in _LEFT_OUT}
    named = {_name(name): _moved(node) for name, node in whole["$defs"].items()}
    return {"Event": _moved(event), **named}


def _name(defined: str) -> str:
    """Name the component of a definition."""
    return f"Event{defined[0].upper()}{defined[1:]}".replace("EventEvent", "Event")


def _moved(node: Any) -> Any:  # noqa: ANN401 -- any part of a schema
    """Copy a part, with its references led to the components."""
    if isinstance(node, list):
        return [_moved(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        name: f"#/components/schemas/{_name(one.removeprefix(_DEFINED))}"
        if name == "$ref"
        else _moved(one)
        for name, one in node.items()
    }
