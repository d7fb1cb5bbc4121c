"""Append entries to a Tallystick log, and believe only receipts that were checked.

    POST <api>/entries          one entry, application/octet-stream
    POST <api>/entries:batch    u16be length || entry, repeated

Every request carries an Idempotency-Key, so it may be repeated until it is answered:
an entry is committed once (decision D5).  A batch is answered with one checkpoint and
one range proof; the receipt of each entry is derived from them here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tallystick_merkle.errors import MalformedError, RefusedError
from tallystick_merkle.exchange.answers import (
    authorization,
    hashes_of,
    number_of,
    octets_of,
    read_object,
    text_of,
)
from tallystick_merkle.exchange.base import (
    Exchange,
    Request,
    Retry,
    clean_text,
    persist,
    require,
)
from tallystick_merkle.hashing import leaf_hash, leaf_hashes
from tallystick_merkle.note import MAX_NOTE
from tallystick_merkle.policy import Policy, judge
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.receipt import (
    MAX_RECEIPT,
    Receipt,
    Status,
    check_receipt,
    parse_receipt,
)
from tallystick_merkle.tile import MAX_ENTRY, format_bundle

MAX_BATCH = 10_000
"""Most entries in one batch."""

MAX_BATCH_BYTES = 8 * 1024 * 1024
"""Longest batch body in bytes, length prefixes included."""

MAX_KEY = 128
"""Longest Idempotency-Key: 1 to 128 printable ASCII characters without spaces."""

WAITS = ("durable", "witnessed")
"""What an append may wait for."""

_ITEM_BYTES = 512
_WAIT_SHARE = 0.8
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogAddress:
    """A log's origin, its API (`…/v1/logs/NAME`), its tiles (`…/t/NAME`), a token.

    The token is for the host of the API.
    """

    origin: str
    api_url: str
    read_url: str
    token: str = field(default="", repr=False)

    @property
    def read_token(self) -> str:
        """The token as far as it may be shown to whoever serves the tiles.

        Empty where that is another host or scheme than the API's, a mirror for one: a
        token is for its log's server alone.
        """
        return self.token if _place(self.api_url) == _place(self.read_url) else ""


@dataclass(frozen=True, slots=True)
class Appended:
    """One entry in the log: its receipt, checked, and what it proves.

    `is_repeat` says that the idempotency key had been used for this entry before.
    """

    index: int
    leaf: bytes
    receipt: Receipt
    status: Status
    size: int
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry of a batch that the log did not take: its status, code and reason."""

    status: int
    code: str
    detail: str


class AppendedBatch:
    """A batch in the log: one checked range proof, from which receipts are derived."""

    def __init__(
        self,
        *,
        leaves: Sequence[bytes],
        first: int,
        places: Mapping[int, int],
        refusals: Mapping[int, Refusal],
        tree: RangeTree | None,
        checkpoint: bytes,
        status: Status,
        is_repeat: bool,
    ) -> None:
        """Hold the checked parts; `places` maps positions in the batch to indexes."""
        self.leaves = tuple(leaves)
        self.first = first
        self.refusals = dict(refusals)
        self.checkpoint = checkpoint
        self.status = status
        self.is_repeat = is_repeat
        self._places = dict(places)
        self._tree = tree

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions in the batch that the log took, ascending."""
        return tuple(self._places)

    def index(self, position: int) -> int:
        """Log index of the entry at a position; RefusedError if it was not taken."""
        if position in self.refusals:
            refusal = self.refusals[position]
            raise RefusedError(refusal.status, refusal.detail, code=refusal.code)
        return self._places[position]

    def receipt(self, position: int) -> Receipt:
        """Receipt of the entry at a position; RefusedError if it was not taken."""
        index = self.index(position)
        assert self._tree is not None  # some entry was taken, so there is a proof
        return Receipt(index, self._tree.inclusion_path(index), self.checkpoint)


def _place(url: str) -> tuple[str, str]:
    """Scheme, host and port of a URL, as far as they are spelt alike."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def append_entry(
    log: LogAddress,
    entry: bytes,
    *,
    policy: Policy,
    key: str,
    wait: str = "durable",
    timeout_s: float = 30.0,
    retry: Retry | None = None,
) -> Exchange[Appended]:
    """Append one entry of 1 to 65,535 bytes; return it with its checked receipt.

    `wait` is "durable" or "witnessed"; a witnessed wait that runs out gives a promised
    receipt, which is no error (D4): the log is asked to answer in four fifths of
    `timeout_s`, if it would wait longer.  Raises MalformedError, RefusedError,
    UnreachableError, and whatever `check_receipt` raises: then the log answered with
    something that does not prove what it says.
    """
    _check_entry(entry, 0)
    request = _post(log, "/entries", entry, key, wait, timeout_s, 2 * MAX_RECEIPT)
    response = require((yield from persist(request, retry or Retry())), 200, 201)
    body = read_object(response.body)
    leaf = leaf_hash(entry)
    receipt = parse_receipt(octets_of(body, "receipt"))
    verdict = check_receipt(receipt, leaf=leaf, policy=policy, origin=log.origin)
    if receipt.index != number_of(body, "index"):
        raise MalformedError("append answer", "index and receipt disagree")
    return Appended(
        receipt.index,
        leaf,
        receipt,
        verdict.status,
        verdict.judged.opened.checkpoint.size,
        response.status == 200,
    )


