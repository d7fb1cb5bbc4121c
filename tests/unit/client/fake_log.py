"""A log in memory that answers requests, honestly or not; it knows the kernel only."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import cosign, sign_checkpoint
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Reply, Request, Response
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.hashing import leaf_hash, leaf_hashes, pair_up
from tallystick_merkle.keys import KeyType, SigningKey, make_signing_key
from tallystick_merkle.note import format_note
from tallystick_merkle.policy import (
    Policy,
    PolicyGroup,
    PolicyLog,
    PolicyWitness,
)
from tallystick_merkle.proof import Plan, plan_inclusion
from tallystick_merkle.rangeproof import range_shape
from tallystick_merkle.receipt import Receipt, format_receipt
from tallystick_merkle.tile import (
    TILE_WIDTH,
    Tile,
    format_bundle,
    parse_bundle,
    parse_tile_path,
)

ORIGIN = "log.example/fake"
TOKEN = "tally_live_secret"
BASE = "http://log.example"
LOG = LogAddress(ORIGIN, f"{BASE}/v1/logs/fake", f"{BASE}/t/fake", TOKEN)

LOG_KEY = make_signing_key(name=ORIGIN, type=KeyType.ED25519, seed=b"l" * 32)
WITNESSES = (
    make_signing_key(name="w1.example", type=KeyType.COSIGNATURE, seed=b"1" * 32),
    make_signing_key(name="w2.example", type=KeyType.MLDSA44, seed=b"2" * 32),
)
POLICY = Policy(
    (PolicyLog(LOG_KEY.verifier, None),),
    tuple(PolicyWitness(key.name, key.verifier, None) for key in WITNESSES),
    (PolicyGroup("both", 2, tuple(key.name for key in WITNESSES)),),
    "both",
)
ONE_WITNESS = Policy(POLICY.logs, POLICY.witnesses[:1], (), "w1.example")
NO_WITNESS = Policy((PolicyLog(LOG_KEY.verifier, None),), (), (), "none")

JSON = {"content-type": "application/json"}
PROBLEM = {"content-type": "application/problem+json"}


class Tree:
    """All levels of a small tree."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.levels = [leaf_hashes(list(entries))]
        while len(self.levels[-1]) > 1:
            self.levels.append(pair_up(self.levels[-1]))
        self.size = len(entries)
        self.root = grow(EMPTY_EDGE, self.levels[0]).edge.root()

    def proof(self, plan: Plan) -> tuple[bytes, ...]:
        nodes = [self.levels[node.level][node.position] for node in plan.nodes]
        return plan.assemble(nodes)

    def tile(self, tile: Tile) -> bytes | None:
        level = 8 * tile.level
        hashes = self.levels[level] if level < len(self.levels) else []
        part = hashes[tile.first : tile.first + tile.width]
        return b"".join(part) if len(part) == tile.width else None


def sign(
    tree: Tree, witnesses: Sequence[SigningKey] = (), *, time_s: int = 1_700_000_000
) -> bytes:
    """Sign a head of a tree, and have it cosigned."""
    head = Checkpoint(ORIGIN, tree.size, tree.root)
    lines = [cosign(head, key, time_s=time_s) for key in witnesses]
    return format_note(sign_checkpoint(head, LOG_KEY).with_signatures(lines))


