"""What schemathesis cannot know of our interface; its process loads this as hooks.

Some requests fit the schema and are refused all the same: a schema says nothing of two
parameters together, nor of the frames in a body.  And an answer that fits its schema
may still be a lie: here each is held against the kernel, as a client would.

    API_POLICY    a file with the log's policy
    API_ORIGIN    the log's origin
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import schemathesis
from schemathesis import Case, CheckContext, HookContext
from schemathesis import Response as Said
from schemathesis.core.failures import Failure

from tallystick_merkle.errors import KernelError, MalformedError
from tallystick_merkle.exchange.appending import (
    LogAddress,
    append_batch,
    append_entry,
)
from tallystick_merkle.exchange.base import NO_RETRY, Exchange, Response
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.policy import Policy, judge, parse_policy
from tallystick_merkle.proof import check_consistency, check_inclusion
from tallystick_merkle.receipt import parse_receipt
from tallystick_merkle.tile import (
    MAX_ENTRY,
    format_bundle,
    parse_bundle,
    parse_tile_path,
)
from tests.system.api import eventjudging

FILLED = 300
"""Entries that the log has at the start: proofs up to there must be given."""

ENTRIES = "POST /v1/logs/{log}/entries"
BATCH = "POST /v1/logs/{log}/entries:batch"
INCLUSION = "GET /v1/logs/{log}/proof/inclusion"
CONSISTENCY = "GET /v1/logs/{log}/proof/consistency"

_KEY = "as-it-was-sent"


@schemathesis.hook
def map_query(
    context: HookContext, query: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Put parameters in relation where each alone would be taken."""
    first, second = _pair(context)
    if query is None:
        return None
    low, high = query.get(first), query.get(second)
    if type(low) is int and type(high) is int and 1 <= high < low:
        return {**query, first: high, second: low}
    if "timeout" in query and query.get("wait", "durable") == "durable":
        return {**query, "wait": "witnessed"}
    return query


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:  # noqa: ANN401 -- its own word
    """Frame what was drawn for a batch."""
    label = context.operation.label if context.operation else ""
    if label != BATCH or not isinstance(body, str | bytes) or len(body) < 2:
        return body
    drawn = body.encode("utf-8", "replace") if isinstance(body, str) else body
    return format_bundle([drawn[at : at + 9] for at in range(0, len(drawn), 9)])


@schemathesis.hook
def filter_failure(
    context: HookContext, failure: Failure, case: Case[Any], response: Said
) -> bool:
    """Drop what is no failure: a request that fits its schema and not our rules."""
    del context
    is_refused = failure.kind_title == "Schema-valid request rejected"
    return not (is_refused and _is_refusable(case, response))


def _pair(context: HookContext) -> tuple[str, str]:
    """The two parameters of an operation that are in relation."""
    label = context.operation.label if context.operation else ""
    pairs = {INCLUSION: ("index", "size"), CONSISTENCY: ("old", "new")}
    return pairs.get(label, ("", ""))


def _is_refusable(case: Case[Any], response: Said) -> bool:
    """Whether our rules refuse a request that the schema takes."""
    label, query = case.operation.label, _query(response)
    if label == INCLUSION:
        return not int(query["index"]) < int(query["size"]) <= FILLED
    if label == CONSISTENCY:
        return not int(query["old"]) <= int(query["new"]) <= FILLED
    if label not in (ENTRIES, BATCH):
        return eventjudging.is_refusable(label, query, case, _sent(response))
    if "timeout" in query and query.get("wait") != "witnessed":
        return True
    body = _sent(response)
    if label == ENTRIES:
        return not 1 <= len(body) <= MAX_ENTRY
    try:
        return not parse_bundle(body, most=10_000)
    except MalformedError:
        return True


@schemathesis.check
def what_is_answered_verifies(
    ctx: CheckContext, response: Said, case: Case[Any]
) -> None:
    """Hold a good answer against the kernel."""
    del ctx
    label = case.operation.label
    if response.status_code not in (200, 201):
        return
    try:
        if label in _VERIFY:
            _VERIFY[label](response)
        if label in eventjudging.CHECKS:
            eventjudging.CHECKS[label](response, case, _sent(response))
    except (KernelError, KeyError, ValueError) as error:
        raise AssertionError(f"it does not verify: {error}") from error


