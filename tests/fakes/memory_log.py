"""A log in memory that answers requests like a server, from real kernel code.

    log = MemoryLog(key=..., witnesses=[...])
    log.append([b"one", b"two"])
    log.publish()
    result = drive(exchange, log.answer)        # tests.fakes.driving

It serves the log's tiles and the append API.  `gone` holds paths that answer 404,
`replaced` paths (as in "tile/0/000.p/5") with other bytes or a whole other reply, and
`script` replies that are given first, whatever is asked.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import cosign, sign_checkpoint
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Reply, Request, Response
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.hashing import HASH_SIZE, leaf_hash
from tallystick_merkle.keys import SigningKey
from tallystick_merkle.note import format_note
from tallystick_merkle.proof import Plan, plan_inclusion
from tallystick_merkle.rangeproof import range_shape
from tallystick_merkle.receipt import Receipt, format_receipt
from tallystick_merkle.tile import (
    Tile,
    format_bundle,
    parse_bundle,
    parse_tile_path,
    tile_width,
)

BASE = "https://log.example"
NAME = "audit"
TOKEN = "token-of-the-fake"
TIME_S = 1_700_000_000
PROBLEM = "https://tallystick.dev/problems/"


class MemoryLog:
    """A log whose whole state is a list of entries and a published note."""

    def __init__(
        self,
        *,
        key: SigningKey,
        witnesses: Sequence[SigningKey] = (),
        entries: Iterable[bytes] = (),
    ) -> None:
        self.key = key
        self.witnesses = tuple(witnesses)
        self.published = b""
        self.gone: set[str] = set()
        self.replaced: dict[str, bytes | Reply] = {}
        self.script: list[Reply] = []
        self.requests: list[Request] = []
        self.entries: list[bytes] = []
        self._edge = EMPTY_EDGE
        self._rows: dict[tuple[int, int], bytes] = {}
        self._roots = {0: EMPTY_EDGE.root()}
        self._keys: dict[str, tuple[bytes, list[int | None]]] = {}
        self.append(entries)

    @property
    def size(self) -> int:
        """Leaves in the tree, published or not."""
        return self._edge.size

    @property
    def address(self) -> LogAddress:
        """Where and how a client reaches this log."""
        return LogAddress(
            self.key.name, f"{BASE}/v1/logs/{NAME}", f"{BASE}/t/{NAME}", TOKEN
        )

    def append(self, entries: Iterable[bytes]) -> None:
        """Put entries into the tree, one head each."""
        for entry in entries:
            growth = grow(self._edge, [leaf_hash(entry)])
            self._edge = growth.edge
            self._rows.update(
                {(row.level, row.block): row.hashes for row in growth.rows}
            )
            self._roots[growth.edge.size] = growth.root
            self.entries.append(entry)

    def fork(self, size: int) -> MemoryLog:
        """Give another log of the same keys that shares the first `size` entries."""
        return MemoryLog(
            key=self.key, witnesses=self.witnesses, entries=self.entries[:size]
        )

    def head(self, size: int | None = None) -> Checkpoint:
        """Give the head at a size, by default the newest."""
        size = self.size if size is None else size
        return Checkpoint(self.key.name, size, self._roots[size])

    def promised(self, size: int | None = None) -> bytes:
        """Give a head signed by the log alone."""
        return format_note(sign_checkpoint(self.head(size), self.key))

    def witnessed(self, size: int | None = None) -> bytes:
        """Give a head cosigned by all witnesses."""
        head = self.head(size)
        lines = [cosign(head, witness, time_s=TIME_S) for witness in self.witnesses]
        return format_note(sign_checkpoint(head, self.key).with_signatures(lines))

    def publish(self, size: int | None = None) -> bytes:
        """Serve a cosigned head at /checkpoint from now on."""
        self.published = self.witnessed(size)
        return self.published

    def hashes(self, plan: Plan) -> tuple[bytes, ...]:
        """Make a planned proof from the stored nodes."""
        return plan.assemble(
            [
                self._rows[node.level, node.position >> 8][
                    (node.position & 255) * HASH_SIZE :
                ][:HASH_SIZE]
                for node in plan.nodes
            ]
        )

    def receipt(self, index: int, note: bytes, size: int) -> Receipt:
        """Give the receipt of an entry at a head of `size` leaves."""
        return Receipt(index, self.hashes(plan_inclusion(index=index, size=size)), note)

    def answer(self, request: Request) -> Reply:
        """Answer one request as the server would."""
        self.requests.append(request)
        if self.script:
            return self.script.pop(0)
        url = urlsplit(request.url)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        place, _, rest = url.path.partition(f"/{NAME}")
        rest = rest.removeprefix("/")
        if f"{url.scheme}://{url.netloc}" != BASE or rest in self.gone:
            return problem(404, "not-found", "nothing here")
        if place == "/t" and request.method == "GET":
            return self._read(rest)
        if place == "/v1/logs" and request.method == "POST":
            return self._write(rest, request, query.get("wait", "durable"))
        if place == "/v1/logs" and rest.startswith("receipts/"):
            return self._receipt(rest.removeprefix("receipts/"))
        return problem(404, "not-found", "nothing here")

    def _read(self, path: str) -> Reply:
        if path in self.replaced:
            other = self.replaced[path]
            return ok(other) if isinstance(other, bytes) else other
        if path == "checkpoint" and self.published:
            return ok(self.published, "text/plain; charset=utf-8")
        try:
            data = self.resource(parse_tile_path(path))
        except MalformedError:
            data = b""
        return ok(data) if data else problem(404, "not-found", "nothing here")

    def resource(self, tile: Tile) -> bytes:
        """Give the bytes of a tile or bundle, or nothing where the tree is smaller."""
        if tile.width > tile_width(tile.level, tile.index, self.size):
            return b""
        if tile.is_bundle:
            return format_bundle(self.entries[tile.first : tile.first + tile.width])
        row = self._rows[8 * tile.level, tile.index]
        return row[: tile.width * HASH_SIZE]

    def _write(self, path: str, request: Request, wait: str) -> Reply:
        key = request.headers.get("Idempotency-Key", "")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return problem(401, "unauthenticated", "a token is needed")
        if not key:
            return problem(400, "no-key", "an Idempotency-Key is needed")
        is_batch = path == "entries:batch"
        bodies = parse_bundle(request.body, most=10_000) if is_batch else [request.body]
        if key in self._keys and self._keys[key][0] != request.body:
            return problem(409, "key-reused", "the key was used for another body")
        is_fresh = key not in self._keys
        if is_fresh:
            self._keys[key] = (request.body, self._take(bodies))
        note = self.publish() if wait == "witnessed" else self.promised()
        body = self._batch if is_batch else self._single
        value = body(bodies, self._keys[key][1], note)
        status = "witnessed" if wait == "witnessed" and self.witnesses else "promised"
        value |= {
            "size": self.size,
            "received_at": "2023-11-14T22:13:20.000Z",
            "status": status,
            "witnessed": status == "witnessed",
        }
        return Response(
            201 if is_fresh else 200,
            {"content-type": "application/json"},
            json.dumps(value).encode(),
        )

    def _take(self, bodies: list[bytes]) -> list[int | None]:
        """Append those that are not empty; give each its index, or None."""
        indexes: list[int | None] = []
        for body in bodies:
            indexes.append(self.size if body else None)
            self.append([body] if body else [])
        return indexes

    def _single(
        self, bodies: list[bytes], indexes: list[int | None], note: bytes
    ) -> dict[str, object]:
        (index,) = indexes
        assert index is not None
        return {
            "index": index,
            "leaf_hash": leaf_hash(bodies[0]).hex(),
            "receipt": format_receipt(self.receipt(index, note, self.size)).decode(),
        }

    def _batch(
        self, bodies: list[bytes], indexes: list[int | None], note: bytes
    ) -> dict[str, object]:
        taken = [index for index in indexes if index is not None]
        left: list[str] = []
        right: list[str] = []
        if taken:
            shape = range_shape(start=taken[0], stop=taken[-1] + 1, size=self.size)
            hashes = [b64encode(value).decode() for value in self.hashes(shape.plan())]
            left, right = hashes[: len(shape.left)], hashes[len(shape.left) :]
        refused = {"status": 422, "type": f"{PROBLEM}empty-entry", "detail": "empty"}
        return {
            "checkpoint": note.decode(),
            "first_index": taken[0] if taken else None,
            "count": len(taken),
            "proof": {"left": left, "right": right},
            "results": [
                refused
                if index is None
                else {"status": 201, "index": index, "leaf_hash": leaf_hash(body).hex()}
                for body, index in zip(bodies, indexes, strict=True)
            ],
        }

    def _receipt(self, text: str) -> Reply:
        index = int(text) if text.isascii() and text.isdigit() else self.size
        if index >= self.size:
            return problem(404, "not-found", "nothing here")
        data = format_receipt(self.receipt(index, self.witnessed(), self.size))
        status = "witnessed" if self.witnesses else "promised"
        return ok(data, "text/plain", {"tallystick-status": status})


def ok(
    body: bytes,
    kind: str = "application/octet-stream",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Give a 200 with a body."""
    return Response(200, {"content-type": kind, **(headers or {})}, body)


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Give a problem document."""
    value = {"type": PROBLEM + code, "title": code, "status": status, "detail": detail}
    return Response(
        status,
        {"content-type": "application/problem+json", **(headers or {})},
        json.dumps(value).encode(),
    )