@dataclass
class FakeLog:
    """Holds entries and answers; what it serves can be replaced to play foul."""

    entries: list[bytes] = field(default_factory=lambda: [b"genesis"])
    witnesses: tuple[SigningKey, ...] = WITNESSES
    is_gated: bool = False
    """Whether tiles and bundles need the token."""
    is_witnessing: bool = True
    """Whether appends that wait for witnesses get them."""
    keys: dict[str, tuple[bytes, list[int]]] = field(default_factory=dict)
    served: bytes = b""
    """The published checkpoint."""
    heads: list[bytes] = field(default_factory=list)
    """Checkpoints that are served first, one each time."""
    served_entries: list[bytes] | None = None
    """What tiles and bundles are made of, if not of the entries."""
    bundles: Callable[[bytes], bytes] | None = None
    """Changes entry bundles on their way out."""
    script: list[Reply] = field(default_factory=list)
    """Replies that come first, whatever is asked."""
    seen: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.publish()

    def publish(self) -> None:
        """Publish the head of now, cosigned by all witnesses."""
        self.served = sign(Tree(self.entries), self.witnesses)

    def grow(self, count: int) -> None:
        """Take entries from elsewhere."""
        start = len(self.entries)
        self.entries += [b"entry %d" % at for at in range(start, start + count)]

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        self.seen.append(request)
        if self.script:
            return self.script.pop(0)
        url = urlsplit(request.url)
        if url.path == "/t/fake/checkpoint":
            head = self.heads.pop(0) if self.heads else self.served
            return Response(200, {}, head)
        has_token = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        if url.path.startswith("/t/fake/tile/") and (has_token or not self.is_gated):
            return self._tile(parse_tile_path(url.path.removeprefix("/t/fake/")))
        if not has_token:
            return problem(401, "no token of this log")
        witnessed = "wait=witnessed" in url.query and self.is_witnessing
        if url.path == "/v1/logs/fake/entries":
            return self._append(request, witnessed=witnessed)
        if url.path == "/v1/logs/fake/entries:batch":
            return self._batch(request, witnessed=witnessed)
        return problem(404, "not found")

    def _head(self, *, witnessed: bool) -> bytes:
        if witnessed:
            self.publish()
            return self.served
        return sign(Tree(self.entries))

    def _take(self, key: str, body: bytes, entries: list[bytes]) -> list[int] | None:
        """Commit entries under a key; None if the key stands for another body."""
        if key in self.keys:
            before, places = self.keys[key]
            return places if before == body else None
        start = len(self.entries)
        self.entries += entries
        places = list(range(start, start + len(entries)))
        self.keys[key] = (body, places)
        return places

    def _append(self, request: Request, *, witnessed: bool) -> Reply:
        key = request.headers["Idempotency-Key"]
        is_repeat = key in self.keys
        places = self._take(key, request.body, [request.body])
        if places is None:
            return problem(409, "the key was used for another entry")
        tree = Tree(self.entries)
        path = tree.proof(plan_inclusion(index=places[0], size=tree.size))
        receipt = Receipt(places[0], path, self._head(witnessed=witnessed))
        body = {
            "index": places[0],
            "leaf_hash": leaf_hash(request.body).hex(),
            "size": tree.size,
            "receipt": format_receipt(receipt).decode(),
        }
        return Response(200 if is_repeat else 201, JSON, json.dumps(body).encode())

    def _batch(self, request: Request, *, witnessed: bool) -> Reply:
        key = request.headers["Idempotency-Key"]
        is_repeat = key in self.keys
        given = parse_bundle(request.body, most=10_000)
        taken = [entry for entry in given if entry != b"refuse me"]
        places = self._take(key, request.body, taken)
        if places is None:
            return problem(409, "the key was used for another batch")
        free = iter(places)
        results = [
            {"status": 422, "type": "https://x/unprocessable", "detail": "no"}
            if entry == b"refuse me"
            else {"status": 201, "index": next(free), "leaf_hash": ""}
            for entry in given
        ]
        body: dict[str, object] = {
            "results": results,
            "checkpoint": self._head(witnessed=witnessed).decode(),
        }
        if places:
            body["proof"] = self._range(places)
        return Response(200 if is_repeat else 201, JSON, json.dumps(body).encode())

    def _range(self, places: list[int]) -> dict[str, list[str]]:
        tree = Tree(self.entries)
        shape = range_shape(start=places[0], stop=places[-1] + 1, size=tree.size)
        proof = [b64encode(node).decode() for node in tree.proof(shape.plan())]
        cut = len(shape.left)
        return {"left": proof[:cut], "right": proof[cut:]}

    def _tile(self, tile: Tile) -> Reply:
        entries = self.entries if self.served_entries is None else self.served_entries
        if tile.is_bundle:
            part = entries[tile.first : tile.first + min(tile.width, TILE_WIDTH)]
            if len(part) != tile.width:
                return problem(404, "not found")
            data = format_bundle(part)
            return Response(200, {}, self.bundles(data) if self.bundles else data)
        hashes = Tree(entries).tile(tile)
        return problem(404, "gone") if hashes is None else Response(200, {}, hashes)


def problem(status: int, detail: str, **headers: str) -> Response:
    """Answer with a problem document."""
    body = json.dumps({"type": "https://x/p", "detail": detail}).encode()
    return Response(status, {**PROBLEM, **headers}, body)


def rewrite(index: int, entry: bytes) -> Callable[[bytes], bytes]:
    """Change one entry in the first bundle."""

    def change(data: bytes) -> bytes:
        entries = parse_bundle(data)
        entries[index] = entry
        return format_bundle(entries)

    return change


class FakeTransport:
    """Carries requests to a log in memory."""

    def __init__(self, log: FakeLog) -> None:
        self.log = log
        self.is_closed = False

    def perform(self, requests: tuple[Request, ...]) -> tuple[Reply, ...]:
        return tuple(map(self.log.answer, requests))

    def close(self) -> None:
        self.is_closed = True


class AsyncFakeTransport:
    """The same for an event loop."""

    def __init__(self, log: FakeLog) -> None:
        self.log = log
        self.is_closed = False

    async def perform(self, requests: tuple[Request, ...]) -> tuple[Reply, ...]:
        return tuple(map(self.log.answer, requests))

    async def close(self) -> None:
        self.is_closed = True
