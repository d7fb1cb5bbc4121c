"""What an audit compares, and which leaf it names."""

import pytest

from tallystick_merkle.audit import (
    check_root,
    check_tile,
    edge_tiles,
    take_entries,
)
from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.frontier import EMPTY_EDGE
from tallystick_merkle.tile import Tile
from tests.unit.merkle.trees import edge_of, leaves_to, reference


def entries_to(start: int, stop: int) -> list[bytes]:
    return [b"entry-%d" % index for index in range(start, stop)]


def served(start: int, stop: int) -> bytes:
    return b"".join(leaves_to(stop)[start:])


def test_entries_that_fit_their_tile_move_the_edge_on() -> None:
    step = take_entries(edge_of(3), entries_to(3, 7), served(3, 7))

    assert step.edge == edge_of(7)
    assert step.tiles == ()


def test_a_finished_upper_tile_is_given_to_compare() -> None:
    leaves = b"".join(leaves_to(65_536))
    before = edge_of(65_280)

    step = take_entries(before, entries_to(65_280, 65_536), leaves[65_280 * 32 :])

    ((tile, hashes),) = step.tiles
    assert tile == Tile(1, 0)
    assert hashes[:32] == reference(300).hash(0, 256)
    assert edge_tiles(step.edge) == ((Tile(2, 0, 1), step.edge.root()),)


def test_unfinished_upper_tiles_come_from_the_edge() -> None:
    tree = reference(700)

    assert edge_tiles(edge_of(700)) == (
        (Tile(1, 0, 2), tree.hash(0, 256) + tree.hash(256, 512)),
    )
    assert edge_tiles(edge_of(255)) == ()
    assert edge_tiles(EMPTY_EDGE) == ()


def test_the_first_rewritten_entry_is_named() -> None:
    entries = entries_to(3, 7)
    entries[2] = b"rewritten"

    with pytest.raises(TreeMismatchError, match="entry 5 does not hash") as caught:
        take_entries(edge_of(3), entries, served(3, 7))

    assert caught.value.index == 5


@pytest.mark.parametrize("stop", [6, 8])
def test_a_tile_of_another_width_is_refused(stop: int) -> None:
    with pytest.raises(TreeMismatchError) as caught:
        take_entries(edge_of(3), entries_to(3, 7), served(3, stop))

    assert caught.value.index == (6 if stop == 6 else 3)


def test_an_upper_tile_that_differs_names_the_leaf_below_the_difference() -> None:
    good = b"a" * 32 + b"b" * 32

    check_tile(Tile(1, 2, 2), good, good)
    with pytest.raises(TreeMismatchError, match=r"tile/1/002.p/2 is not") as caught:
        check_tile(Tile(1, 2, 2), good, b"a" * 32 + b"c" * 32)
    assert caught.value.index == (2 * 256 + 1) * 256


def test_an_upper_tile_that_is_too_long_names_its_first_leaf() -> None:
    with pytest.raises(TreeMismatchError) as caught:
        check_tile(Tile(1, 2, 1), b"a" * 32, b"a" * 64)

    assert caught.value.index == 2 * 256 * 256


def test_the_signed_root_ends_an_audit() -> None:
    head = Checkpoint("log.example", 100, reference().root(100))

    check_root(edge_of(100), head)


@pytest.mark.parametrize("size", [99, 101])
def test_an_audit_of_another_size_or_root_is_refused(size: int) -> None:
    head = Checkpoint("log.example", 100, reference().root(100))

    with pytest.raises(TreeMismatchError, match=f"at size {size}, the signed root"):
        check_root(edge_of(size), head)
    with pytest.raises(TreeMismatchError, match="at size 100, the signed root"):
        check_root(edge_of(100), Checkpoint("log.example", 100, b"r" * 32))
