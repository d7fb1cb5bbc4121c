"""Small trees and the sizes at which trees change their shape."""

from functools import cache

from tallystick_merkle.frontier import EMPTY_EDGE, Edge, grow
from tallystick_merkle.proof import Plan
from tallystick_merkle.shape import Node
from tests.reference.rfc6962 import Tree, leaf

MOST = 130
"""Every algorithm is held against the reference for all sizes up to this one."""

POWERS = (8, 16, 32, 61, 62)
LARGE_SIZES = tuple(
    size
    for power in POWERS
    for size in (2**power - 1, 2**power, 2**power + 1, 2**power + 2**power // 3)
    if size <= 2**62
)
"""Sizes around the powers of two at which tiles and integers end."""


@cache
def leaves_to(count: int) -> tuple[bytes, ...]:
    """Leaf hashes of the entries "entry-0", "entry-1" and so on."""
    return tuple(leaf(b"entry-%d" % index) for index in range(count))


@cache
def reference(count: int = MOST) -> Tree:
    """The reference tree over those leaves; one object for all sizes below."""
    return Tree(leaves_to(count))


def node_of(tree: Tree, node: Node) -> bytes:
    """Hash of a perfect subtree, by the reference."""
    start = node.position << node.level
    return tree.hash(start, start + (1 << node.level))


def assembled(plan: Plan, tree: Tree) -> list[bytes]:
    """Fetch a plan's nodes from the reference and fold them."""
    return list(plan.assemble([node_of(tree, node) for node in plan.nodes]))


def edge_of(count: int) -> Edge:
    """The edge of the tree over the first `count` leaves."""
    return grow(EMPTY_EDGE, list(leaves_to(count))).edge
