"""Trees of up to 2^62 leaves in which nearly all leaves are the same.

A perfect subtree without a marked leaf hashes to a value that depends on its height
alone, so the RFC's recursion reaches any root, path or proof in a few hundred steps.
"""

from collections.abc import Mapping

from tests.reference.rfc6962 import Tree, largest_power_below, leaf, node

COMMON = leaf(b"the same everywhere")


class SparseTree(Tree):
    """A tree whose leaves are COMMON but for those of `marked` (index to hash)."""

    def __init__(self, marked: Mapping[int, bytes]) -> None:
        super().__init__(())
        self._marked = dict(marked)
        self._uniform = [COMMON]

    def leaf(self, index: int) -> bytes:
        """The leaf hash at `index`."""
        return self._marked.get(index, COMMON)

    def hash(self, start: int, stop: int) -> bytes:
        """MTH(D[start:stop])."""
        count = stop - start
        if count == 1:
            return self.leaf(start)
        is_uniform = not any(start <= index < stop for index in self._marked)
        if is_uniform and count & (count - 1) == 0:
            return self._uniform_hash(count.bit_length() - 1)
        middle = start + largest_power_below(count)
        return node(self.hash(start, middle), self.hash(middle, stop))

    def _uniform_hash(self, level: int) -> bytes:
        while len(self._uniform) <= level:
            self._uniform.append(node(self._uniform[-1], self._uniform[-1]))
        return self._uniform[level]
