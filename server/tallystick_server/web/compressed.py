"""Read and compress entry bundles without holding up the event loop.

A bundle may have 16 MiB.  It is read in a thread, one at a time.  Small ones are
compressed on the spot; large ones in a thread too (zlib lets the loop run meanwhile),
one at a time.  Full bundles never change, so their compressed form is kept, bounded by
bytes, least recently used going first.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tallystick_merkle.tile import Tile

INLINE_BYTES = 16 * 1024
"""Longest bundle compressed on the event loop: some 0.2 ms."""

LEVEL = 1
"""Level of compression: the cheapest; entries are compressed once, served often."""

SAMPLE_BYTES = 4096
"""How much of a bundle is tried before all of it is compressed."""

WORTH = 0.9
"""Share of its length that the sample must fall below."""

_MAX_HEADER = 512
_ENCODING = re.compile(
    r"\s*(\*|[A-Za-z0-9._-]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?", re.ASCII
)

BundleName = tuple[str, int]
"""A log's name and the index of one of its full bundles."""


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110 §12.5.3).

    Nothing that cannot be read as such allows anything.
    """
    weights: dict[str, float] = {}
    for part in header[:_MAX_HEADER].split(",") if header else []:
        found = _ENCODING.fullmatch(part)
        if found is not None:
            weights[found[1].lower()] = float(found[2] or "1")
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def pack(data: bytes) -> bytes:
    """Compress; the same bytes always give the same result."""
    return gzip.compress(data, LEVEL, mtime=0)


def pays(data: bytes) -> bool:
    """Whether compressing is worth the time, judged by the beginning of `data`.

    Entries that are encrypted or compressed already only get longer.
    """
    sample = data[:SAMPLE_BYTES]
    return len(zlib.compress(sample, LEVEL)) < len(sample) * WORTH


class BundleCache:
    """Reads and compresses bundles, and keeps full ones. Used from one event loop."""

    def __init__(
        self,
        *,
        most_bytes: int = 64 * 1024 * 1024,
        pack: Callable[[bytes], bytes] = pack,
    ) -> None:
        """Keep at most `most_bytes` of bundles that `pack` has compressed."""
        self._most = most_bytes
        self._pack = pack
        self._held: OrderedDict[BundleName, bytes] = OrderedDict()
        self._bytes = 0
        self._turn = asyncio.Lock()
        self._reading = asyncio.Lock()
        # A thread of its own: the allocator keeps some memory back for each thread.
        self._reader = ThreadPoolExecutor(1, "bundles")

    def find(self, name: BundleName) -> bytes | None:
        """Give the kept compressed form of a full bundle."""
        found = self._held.get(name)
        if found is not None:
            self._held.move_to_end(name)
        return found

    async def read(
        self, read: Callable[[Tile], bytes], tile: Tile, *, admit: Callable[[], None]
    ) -> bytes:
        """Read a bundle off the event loop, one at a time: it may have 16 MiB.

        `admit` is asked when its turn has come, and may raise: what it counts has grown
        meanwhile by those who were before it.
        """
        async with self._reading:
            admit()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._reader, read, tile)

    async def compress(self, data: bytes, *, keep_as: BundleName | None) -> bytes:
        """Compress a bundle; keep the result when it is a full one's."""
        if len(data) <= INLINE_BYTES:
            packed = self._pack(data)
        else:
            async with self._turn:
                found = self.find(keep_as) if keep_as is not None else None
                if found is not None:  # somebody else asked for it meanwhile
                    return found
                packed = await asyncio.to_thread(self._pack, data)
        self._keep(keep_as, packed)
        return packed

    def _keep(self, name: BundleName | None, packed: bytes) -> None:
        """Keep a full bundle, and drop the least recently used over the bound."""
        if name is None:
            return
        self._bytes += len(packed) - len(self._held.pop(name, b""))
        self._held[name] = packed
        while self._bytes > self._most:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= len(dropped)
