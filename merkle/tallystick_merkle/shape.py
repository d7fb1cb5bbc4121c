"""Which nodes a question needs: the shape of the tree, without a single hash.

A tree of `size` leaves stands over leaves [0, size).  A *node* (level, position) is
the root of the perfect subtree over leaves [position·2^level, (position+1)·2^level).
A *span* is any leaf range [start, stop) that RFC 6962 gives a hash of its own: it is
perfect, or it is ragged on the right and made of several nodes.

So every proof is made in two passes: here the spans and their nodes; then one fetch
of those nodes; then the hashes (see `proof`).  Nothing here can fail on valid
arguments, and nothing here costs more than the depth of the tree.
"""

from __future__ import annotations

from typing import NamedTuple

from tallystick_merkle.errors import ProofError
from tallystick_merkle.hashing import MAX_SIZE


class Node(NamedTuple):
    """A perfect subtree: leaves [position << level, (position + 1) << level)."""

    level: int
    position: int


class Span(NamedTuple):
    """A leaf range [start, stop) with a hash of its own in the tree."""

    start: int
    stop: int


def split_point(count: int) -> int:
    """Largest power of two below `count`. Requires count >= 2 (RFC 6962 §2.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def span_nodes(span: Span) -> list[Node]:
    """Cut a span into its perfect subtrees, largest (leftmost) first.

    Requires that `start` is a multiple of the smallest power of two that is at least
    stop - start, as it is for every span this module returns.
    """
    nodes = []
    start, left = span.start, span.stop - span.start
    while left:
        level = left.bit_length() - 1
        nodes.append(Node(level, start >> level))
        start += 1 << level
        left -= 1 << level
    return nodes


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Name the siblings on the path of leaf `index`, leaf sibling first.

    Requires 0 <= index < size <= 2^62 (RFC 6962 §2.1.1).
    """
    check_index(index, size)
    spans: list[Span] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + split_point(stop - start)
        if index < middle:
            spans.append(Span(middle, stop))
            stop = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    spans.reverse()
    return spans


def consistency_spans(old: int, new: int) -> list[Span]:
    """Name the parts of the proof that tree `old` is a prefix of tree `new`.

    Requires 0 < old <= new <= 2^62 (RFC 6962 §2.1.2); equal sizes need none.
    """
    if not 0 < old <= new <= MAX_SIZE:
        raise ProofError(f"no consistency proof from size {old} to size {new}")
    spans: list[Span] = []
    start, stop = 0, new
    while old != stop:
        middle = start + split_point(stop - start)
        if old <= middle:
            spans.append(Span(middle, stop))
            stop = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    if start:  # the old tree's own right border; when start is 0 it is the old root
        spans.append(Span(start, stop))
    spans.reverse()
    return spans


def inclusion_length(index: int, size: int) -> int:
    """Count the hashes of an inclusion path, exactly, without walking it."""
    check_index(index, size)
    inner = (index ^ (size - 1)).bit_length()
    return inner + (index >> inner).bit_count()


def consistency_length(old: int, new: int) -> int:
    """Count the hashes of a consistency proof, exactly. Requires 0 < old <= new."""
    if not 0 < old <= new <= MAX_SIZE:
        raise ProofError(f"no consistency proof from size {old} to size {new}")
    if old == new:
        return 0
    trailing = (old & -old).bit_length() - 1
    inner = ((old - 1) ^ (new - 1)).bit_length() - trailing
    border = ((old - 1) >> (inner + trailing)).bit_count()
    return inner + border + (0 if old == 1 << trailing else 1)


def check_index(index: int, size: int) -> None:
    """Raise ProofError unless 0 <= index < size <= 2^62."""
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofError(f"index {index} is outside a tree of size {size}")
