"""RFC 6962 §2.1 as it is written: recursion over the list of entries' leaf hashes.

Slow, obvious and on purpose without any idea of the kernel's: no spans, no rows, no
bit tricks. Only tests use it, to hold the kernel's algorithms against the RFC's words.
Memory of hashes already made is the one liberty it takes.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256


def leaf(entry: bytes) -> bytes:
    """MTH({d(0)}) = SHA-256(0x00 || d(0))."""
    return sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))."""
    return sha256(b"\x01" + left + right).digest()


def largest_power_below(count: int) -> int:
    """Largest power of two smaller than `count`, found by doubling."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


class Tree:
    """A tree over leaf hashes, asked for whatever RFC 6962 defines."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = tuple(leaves)
        self._hash = cache(self._mth)

    def root(self, size: int) -> bytes:
        """MTH(D[0:size])."""
        return self.hash(0, size)

    def hash(self, start: int, stop: int) -> bytes:
        """MTH(D[start:stop])."""
        return self._hash(start, stop)

    def path(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[0:size])."""
        return self._path(index, 0, size)

    def proof(self, old: int, new: int) -> list[bytes]:
        """PROOF(old, D[0:new])."""
        return self._subproof(old, 0, new, True)

    def _mth(self, start: int, stop: int) -> bytes:
        if start == stop:
            return sha256(b"").digest()
        if stop - start == 1:
            return self._leaves[start]
        middle = start + largest_power_below(stop - start)
        return node(self._hash(start, middle), self._hash(middle, stop))

    def _path(self, m: int, start: int, stop: int) -> list[bytes]:
        if stop - start == 1:
            return []
        k = largest_power_below(stop - start)
        if m < k:
            return [*self._path(m, start, start + k), self.hash(start + k, stop)]
        return [*self._path(m - k, start + k, stop), self.hash(start, start + k)]

    def _subproof(self, m: int, start: int, stop: int, whole: bool) -> list[bytes]:
        if m == stop - start:
            return [] if whole else [self.hash(start, stop)]
        k = largest_power_below(stop - start)
        if m <= k:
            rest = self._subproof(m, start, start + k, whole)
            return [*rest, self.hash(start + k, stop)]
        rest = self._subproof(m - k, start + k, stop, False)
        return [*rest, self.hash(start, start + k)]
