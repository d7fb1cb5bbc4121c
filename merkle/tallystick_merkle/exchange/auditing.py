"""Follow a log from its tiles and re-hash all of it, in steps that can be resumed.

One round takes an Edge from where it stands to the served head: it fetches every
bundle and tile in between, compares each with what the entries hash to, and ends with
the signed root.  After each window the edge so far is reported, so that a caller can
keep it and go on from there after a stop.  That the head extends the one believed
before is `trusting.read_head`'s business, which keeps both notes as evidence.
"""

from __future__ import annotations

from collections.abc import Callable

from tallystick_merkle.audit import check_root, check_tile, edge_tiles, take_entries
from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.exchange.base import Exchange
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.frontier import Edge
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.policy import Judged
from tallystick_merkle.tile import TILE_WIDTH, Tile, bundles_of

WINDOW = 8
"""Bundles fetched in one step."""

Report = Callable[[Edge], None]
"""Told of the edge after each window."""


def audit_to(
    reader: TileReader,
    edge: Edge,
    *,
    head: Judged,
    report: Report,
) -> Exchange[Edge]:
    """Audit a log up to `head`; return the edge from which to go on next time.

    Requires head size >= edge size.  Raises TreeMismatchError, naming the leaf where
    it can, when bytes and roots disagree.
    """
    checkpoint = head.opened.checkpoint
    if checkpoint.size < edge.size:
        raise TreeMismatchError(
            f"the head of size {checkpoint.size} is behind the {edge.size} leaves "
            "that were audited"
        )
    while edge.size < checkpoint.size:
        stop = (edge.size // TILE_WIDTH + WINDOW) * TILE_WIDTH
        edge = yield from _take_window(
            reader, edge, min(stop, checkpoint.size), checkpoint.size
        )
        report(edge)
    yield from _check_tiles(reader, edge_tiles(edge))
    check_root(edge, checkpoint)
    return edge


def _take_window(
    reader: TileReader, edge: Edge, stop: int, size: int
) -> Exchange[Edge]:
    """Take in the leaves from where the audit stands to `stop`."""
    bundles = bundles_of(edge.size, stop, size)
    hashes = [Tile(0, bundle.index, bundle.width) for bundle in bundles]
    fetched = yield from reader.raw(hashes)
    entries = yield from reader.entries(bundles)
    finished: list[tuple[Tile, bytes]] = []
    for bundle, served, held in zip(bundles, fetched, entries, strict=True):
        skip = edge.size - bundle.first
        step = take_entries(edge, held[skip:], served[skip * HASH_SIZE :])
        edge = step.edge
        finished += step.tiles
    yield from _check_tiles(reader, tuple(finished))
    return edge


def _check_tiles(
    reader: TileReader, tiles: tuple[tuple[Tile, bytes], ...]
) -> Exchange[None]:
    """Fetch upper tiles and compare them with those we hashed."""
    served = yield from reader.raw([tile for tile, _ in tiles])
    for (tile, expected), data in zip(tiles, served, strict=True):
        check_tile(tile, expected, data)
