"""CloudEvents in HTTP's binary mode, brought to the structured one (CloudEvents 1.0).

A record of the binary mode is the request as a JSON object: `headers`, of which those
beginning with `ce-` are the attributes, and `body` (or `body_base64`).  Anything else
is given back as it is.
"""

from __future__ import annotations

from urllib.parse import unquote

from tallystick_client.mapping.records import RecordError, parse_json
from tallystick_merkle.event import Value

CLOUDEVENTS = "cloudevents"
"""The name of this wrapping in a mapping file."""

_PREFIX = "ce-"
_BODIES = {"body": "data", "body_base64": "data_base64"}


def unwrap(record: Value) -> Value:
    """Give a CloudEvent in structured mode; raise RecordError for half of one."""
    if not isinstance(record, dict) or "specversion" in record:
        return record
    headers = record.get("headers")
    if not isinstance(headers, dict):
        return record
    found, others = _sort(headers)
    if "specversion" not in found:
        raise RecordError(
            "the headers are not those of a CloudEvent: no ce-specversion"
        )
    kind = others.pop("content-type", None)
    if kind is not None:
        found["datacontenttype"] = kind
    for name, value in record.items():
        place = _BODIES.get(name)
        if place is not None and place in found:
            raise RecordError(f"both an attribute {place!r} and a {name}")
        if place is not None:
            found[place] = _data(value, kind)
        elif name != "headers":
            others[name] = value
    if others:
        found["http"] = others
    return found


def _sort(
    headers: dict[str, Value],
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Tell the attributes of the event from the other headers, in lower case."""
    found: dict[str, Value] = {}
    others: dict[str, Value] = {}
    seen: set[str] = set()
    for name, value in headers.items():
        key = name.lower()
        if key in seen:
            raise RecordError(f"the header {name!r} stands there twice")
        seen.add(key)
        if key.startswith(_PREFIX) and isinstance(value, str):
            found[key.removeprefix(_PREFIX)] = unquote(value)
        else:
            others[key] = value
    return found, others


def _data(body: Value, kind: Value) -> Value:
    """Read a body that says it is JSON; keep all others as they are."""
    if not isinstance(body, str) or not isinstance(kind, str):
        return body
    essence = kind.partition(";")[0].strip().lower()
    if essence != "application/json" and not essence.endswith("+json"):
        return body
    try:
        return parse_json(body)
    except RecordError:
        return body