def _entry(response: Said) -> None:
    body = _sent(response)
    appended = _end(
        append_entry(_address(), body, policy=_policy(), key=_KEY, retry=NO_RETRY),
        response,
    )
    said = response.json()
    _equal(appended.index, said["index"])
    _equal(appended.leaf.hex(), said["leaf_hash"])
    _equal(appended.size, said["size"])
    _equal(appended.status.value, said["status"])
    _equal(appended.status.value == "witnessed", said["witnessed"])


def _batch(response: Said) -> None:
    entries = parse_bundle(_sent(response), most=10_000)
    said = response.json()
    _equal(len(said["results"]), len(entries))
    _equal(said["count"], len([entry for entry in entries if entry]))
    if all(entries):
        appended = _end(
            append_batch(
                _address(), entries, policy=_policy(), key=_KEY, retry=NO_RETRY
            ),
            response,
        )
        _equal(appended.first, said["first_index"])
        _equal(appended.status.value, said["status"])


def _inclusion(response: Said) -> None:
    said = response.json()
    check_inclusion(
        index=said["index"],
        size=said["size"],
        leaf=bytes.fromhex(said["leaf_hash"]),
        path=[b64decode(one) for one in said["path"]],
        root=b64decode(said["root"]),
    )


def _consistency(response: Said) -> None:
    said = response.json()
    check_consistency(
        old=said["old"],
        new=said["new"],
        old_root=b64decode(said["old_root"]),
        new_root=b64decode(said["new_root"]),
        proof=[b64decode(one) for one in said["proof"]],
    )


def _receipt(response: Said) -> None:
    receipt = parse_receipt(response.content)
    index = urlsplit(response.request.url or "").path.rpartition("/")[2]
    judged = judge(receipt.checkpoint, _policy(), origin=os.environ["API_ORIGIN"])
    _equal(str(receipt.index), index)
    (status,) = response.headers["tallystick-status"]
    _equal(status, "witnessed" if judged.is_witnessed else "promised")


def _checkpoint(response: Said) -> None:
    judge(response.content, _policy(), origin=os.environ["API_ORIGIN"])


def _tile(response: Said) -> None:
    path = urlsplit(response.request.url or "").path
    tile = parse_tile_path(path.removeprefix("/t/events/"))
    if tile.is_bundle:
        _equal(len(parse_bundle(response.content)), tile.width)
    else:
        _equal(len(response.content), tile.width * HASH_SIZE)


_VERIFY: Mapping[str, Callable[[Said], None]] = {
    ENTRIES: _entry,
    BATCH: _batch,
    INCLUSION: _inclusion,
    CONSISTENCY: _consistency,
    "GET /v1/logs/{log}/receipts/{index}": _receipt,
    "GET /t/{log}/checkpoint": _checkpoint,
    "GET /t/{log}/tile/{level}/{tile}": _tile,
    "GET /t/{log}/tile/{level}/{tile}.p/{width}": _tile,
    "GET /t/{log}/tile/entries/{tile}": _tile,
    "GET /t/{log}/tile/entries/{tile}.p/{width}": _tile,
}


def _end(exchange: Exchange[Any], response: Said) -> Any:  # noqa: ANN401 -- its result
    """Give an exchange of the kernel the answer that came; it checks it."""
    headers = {name: values[0] for name, values in response.headers.items()}
    next(exchange)
    try:
        exchange.send((Response(response.status_code, headers, response.content),))
    except StopIteration as end:
        return end.value
    raise ValueError("the exchange has not ended")


def _equal(found: object, expected: object) -> None:
    if found != expected:
        raise ValueError(f"found {found!r} and {expected!r}")


def _query(response: Said) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(response.request.url or "").query))


def _sent(response: Said) -> bytes:
    """The body as it was sent."""
    body = response.request.body or b""
    assert isinstance(body, str | bytes)
    return body.encode() if isinstance(body, str) else body


def _address() -> LogAddress:
    return LogAddress(os.environ["API_ORIGIN"], "http://asked", "http://asked")


def _policy() -> Policy:
    return parse_policy(Path(os.environ["API_POLICY"]).read_bytes())