def append_batch(
    log: LogAddress,
    entries: Sequence[bytes],
    *,
    policy: Policy,
    key: str,
    wait: str = "durable",
    timeout_s: float = 60.0,
    retry: Retry | None = None,
) -> Exchange[AppendedBatch]:
    """Append 1 to 10,000 entries under one idempotency key, in order.

    All entries the log takes are neighbours in it.  Raises as `append_entry` does.
    """
    body = encode_batch(entries)
    limit = MAX_NOTE + 64 * 1024 + _ITEM_BYTES * len(entries)
    request = _post(log, "/entries:batch", body, key, wait, timeout_s, limit)
    response = require((yield from persist(request, retry or Retry())), 200, 201)
    return _open_batch(
        log, entries, policy, response.status, read_object(response.body)
    )


def encode_batch(entries: Sequence[bytes]) -> bytes:
    """Frame a batch; raise MalformedError for one the log would refuse whole."""
    if not 1 <= len(entries) <= MAX_BATCH:
        raise MalformedError("batch", f"{len(entries)} entries, expected 1 to 10000")
    for position, entry in enumerate(entries):
        _check_entry(entry, position)
    body = format_bundle(list(entries))
    if len(body) > MAX_BATCH_BYTES:
        raise MalformedError("batch", f"{len(body)} bytes, at most {MAX_BATCH_BYTES}")
    return body


def _post(
    log: LogAddress,
    path: str,
    body: bytes,
    key: str,
    wait: str,
    timeout_s: float,
    limit: int,
) -> Request:
    """Build an append request; raise MalformedError for a key, token or wait amiss."""
    if len(key) > MAX_KEY or not _VISIBLE.fullmatch(key):
        raise MalformedError(
            "idempotency key", f"expected 1 to {MAX_KEY} visible ASCII characters"
        )
    headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": key}
    return writing_request(
        log, path, body, headers, wait=wait, timeout_s=timeout_s, limit=limit
    )


def writing_request(
    log: LogAddress,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    wait: str,
    timeout_s: float,
    limit: int,
) -> Request:
    """Build a request that writes; raise MalformedError for a token or wait amiss."""
    headers = {**headers, **authorization(log.token)}
    if wait not in WAITS:
        raise MalformedError("wait", f"expected one of {WAITS}, found {wait!r}")
    url = f"{log.api_url}{path}?wait={wait}"
    if wait == "witnessed":  # the answer has to come before the request is given up
        url += f"&timeout={max(1, int(timeout_s * _WAIT_SHARE))}"
    return Request("POST", url, body, headers, limit=limit, timeout_s=timeout_s)


def _open_batch(
    log: LogAddress,
    entries: Sequence[bytes],
    policy: Policy,
    status: int,
    body: dict[str, object],
) -> AppendedBatch:
    """Check the answer to a batch whole."""
    leaves = leaf_hashes(list(entries))
    places, refusals = _read_results(body, leaves)
    checkpoint = octets_of(body, "checkpoint")
    judged = judge(checkpoint, policy, origin=log.origin)
    head = judged.opened.checkpoint
    taken = list(places.values())
    tree = None
    if taken:
        if taken != list(range(taken[0], taken[0] + len(taken))):
            raise MalformedError("batch answer", "the indexes are not neighbours")
        proof = body.get("proof")
        proof = proof if isinstance(proof, dict) else {}
        tree = RangeTree(
            range_shape(start=taken[0], stop=taken[-1] + 1, size=head.size),
            leaves=[leaves[position] for position in places],
            left=hashes_of(proof, "left"),
            right=hashes_of(proof, "right"),
            root=head.root,
        )
    return AppendedBatch(
        leaves=leaves,
        first=taken[0] if taken else -1,
        places=places,
        refusals=refusals,
        tree=tree,
        checkpoint=checkpoint,
        status=Status.WITNESSED if judged.is_witnessed else Status.PROMISED,
        is_repeat=status == 200,
    )


def _read_results(
    body: dict[str, object], leaves: Sequence[bytes]
) -> tuple[dict[int, int], dict[int, Refusal]]:
    """Read the per-entry results: positions taken, and positions refused."""
    results = body.get("results")
    if not isinstance(results, list) or len(results) != len(leaves):
        raise MalformedError("batch answer", f"expected {len(leaves)} results")
    places: dict[int, int] = {}
    refusals: dict[int, Refusal] = {}
    for position, item in enumerate(results):
        if not isinstance(item, dict):
            raise MalformedError("batch answer", f"result {position} is no object")
        if "index" in item:
            places[position] = number_of(item, "index")
        else:
            refusals[position] = Refusal(
                number_of(item, "status"),
                clean_text(text_of(item, "type")),
                clean_text(text_of(item, "detail")),
            )
    return places, refusals


def _check_entry(entry: bytes, position: int) -> None:
    if not 1 <= len(entry) <= MAX_ENTRY:
        raise MalformedError(
            "entry",
            f"{len(entry)} bytes, expected 1 to {MAX_ENTRY}",
            where=f"entry {position}",
        )
