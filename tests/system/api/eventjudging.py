"""What schemathesis cannot know of events: how bodies are written, and what is one.

Events are held against the kernel, as whoever submitted them or is shown evidence does.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case
from schemathesis import Response as Said

from tallystick_merkle import canonical
from tallystick_merkle.cosignature import open_checkpoint
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.event import Event
from tallystick_merkle.eventjson import parse_event
from tallystick_merkle.evidence import check_evidence, parse_evidence
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.opening import check_opening, parse_opening
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.receipt import check_receipt, parse_receipt

EVENT = "POST /v1/logs/{log}/events"
EVENTS = "POST /v1/logs/{log}/events:batch"
SHOWN = "GET /v1/logs/{log}/events/{event_id}"
LISTED = "GET /v1/logs/{log}/events"
REGISTER = "POST /v1/logs/{log}/schemas"
REDRIVE = "POST /v1/logs/{log}/dead-letters/{id}/redrive"

_JSON, _LINES = "application/json", "application/x-ndjson"
_CBOR, _SEQUENCE = "application/cbor", "application/cbor-seq"


def _packed(value: object) -> bytes:
    """Write a value as deterministic CBOR; what it has no place for, as JSON."""
    if isinstance(value, bytes):
        return value
    try:
        return canonical.pack(value)
    except (TypeError, ValueError, MalformedError):
        return json.dumps(value).encode()


@schemathesis.serializer(_CBOR)
def in_cbor(ctx: Any, value: Any) -> bytes:  # noqa: ANN401 -- schemathesis's words
    """Write a body of CBOR."""
    del ctx
    return _packed(value)


@schemathesis.serializer(_SEQUENCE)
def in_sequence(ctx: Any, value: Any) -> bytes:  # noqa: ANN401 -- schemathesis's words
    """Write a sequence of CBOR."""
    del ctx
    items = value if isinstance(value, list) else [value]
    return b"".join(map(_packed, items))


@schemathesis.serializer(_LINES, "application/schema+json")
def in_lines(ctx: Any, value: Any) -> bytes:  # noqa: ANN401 -- schemathesis's words
    """Write a text of lines as it is, and anything else as JSON."""
    del ctx
    if isinstance(value, bytes):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace")


def is_refusable(
    label: str, query: Mapping[str, str], case: Case[Any], body: bytes
) -> bool:
    """Whether our rules refuse a request about events that the schema takes."""
    if label in (EVENT, EVENTS) and _waits_for_nothing(query):
        return True
    if label == EVENT:
        return _event(case, body) is None
    if label == EVENTS:  # bytes that cannot be told apart
        return str(case.media_type) != _JSON
    if label == SHOWN:
        return "fields" in query or "names" in query
    return label in (REGISTER, REDRIVE)


def _waits_for_nothing(query: Mapping[str, str]) -> bool:
    return "timeout" in query and query.get("wait") != "witnessed"


def _event(case: Case[Any], body: bytes) -> Event | None:
    """The event of a body; None for what the kernel takes for none."""
    try:
        is_cbor = str(case.media_type) == _CBOR
        data = canonical.decode(body) if is_cbor else json.loads(body)
        return parse_event(data, service=os.environ["API_PRINCIPAL"])
    except (MalformedError, ValueError, RecursionError):
        return None


def check_submitted(response: Said, case: Case[Any], body: bytes) -> None:
    """Hold the answer to an event against what was sent."""
    said = response.json()
    event = _event(case, body)
    if event is None:
        raise ValueError("what the kernel takes for no event was taken")
    leaf = b64decode(said["leaf"])
    if said["opening"] is not None:
        check_opening(event, parse_opening(said["opening"]), parse_leaf(leaf))
    _check_receipt(said, leaf)


def check_batch(response: Said, case: Case[Any], body: bytes) -> None:
    """Rebuild the head of a batch from its new leaves."""
    del case, body
    said = response.json()
    head = open_checkpoint(said["checkpoint"].encode(), [_policy().logs[0].key])
    fresh = [one for one in said["results"] if one["status"] == 201]
    if said["count"] != len(fresh):
        raise ValueError("another count than of new events")
    if not fresh:
        return
    start = said["first_index"]
    RangeTree(
        range_shape(start=start, stop=start + len(fresh), size=said["size"]),
        leaves=[leaf_hash(b64decode(one["leaf"])) for one in fresh],
        left=[b64decode(one) for one in said["proof"]["left"]],
        right=[b64decode(one) for one in said["proof"]["right"]],
        root=head.checkpoint.root,
    )


def check_shown(response: Said, case: Case[Any], body: bytes) -> None:
    """Check evidence, or the receipt of an event that is shown."""
    del case, body
    said = response.json()
    if "evidence" not in said:
        _check_receipt(said, b64decode(said["leaf"]))
        return
    found = check_evidence(
        parse_evidence(b64decode(said["evidence"])), policy=_policy()
    )
    if (found.index, found.disclosed.fields) != (said["index"], said["fields"]):
        raise ValueError("the evidence shows something else")


def _check_receipt(said: dict[str, Any], leaf: bytes) -> None:
    receipt = parse_receipt(said["receipt"].encode())
    verdict = check_receipt(receipt, leaf=leaf_hash(leaf), policy=_policy())
    if (receipt.index, verdict.status.value) != (said["index"], said["status"]):
        raise ValueError("another index or status than in the receipt")


def _policy() -> Policy:
    return parse_policy(Path(os.environ["API_POLICY"]).read_bytes())


CHECKS: Mapping[str, Callable[[Said, Case[Any], bytes], None]] = {
    EVENT: check_submitted,
    EVENTS: check_batch,
    SHOWN: check_shown,
}
"""What a good answer has to stand, by the operation."""
