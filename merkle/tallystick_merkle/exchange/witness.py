"""Ask one witness to cosign a checkpoint, and ask what it has seen.

The log begins with the size it remembers for the witness (0 if none), reads the right
one from a 409, and tries again (c2sp.org/tlog-witness).  A 409 without a size, and a
422, say that the witness holds another history or refuses ours: the caller decides
what that means, from the Conflict it is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tallystick_merkle.errors import ExchangeError
from tallystick_merkle.exchange.base import (
    Exchange,
    Request,
    Retry,
    ask,
    persist,
    require,
)
from tallystick_merkle.note import MAX_NOTE, Signature
from tallystick_merkle.witnessing import (
    MAX_RESPONSE,
    SIZE_TYPE,
    AddCheckpoint,
    format_add_checkpoint,
    origin_hash,
    parse_cosignatures,
    parse_size,
)

MAX_TRIES = 3
"""Requests to one witness for one checkpoint."""

_CONFLICT = 409

Prove = Callable[[int], tuple[bytes, ...]]
"""Give the consistency proof from an old size (over 0) to the checkpoint's size."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The witness's signature lines (not yet verified)."""

    lines: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """The witness says it has cosigned another size, or gave none (None).

    A size above our own is a hint, not a proof, that we lost data or forked (D7).
    """

    size: int | None


def ask_witness(
    url: str,
    *,
    checkpoint: bytes,
    size: int,
    old: int,
    prove: Prove,
    timeout_s: float = 5.0,
) -> Exchange[Cosigned | Conflict]:
    """Submit a checkpoint of `size` below the submission prefix `url`.

    `old` is the size the witness is believed to have cosigned last; a memory of more
    than `size` is put to the witness as `size`, so that it tells the truth itself.
    Raises RefusedError for any other status than 200 and 409, UnreachableError for
    none, MalformedError for an answer not in the grammar, and ExchangeError when the
    witness's size keeps changing.
    """
    old = min(old, size)
    for _ in range(MAX_TRIES):
        proof = prove(old) if 0 < old < size else ()
        body = format_add_checkpoint(AddCheckpoint(old, proof, checkpoint))
        request = Request(
            "POST",
            f"{url.rstrip('/')}/add-checkpoint",
            body,
            {"Content-Type": "text/plain; charset=utf-8"},
            limit=MAX_RESPONSE,
            timeout_s=timeout_s,
        )
        response = yield from ask(request)
        if response.status != _CONFLICT:
            return Cosigned(parse_cosignatures(require(response, 200).body))
        kind = response.headers.get("content-type", "").partition(";")[0]
        if kind.strip().lower() != SIZE_TYPE:
            return Conflict(None)
        seen = parse_size(response.body)
        if seen > size:
            return Conflict(seen)
        old = seen
    raise ExchangeError(f"{url}: the witness's size kept changing")


def read_witness_head(
    url: str, origin: str, *, retry: Retry | None = None
) -> Exchange[bytes | None]:
    """Read the latest checkpoint a witness cosigned for `origin`; None for never.

    `url` is the witness's monitoring prefix.
    """
    request = Request(
        "GET",
        f"{url.rstrip('/')}/{origin_hash(origin)}/checkpoint",
        limit=MAX_NOTE,
        timeout_s=5.0,
    )
    response = yield from persist(request, retry or Retry(attempts=2))
    if response.status == 404:
        return None
    return require(response, 200).body
