"""Inclusion and consistency proofs: made from nodes, checked against roots.

Making is the second and third pass of `shape`: a Plan says which nodes to fetch, and
`assemble` folds them into the proof.  Checking is RFC 9162 §2.1.3.2 and §2.1.4.2: the
exact length first, every hash 32 bytes, then the walk.  Checks return nothing and
raise ProofError, so that a result cannot be ignored.

    plan = plan_inclusion(index=5, size=8)
    path = plan.assemble([fetch(node) for node in plan.nodes])
    check_inclusion(index=5, size=8, leaf=leaf, path=path, root=root)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from tallystick_merkle.errors import ProofError
from tallystick_merkle.hashing import HASH_SIZE, MAX_SIZE, fold_right, node_hash
from tallystick_merkle.shape import (
    Node,
    Span,
    check_index,
    consistency_length,
    consistency_spans,
    inclusion_length,
    span_nodes,
)

_make_node = partial(tuple.__new__, Node)  # Node._make without its check of length


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes a proof needs, in order, and how many of them make each hash."""

    nodes: tuple[Node, ...]
    counts: tuple[int, ...]

    def assemble(self, hashes: Sequence[bytes]) -> tuple[bytes, ...]:
        """Fold fetched node hashes (same order as `nodes`) into the proof."""
        if len(hashes) != len(self.nodes):
            raise ProofError(
                f"expected {len(self.nodes)} node hashes, found {len(hashes)}"
            )
        proof = list(hashes)
        for at, count in enumerate(self.counts):
            if count != 1:
                proof[at : at + count] = [fold_right(proof[at : at + count])]
        return tuple(proof)


def plan_inclusion(*, index: int, size: int) -> Plan:
    """Plan the inclusion path of leaf `index` in the tree of `size` leaves.

    The same as planning `inclusion_spans`, read off the bits of `index`: below the
    level where the paths of the leaf and of the last leaf meet, every sibling is one
    node, but for the topmost, which may be ragged; above it there are left siblings
    only, one for each set bit.
    """
    check_index(index, size)
    inner = (index ^ (size - 1)).bit_length()
    nodes = [_make_node((level, (index >> level) ^ 1)) for level in range(inner)]
    counts = [1] * inner
    if inner and nodes[-1].position + 1 << inner - 1 > size:
        top = nodes.pop()
        ragged = span_nodes(Span(top.position << top.level, size))
        nodes += ragged
        counts[-1] = len(ragged)
    border = index >> inner
    for level in range(inner, inner + border.bit_length()):
        if border & 1:
            nodes.append(_make_node((level, border - 1)))
            counts.append(1)
        border >>= 1
    return Plan(tuple(nodes), tuple(counts))


def plan_consistency(*, old: int, new: int) -> Plan:
    """Plan the proof that the tree of `old` leaves is a prefix of that of `new`.

    From size 0 there is nothing to prove, and the plan is empty.
    """
    return plan_spans(consistency_spans(old, new) if old else [])


def plan_root(size: int) -> Plan:
    """Plan the root of the tree of `size` leaves (its single assembled hash).

    Requires 0 <= size <= 2^62; the root of size 0 needs no node.
    """
    if not 0 <= size <= MAX_SIZE:
        raise ProofError(f"no tree has {size} leaves")
    return plan_spans([Span(0, size)])


def plan_spans(spans: list[Span]) -> Plan:
    """Plan the hashes of any spans, in order."""
    nodes: list[Node] = []
    counts: list[int] = []
    for span in spans:
        parts = span_nodes(span)
        nodes += parts
        counts.append(len(parts))
    return Plan(tuple(nodes), tuple(counts))


def root_from_inclusion(
    *, index: int, size: int, leaf: bytes, path: Sequence[bytes]
) -> bytes:
    """Compute the root that `path` implies for the 32-byte `leaf` hash.

    Raises ProofError unless the path has exactly the length the tree asks for and
    every hash is 32 bytes.
    """
    expected = inclusion_length(index, size)
    _check_hashes(path, expected)
    _check_hashes((leaf,), 1)
    inner = (index ^ (size - 1)).bit_length()
    # Bit by bit from the leaf: 1 is a left sibling; above `inner` there are no others.
    turns = index | -1 << inner
    root = leaf
    for sibling in path:
        pair = sibling + root if turns & 1 else root + sibling
        root = sha256(b"\x01" + pair).digest()
        turns >>= 1
    return root


def check_inclusion(
    *, index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes
) -> None:
    """Raise ProofError unless `leaf` is at `index` of the tree (size, root)."""
    found = root_from_inclusion(index=index, size=size, leaf=leaf, path=path)
    if found != root:
        raise ProofError(
            f"leaf {index} is not in the tree of size {size}: "
            f"the path leads to root {found.hex()}, expected {root.hex()}"
        )


def check_consistency(
    *, old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise ProofError unless tree (old, old_root) is a prefix of (new, new_root).

    Requires 0 < old <= new; a proof from size 0 does not exist (RFC 9162 §2.1.4).
    """
    _check_hashes(proof, consistency_length(old, new))
    _check_hashes((old_root, new_root), 2)
    if old == new:
        found_old, found_new = new_root, new_root
    else:
        found_old, found_new = _consistency_roots(old, new, old_root, proof)
    if found_old != old_root or found_new != new_root:
        raise ProofError(f"the tree of size {old} is not a prefix of that of {new}")


def _consistency_roots(
    old: int, new: int, old_root: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Walk RFC 9162 §2.1.4.2 and return the two roots the proof leads to."""
    whole = old & (old - 1) == 0  # the old tree is perfect: its root is implicit
    hashes = [old_root, *proof] if whole else list(proof)
    first, last = old - 1, new - 1
    while first & 1:
        first >>= 1
        last >>= 1
    old_found = new_found = hashes[0]
    for sibling in hashes[1:]:
        if first & 1 or first == last:
            old_found = node_hash(sibling, old_found)
            new_found = node_hash(sibling, new_found)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            new_found = node_hash(new_found, sibling)
        first >>= 1
        last >>= 1
    return old_found, new_found


def _check_hashes(hashes: Sequence[bytes], expected: int) -> None:
    """Raise unless there are exactly `expected` hashes of 32 bytes each."""
    if len(hashes) != expected:
        raise ProofError(f"expected {expected} hashes, found {len(hashes)}")
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise ProofError(f"a hash has {len(value)} bytes, expected 32")
