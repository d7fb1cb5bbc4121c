"""One proof for a run of neighbouring leaves: what a batch of entries is answered with.

Leaves [start, stop) of a tree of `size` need only the siblings left of `start` and
right of `stop`: about 2·log2(size) hashes for any number of leaves.  Whoever knows
the leaves can rebuild the root from them, and with it the inclusion path of each
leaf, so a batch of a thousand receipts travels as one.

    left   the left siblings on the path of leaf start, largest span first
    right  the right siblings on the path of leaf stop-1, smallest span first
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tallystick_merkle.errors import ProofError
from tallystick_merkle.hashing import HASH_SIZE, MAX_SIZE, node_hash, pair_up
from tallystick_merkle.proof import Plan, plan_spans
from tallystick_merkle.shape import Span, inclusion_spans, split_point


@dataclass(frozen=True, slots=True)
class RangeShape:
    """The spans around leaves [start, stop) of a tree, outermost left first."""

    start: int
    stop: int
    size: int
    left: tuple[Span, ...]
    right: tuple[Span, ...]

    def plan(self) -> Plan:
        """Plan the hashes of `left`, then of `right`."""
        return plan_spans([*self.left, *self.right])


def range_shape(*, start: int, stop: int, size: int) -> RangeShape:
    """Name the spans around [start, stop). Requires 0 <= start < stop <= size."""
    if not 0 <= start < stop <= size <= MAX_SIZE:
        raise ProofError(f"range [{start}, {stop}) is outside a tree of size {size}")
    left = [span for span in inclusion_spans(start, size) if span.stop <= start]
    right = [span for span in inclusion_spans(stop - 1, size) if span.start >= stop]
    left.reverse()
    return RangeShape(start, stop, size, tuple(left), tuple(right))


class RangeTree:
    """The part of a tree that a range proof and its leaves span, checked on making.

    Raises ProofError when the hashes do not lead to `root`.
    """

    def __init__(
        self,
        shape: RangeShape,
        *,
        leaves: Sequence[bytes],
        left: Sequence[bytes],
        right: Sequence[bytes],
        root: bytes,
    ) -> None:
        """Rebuild the tree above `leaves` (32-byte leaf hashes) and compare roots."""
        _check_counts(shape, leaves, left, right)
        self._shape = shape
        self._levels = _levels_above(shape.start, list(leaves))
        self._known: dict[Span, bytes] = dict(zip(shape.left, left, strict=True))
        self._known.update(zip(shape.right, right, strict=True))
        found = self._span_hash(0, shape.size)
        if found != root:
            raise ProofError(
                f"leaves [{shape.start}, {shape.stop}) are not in the tree of size "
                f"{shape.size}: they lead to root {found.hex()}, expected {root.hex()}"
            )
        self._inner, self._shared = self._shared_path()

    def range_proof(
        self, shape: RangeShape
    ) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """Give (left, right) of the range proof of a part of this range.

        Requires a shape of the same size whose leaves lie in this range.
        """
        whole = self._shape
        if shape.size != whole.size or not (
            whole.start <= shape.start and shape.stop <= whole.stop
        ):
            raise ProofError(
                f"leaves [{shape.start}, {shape.stop}) are not in the proven range"
            )
        return (
            tuple(self._span_hash(span.start, span.stop) for span in shape.left),
            tuple(self._span_hash(span.start, span.stop) for span in shape.right),
        )

    def inclusion_path(self, index: int) -> tuple[bytes, ...]:
        """Give the inclusion path of leaf `index`. Requires start <= index < stop."""
        if not self._shape.start <= index < self._shape.stop:
            raise ProofError(f"leaf {index} is not in the proven range")
        path: list[bytes] = []
        start, stop = self._inner
        while stop - start > 1:
            middle = start + split_point(stop - start)
            if index < middle:
                path.append(self._span_hash(middle, stop))
                stop = middle
            else:
                path.append(self._span_hash(start, middle))
                start = middle
        path.reverse()
        return (*path, *self._shared)

    def _shared_path(self) -> tuple[Span, tuple[bytes, ...]]:
        """Give the smallest span around the range, and the path from it to the root."""
        shape, path = self._shape, []
        start, stop = 0, shape.size
        while stop - start > 1:
            middle = start + split_point(stop - start)
            if shape.stop <= middle:
                path.append(self._span_hash(middle, stop))
                stop = middle
            elif middle <= shape.start:
                path.append(self._span_hash(start, middle))
                start = middle
            else:
                break
        return Span(start, stop), tuple(reversed(path))

    def _span_hash(self, start: int, stop: int) -> bytes:
        """Hash any span of the tree that the range touches or the proof names."""
        known = self._known.get(Span(start, stop))
        if known is not None:
            return known
        count = stop - start
        if count & (count - 1) == 0:
            level = count.bit_length() - 1
            at = (start >> level) - self._first(level)
            if level < len(self._levels) and 0 <= at < len(self._levels[level]):
                return self._levels[level][at]
        middle = start + split_point(count)
        value = node_hash(self._span_hash(start, middle), self._span_hash(middle, stop))
        self._known[Span(start, stop)] = value
        return value

    def _first(self, level: int) -> int:
        """Index of the first node of `level` that lies wholly in the range."""
        return -(-self._shape.start >> level)


def _levels_above(start: int, leaves: list[bytes]) -> list[list[bytes]]:
    """Hash, level by level, every perfect subtree that lies wholly in the range."""
    levels = [leaves]
    first = start
    while len(levels[-1]) > 1:
        below = levels[-1]
        skip = first & 1  # a left sibling outside the range: this one has no pair
        level = pair_up(below[skip:])
        if not level:
            break
        first = (first + 1) >> 1
        levels.append(level)
    return levels


def _check_counts(
    shape: RangeShape,
    leaves: Sequence[bytes],
    left: Sequence[bytes],
    right: Sequence[bytes],
) -> None:
    """Raise unless the counts fit the shape and every hash is 32 bytes."""
    found = (len(leaves), len(left), len(right))
    expected = (shape.stop - shape.start, len(shape.left), len(shape.right))
    if found != expected:
        raise ProofError(f"expected {expected} hashes (leaves, left, right), {found=}")
    for group in (leaves, left, right):
        if any(len(value) != HASH_SIZE for value in group):
            raise ProofError("a hash of the range proof is not 32 bytes")
