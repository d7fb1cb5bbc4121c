"""Reading proofs, tiles and bundles out of a store, held against the reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import ProofError
from tallystick_merkle.hashing import EMPTY_ROOT, leaf_hash, leaf_hashes
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.receipt import parse_receipt
from tallystick_merkle.tile import ENTRIES, Tile, parse_bundle, tiles_of
from tallystick_server.errors import IntegrityError
from tallystick_server.log.reader import Reader
from tallystick_server.log.writer import Writer
from tests.fakes.logs import MemoryLog, check_log, memory_log, submission
from tests.reference.rfc6962 import Tree, leaf


def log_of(count: int) -> tuple[MemoryLog, Tree]:
    """A log of the genesis entry and `count` more."""
    log = memory_log()
    writer = Writer(
        store=log.store,
        signer=log.signer,
        state=log.state,
        clock=log.clock,
        anchor=None,
    )
    if count:
        writer.commit([submission("k", *[b"entry %d" % n for n in range(count)])])
    log.state = writer.state
    entries = check_log(log.store)
    return log, Tree([leaf(entry) for entry in entries])


LOG, TREE = log_of(700)
READER = Reader(LOG.store, LOG.state.head)
SIZE = 701


@given(st.data())
def test_proofs_are_those_of_the_reference(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))

    assert READER.root(size) == TREE.root(size)
    assert list(READER.inclusion(index=index, size=size)) == TREE.path(index, size)
    proven = READER.prove(index=index, size=size)
    assert (list(proven.path), proven.root) == (TREE.path(index, size), TREE.root(size))
    assert proven.leaf == TREE.hash(index, index + 1)
    assert list(READER.consistency(old=old, new=size)) == TREE.proof(old, size)


@given(st.data())
def test_range_proofs_lead_to_the_root(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE))
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))

    left, right = READER.range_proof(start=start, stop=stop, size=size)

    RangeTree(
        range_shape(start=start, stop=stop, size=size),
        leaves=leaf_hashes(LOG.store.read_entries(start, stop)),
        left=left,
        right=right,
        root=TREE.root(size),
    )


def test_every_tile_of_every_size_is_cut_from_the_rows() -> None:
    for size in (1, 2, 255, 256, 257, 511, 512, SIZE):
        for tile in tiles_of(size):
            data = READER.tile(tile)
            width = 256**tile.level
            for place in range(tile.width):
                start = (tile.first + place) * width
                expected = TREE.hash(start, start + width)
                assert data[place * 32 : place * 32 + 32] == expected


def test_bundles_hold_the_entries() -> None:
    entries = LOG.store.read_entries(0, SIZE)

    assert parse_bundle(READER.bundle(Tile(ENTRIES, 1))) == entries[256:512]
    assert parse_bundle(READER.bundle(Tile(ENTRIES, 2, 5))) == entries[512:517]


def test_a_tile_that_the_tree_does_not_have_is_no_damage() -> None:
    with pytest.raises(ProofError, match="tile 0/2 has 189 hashes at size 701"):
        READER.tile(Tile(0, 2, 190))
    with pytest.raises(ProofError, match="no bundle 2 of 190 entries"):
        READER.bundle(Tile(ENTRIES, 2, 190))
    with pytest.raises(ProofError, match="size 702 is over that of the head"):
        READER.root(702)


def test_a_receipt_is_checked_against_the_head_it_names() -> None:
    head = LOG.state.head

    text = READER.receipt(index=5, size=head.size, root=head.root, note=head.note)
    with pytest.raises(IntegrityError, match="proof of entry 5"):
        READER.receipt(index=5, size=head.size, root=b"\0" * 32, note=head.note)

    assert parse_receipt(text).checkpoint == head.note
    assert READER.leaf(5) == leaf_hash(LOG.store.read_entries(5, 6)[0])


def test_outside_the_tree_there_is_no_proof() -> None:
    with pytest.raises(ProofError):
        READER.inclusion(index=5, size=5)
    with pytest.raises(ProofError):
        READER.consistency(old=6, new=5)
    assert READER.consistency(old=0, new=5) == ()
    assert READER.root(0) == EMPTY_ROOT
