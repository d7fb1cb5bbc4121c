"""Tiles and entry bundles: coordinates, paths and bytes (c2sp.org/tlog-tiles).

    tile/<L>/<N>[.p/<W>]           hash tile: up to 256 hashes of 32 bytes
    tile/entries/<N>[.p/<W>]       entry bundle: up to 256 of u16be length || entry

N is written in groups of three digits, all but the last prefixed by "x":
1234067 is x001/x234/067.  W is 1 to 255 and only on partial resources.  A path is
parsed to integers, formatted again and compared, so only one spelling passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import MAX_SIZE

TILE_WIDTH = 256
"""Hashes in a full tile, entries in a full bundle."""

MAX_ENTRY = 65_535
"""Longest entry in bytes: the u16 length prefix of a bundle."""

MAX_LEVEL = 63
"""Highest tile level a path may name."""

MAX_BUNDLE = TILE_WIDTH * (MAX_ENTRY + 2)
"""Longest possible entry bundle in bytes."""

ENTRIES = -1
"""The level that stands for entry bundles in a Tile."""

_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile or bundle: level 0..63 or ENTRIES, index n, width 1..256 (256 = full)."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def is_full(self) -> bool:
        """Whether the resource is complete and so never changes."""
        return self.width == TILE_WIDTH

    @property
    def is_bundle(self) -> bool:
        """Whether this names entries rather than hashes."""
        return self.level == ENTRIES

    @property
    def first(self) -> int:
        """Index of the first hash of the tile within its level (of the first entry)."""
        return self.index * TILE_WIDTH


def format_tile_path(tile: Tile) -> str:
    """Write the path of a tile below the log's prefix."""
    kind = "entries" if tile.is_bundle else str(tile.level)
    partial = "" if tile.is_full else f".p/{tile.width}"
    return f"tile/{kind}/{_format_index(tile.index)}{partial}"


def parse_tile_path(path: str) -> Tile:
    """Read a path such as `tile/1/x001/067.p/12`; raise MalformedError otherwise."""
    found = _PATH.fullmatch(path) if len(path) <= 64 else None
    if found is None:
        raise MalformedError("tile path", f"not in the grammar: {path[:64]!r}")
    kind, groups, partial = found.groups()
    tile = Tile(
        ENTRIES if kind == "entries" else int(kind),
        int(groups.replace("x", "").replace("/", "")),
        int(partial) if partial else TILE_WIDTH,
    )
    if tile.level > MAX_LEVEL or tile.width > TILE_WIDTH or tile.first >= MAX_SIZE:
        raise MalformedError("tile path", f"no tree has this tile: {path!r}")
    if format_tile_path(tile) != path:
        raise MalformedError("tile path", f"not the canonical spelling: {path!r}")
    return tile


def tile_width(level: int, index: int, size: int) -> int:
    """Width of a tile (or, with ENTRIES, a bundle) in the tree of `size`; 0 if none."""
    total = size if level == ENTRIES else size >> (8 * level)
    return max(0, min(TILE_WIDTH, total - index * TILE_WIDTH))


def tiles_of(size: int) -> list[Tile]:
    """List every hash tile of the tree of `size`, level by level, left to right."""
    tiles: list[Tile] = []
    level = 0
    while size >> (8 * level):
        total = size >> (8 * level)
        tiles += [Tile(level, at) for at in range(total // TILE_WIDTH)]
        if total % TILE_WIDTH:
            tiles.append(Tile(level, total // TILE_WIDTH, total % TILE_WIDTH))
        level += 1
    return tiles


def bundles_of(start: int, stop: int, size: int) -> list[Tile]:
    """List the bundles that hold entries [start, stop) in the tree of `size`."""
    if start >= stop:
        return []
    last = (stop - 1) // TILE_WIDTH
    return [
        Tile(ENTRIES, at, tile_width(ENTRIES, at, size))
        for at in range(start // TILE_WIDTH, last + 1)
    ]


def format_bundle(entries: list[bytes]) -> bytes:
    """Join entries of 0 to 65,535 bytes into a bundle (also the batch body)."""
    return b"".join(
        chain.from_iterable((len(entry).to_bytes(2, "big"), entry) for entry in entries)
    )


def parse_bundle(data: bytes, *, most: int = TILE_WIDTH) -> list[bytes]:
    """Split a bundle into its entries. Requires whole frames, at most `most`."""
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        start = at + 2
        at = start + (data[at] << 8 | data[at + 1]) if start <= end else end + 1
        if at > end:
            raise MalformedError(
                "entry bundle", "cut short", where=f"entry {len(entries)}"
            )
        if len(entries) == most:
            raise MalformedError("entry bundle", f"more than {most} entries")
        entries.append(data[start:at])
    return entries


def _format_index(index: int) -> str:
    """Write a tile index in groups of three digits."""
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))
