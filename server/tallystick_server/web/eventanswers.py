"""The bodies of answers to submitted events.

    one event   index, event_id, leaf, leaf_hash, size, received_at, status, witnessed,
                receipt, opening, content?, warnings?
    a batch     size, received_at, status, witnessed, checkpoint, first_index, count,
                proof {left, right}, tenant, service, results [one for each event]

The opening is the submitter's secret (D15): it stands beside the receipt, never in it.
In a batch `tenant` and `service`, which are the same for all, stand once.

Written by hand: they are most of what is sent.  What is put in between quotes is a
number, hex, base64, an id or a name of ours; whatever else goes through the encoder.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.opening import Opening
from tallystick_server.errors import RequestError
from tallystick_server.ingest.results import Refused, Result, Taken
from tallystick_server.log.answers import BatchProof
from tallystick_server.ops.times import format_time
from tallystick_server.web.problems import TYPES, errors_of, printable

ERASED = "erased"
"""What `content` says of a repeat of which something is gone (D14)."""


def one_answer(taken: Taken, *, receipt: bytes, size: int, is_witnessed: bool) -> bytes:
    """Write the answer to one event, whose receipt stands at a head of `size`."""
    status = "witnessed" if is_witnessed else "promised"
    opening, more = "null", ""
    if taken.opening is None:
        more = f',"content":"{ERASED}"'
    else:
        said = taken.opening
        alone = f',"tenant":"{said.tenant}","service":"{said.service}"}}'
        opening = _opening(said)[:-1] + alone
    if taken.warning:
        more += f',"warnings":[{json.dumps(taken.warning)}]'
    return (
        f'{{"index":{taken.index},"event_id":"{taken.event_id}",'
        f'"leaf":"{b64encode(taken.leaf).decode()}",'
        f'"leaf_hash":"{leaf_hash(taken.leaf).hex()}","size":{size},'
        f'"received_at":"{format_time(taken.time_ms)}","status":"{status}",'
        f'"witnessed":{"true" if is_witnessed else "false"},'
        f'"receipt":{json.dumps(receipt.decode())},"opening":{opening}{more}}}'
    ).encode()


def many_answer(
    results: Sequence[Result],
    *,
    proof: BatchProof,
    first: int | None,
    count: int,
    time_ms: int,
    service: str,
    tenant: str,
    is_witnessed: bool,
) -> bytes:
    """Write the answer to a batch: the proof is of its new events, [first, +count)."""
    head = {
        "size": proof.size,
        "received_at": format_time(time_ms),
        "status": "witnessed" if is_witnessed else "promised",
        "witnessed": is_witnessed,
        "checkpoint": proof.note.decode(),
        "first_index": first,
        "count": count,
        "proof": {
            "left": [b64encode(one).decode() for one in proof.left],
            "right": [b64encode(one).decode() for one in proof.right],
        },
        "tenant": tenant,
        "service": service,
    }
    items = ",".join(map(_item, results))
    return f'{json.dumps(head)[:-1]},"results":[{items}]}}'.encode()


def problem_of(error: RequestError) -> dict[str, Any]:
    """Give what a refusal says: status, type, detail, and where."""
    body: dict[str, Any] = {
        "status": error.status,
        "type": TYPES + error.code,
        "detail": printable(error.detail),
    }
    if errors := errors_of(error):
        body["errors"] = errors
    return body


def _item(result: Result) -> str:
    """Write one result of a batch; the common one by hand."""
    if isinstance(result, Refused):
        known = {"event_id": result.event_id} if result.event_id else {}
        return json.dumps({**problem_of(result.error), **known})
    leaf = b64encode(result.leaf).decode()
    opening = "null" if result.opening is None else _opening(result.opening)
    more = ""
    if result.is_repeat:
        more = f',"received_at":"{format_time(result.time_ms)}"'
        if result.is_erased:
            more += f',"content":"{ERASED}"'
    if result.warning:
        more += f',"warnings":[{json.dumps(result.warning)}]'
    return (
        f'{{"status":{200 if result.is_repeat else 201},"index":{result.index},'
        f'"event_id":"{result.event_id}","leaf":"{leaf}","opening":{opening}{more}}}'
    )


def _opening(opening: Opening) -> str:
    """Write an opening, without what stands once in a batch."""
    seeds = '","'.join([seed.hex() for seed in opening.seeds])
    schema, places = "null", "{}"
    if opening.schema is not None:
        version = opening.schema[1]
        schema = f'{{"id":"{opening.schema[0]}","version":{version}}}'
    if opening.places:
        places = json.dumps(dict(opening.places))
    return (
        f'{{"seeds":["{seeds}"],"index_entry":"{opening.index_entry.hex()}",'
        f'"schema":{schema},"places":{places}}}'
    )
