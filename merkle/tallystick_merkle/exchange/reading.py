"""Read a tlog-tiles log: its checkpoint, tiles, bundles, and proofs made from tiles.

Nothing here asks the log for a proof: proofs are made from tiles, so they work
against any log of the family, and against a head that was promised but never
published.  A partial tile that is gone is cut from its full one (c2sp.org/tlog-tiles).

A token goes with requests for tiles and bundles, for a log that is not for everybody;
never with that for the checkpoint, which is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from tallystick_merkle.errors import (
    InconsistentError,
    MalformedError,
    OriginError,
    ProofError,
    TreeMismatchError,
)
from tallystick_merkle.exchange.base import (
    Exchange,
    Request,
    Response,
    Retry,
    persist,
    persist_all,
    require,
)
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.note import MAX_NOTE
from tallystick_merkle.policy import Judged
from tallystick_merkle.proof import (
    Plan,
    check_consistency,
    plan_consistency,
    plan_inclusion,
    plan_root,
)
from tallystick_merkle.tile import (
    MAX_BUNDLE,
    TILE_WIDTH,
    Tile,
    format_tile_path,
    parse_bundle,
)
from tallystick_merkle.tilewalk import nodes_from, tiles_for

_WINDOW = 16
_OK = 200
_GONE = 404


class TileReader:
    """Reads tiles below one prefix and keeps the hash tiles it has read.

    `prefix` is the log's read URL without a trailing slash.  One reader serves one
    tree size at a time: tiles are asked for in the widths that size implies.
    """

    def __init__(
        self, prefix: str, *, token: str = "", retry: Retry | None = None
    ) -> None:
        """Start with no tile read; `retry` holds for every step of reading.

        `token` is shown to whoever serves `prefix`; empty for none.
        """
        self._prefix = prefix.rstrip("/")
        self._headers = {"Accept-Encoding": "gzip, identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._retry = retry or Retry(attempts=3)
        self._tiles: dict[tuple[int, int], bytes] = {}

    def checkpoint(self) -> Exchange[bytes]:
        """Fetch the checkpoint: a signed note, not yet believed."""
        request = Request(
            "GET", f"{self._prefix}/checkpoint", limit=MAX_NOTE, timeout_s=10.0
        )
        response = yield from persist(request, self._retry)
        return require(response, _OK).body

    def raw(self, tiles: Sequence[Tile]) -> Exchange[list[bytes]]:
        """Fetch tiles and bundles, in order, each cut to exactly its width.

        Raises TreeMismatchError when one is missing, too short or not whole.
        """
        found: list[bytes] = []
        for at in range(0, len(tiles), _WINDOW):
            window = tiles[at : at + _WINDOW]
            responses = yield from self._ask(window)
            is_gone = [
                response.status == _GONE and not tile.is_full
                for tile, response in zip(window, responses, strict=True)
            ]
            fulls = yield from self._ask(
                [Tile(tile.level, tile.index) for tile in compress(window, is_gone)]
            )
            spare = iter(fulls)
            for tile, response, gone in zip(window, responses, is_gone, strict=True):
                found.append(_cut(tile, next(spare) if gone else response))
        return found

    def entries(self, tiles: Sequence[Tile]) -> Exchange[list[list[bytes]]]:
        """Fetch bundles and split them into entries; each has exactly its width."""
        bundles = yield from self.raw(tiles)
        return [parse_bundle(bundle) for bundle in bundles]

    def proof(self, plan: Plan, size: int) -> Exchange[tuple[bytes, ...]]:
        """Make a planned proof from the tiles of the tree of `size`."""
        wanted = tiles_for(plan.nodes, size)
        missing = [tile for tile in wanted if not self._holds(tile)]
        fetched = yield from self.raw(missing)
        for tile, data in zip(missing, fetched, strict=True):
            self._tiles[tile.level, tile.index] = data
        return plan.assemble(nodes_from(plan.nodes, self._tiles))

    def inclusion(self, *, index: int, size: int) -> Exchange[tuple[bytes, ...]]:
        """Make the inclusion path of a leaf; it is not yet checked."""
        return (yield from self.proof(plan_inclusion(index=index, size=size), size))

    def forget(self) -> None:
        """Drop the tiles read so far: they led nowhere, and may be whole next time."""
        self._tiles.clear()

    def _ask(self, tiles: Sequence[Tile]) -> Exchange[tuple[Response, ...]]:
        return persist_all(tuple(map(self._request, tiles)), self._retry)

    def _request(self, tile: Tile) -> Request:
        limit = MAX_BUNDLE if tile.is_bundle else TILE_WIDTH * HASH_SIZE
        return Request(
            "GET",
            f"{self._prefix}/{format_tile_path(tile)}",
            headers=self._headers,
            limit=limit,
        )

    def _holds(self, tile: Tile) -> bool:
        held = self._tiles.get((tile.level, tile.index), b"")
        return len(held) >= tile.width * HASH_SIZE


def check_extends(
    reader: TileReader, *, old: Judged, new: Judged
) -> Exchange[tuple[bytes, ...]]:
    """Check that checkpoint `new` extends `old`, by tiles; return the proof.

    Requires one origin and 0 < old size <= new size (ProofError otherwise).  Raises
    InconsistentError with both notes when the tree under the new root has another
    prefix than the old root (a fork, proven), and TreeMismatchError when the served
    tiles do not lead to the new root, which proves nothing but that the log does not
    serve what it signed.
    """
    first, second = old.opened.checkpoint, new.opened.checkpoint
    if first.origin != second.origin:
        raise OriginError(expected=first.origin, found=second.origin)
    if not 0 < first.size <= second.size:
        raise ProofError(
            f"a head of size {second.size} cannot extend one of size {first.size}"
        )
    served = second.root
    proof: tuple[bytes, ...] = ()
    if first.size != second.size:
        served, proof = yield from _proven_prefix(
            reader, first.size, second.size, second.root
        )
    if served != first.root:
        raise InconsistentError(
            f"fork of {first.origin!r}: size {first.size} was signed with root "
            f"{first.root.hex()}, but the head of size {second.size} has "
            f"{served.hex()} there",
            first=old.opened.raw,
            second=new.opened.raw,
        )
    return proof


def _proven_prefix(
    reader: TileReader, old: int, new: int, new_root: bytes
) -> Exchange[tuple[bytes, tuple[bytes, ...]]]:
    """Find the root at size `old` of the tree under `new_root`, with its proof."""
    (served,) = yield from reader.proof(plan_root(old), new)
    proof = yield from reader.proof(plan_consistency(old=old, new=new), new)
    try:
        check_consistency(
            old=old, new=new, old_root=served, new_root=new_root, proof=proof
        )
    except ProofError as error:
        reader.forget()
        raise TreeMismatchError(
            f"the tiles served for size {new} do not lead to its signed root"
        ) from error
    return served, proof


def _cut(tile: Tile, response: Response) -> bytes:
    """Cut an answer to the width of the tile; raise when it has less."""
    path = format_tile_path(tile)
    if response.status == _GONE:
        raise TreeMismatchError(f"the log does not serve {path}", index=_leaf(tile))
    data = require(response, _OK).body
    if tile.is_bundle:
        entries = _parse_served(data, tile)[: tile.width]
        data = data[: sum(len(entry) + 2 for entry in entries)]
        width = len(entries)
    else:
        data = data[: tile.width * HASH_SIZE]
        width = len(data) // HASH_SIZE
    if width != tile.width:
        raise TreeMismatchError(
            f"{path} has {width} items, expected {tile.width}", index=_leaf(tile)
        )
    return data


def _parse_served(data: bytes, tile: Tile) -> list[bytes]:
    """Split a served bundle into entries."""
    try:
        return parse_bundle(data)
    except MalformedError as error:
        raise TreeMismatchError(
            f"{format_tile_path(tile)} is not a bundle: {error}", index=_leaf(tile)
        ) from error


def _leaf(tile: Tile) -> int:
    """First leaf below a tile."""
    return tile.first << (0 if tile.is_bundle else 8 * tile.level)
