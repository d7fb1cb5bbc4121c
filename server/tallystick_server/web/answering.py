"""The bodies of append answers, written by hand: they are most of what is sent.

    one entry   index, leaf_hash, size, received_at, status, witnessed, receipt
    a batch     size, received_at, status, witnessed, checkpoint, first_index,
                count, proof {left, right}, results [one for each entry that came]

Every value is a number, hex, base64 or a time of our own writing; only receipts and
checkpoints, which hold the origin, go through the JSON encoder.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence

from tallystick_server.log.answers import BatchProof
from tallystick_server.log.commit import Placed
from tallystick_server.ops.times import format_time
from tallystick_server.web.problems import TYPES

_EMPTY = json.dumps(
    {
        "status": 422,
        "type": TYPES + "unprocessable",
        "detail": "an entry has 1 to 65535 bytes",
    }
)


def entry_answer(
    placed: Placed, *, leaf: bytes, receipt: bytes, size: int, is_witnessed: bool
) -> bytes:
    """Write the answer to one entry, whose receipt stands at a head of `size`."""
    return (
        f'{{"index":{placed.first},"leaf_hash":"{leaf.hex()}",'
        f"{_standing(placed.time_ms, size, is_witnessed)},"
        f'"receipt":{_text(receipt)}}}'
    ).encode()


def batch_answer(
    placed: Placed | None,
    *,
    entries: Sequence[bytes],
    leaves: Sequence[bytes],
    proof: BatchProof,
    time_ms: int,
    is_witnessed: bool,
) -> bytes:
    """Write the answer to a batch; an empty entry of it was refused.

    `leaves` are the leaf hashes of the entries that were taken, in order; `placed` is
    None when none was.
    """
    first = "null" if placed is None else str(placed.first)
    start = 0 if placed is None else placed.first
    return (
        f"{{{_standing(time_ms, proof.size, is_witnessed)},"
        f'"checkpoint":{_text(proof.note)},'
        f'"first_index":{first},"count":{len(leaves)},'
        f'"proof":{{"left":{_hashes(proof.left)},"right":{_hashes(proof.right)}}},'
        f'"results":[{",".join(_results(entries, leaves, start))}]}}'
    ).encode()


def _standing(time_ms: int, size: int, is_witnessed: bool) -> str:
    """The members that say at which head the answer stands."""
    status = "witnessed" if is_witnessed else "promised"
    return (
        f'"size":{size},"received_at":"{format_time(time_ms)}",'
        f'"status":"{status}","witnessed":{"true" if is_witnessed else "false"}'
    )


def _results(
    entries: Sequence[bytes], leaves: Sequence[bytes], start: int
) -> Iterable[str]:
    """One result for each entry that came."""
    taken = enumerate(leaves, start)
    for entry in entries:
        if entry:
            index, leaf = next(taken)
            yield f'{{"status":201,"index":{index},"leaf_hash":"{leaf.hex()}"}}'
        else:
            yield _EMPTY


def _hashes(hashes: Iterable[bytes]) -> str:
    return "[" + ",".join(f'"{b64encode(one).decode()}"' for one in hashes) + "]"


def _text(data: bytes) -> str:
    return json.dumps(data.decode())
