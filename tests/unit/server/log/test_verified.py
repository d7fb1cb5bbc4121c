"""Nothing that does not lead to the signed root is given out; what was, is cheap."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest

from tallystick_merkle.errors import ProofError
from tallystick_merkle.tile import ENTRIES, Tile, bundles_of, format_bundle, tiles_of
from tallystick_server.errors import IntegrityError
from tallystick_server.log import verified
from tallystick_server.log.nodes import NodeReader
from tallystick_server.log.reader import Reader
from tallystick_server.log.verified import Fingerprints, Verified
from tests.fakes.faults import FaultyStore
from tests.fakes.grown import writer_of
from tests.fakes.logs import MemoryLog, check_log, memory_log, submission
from tests.reference.rfc6962 import Tree, leaf

SIZE = 70_000
"""Leaves: 273 full tiles, one of them above, and unfinished ones on three levels."""


@lru_cache(maxsize=2)
def log_of(size: int) -> MemoryLog:
    log = memory_log()
    writer = writer_of(log)
    writer.commit([submission("k", *[b"entry %d" % n for n in range(1, size)])])
    log.state = writer.state
    return log


class Rotten(FaultyStore):
    """A store in which bits can be flipped, and which counts what is read."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log.store)
        self.bad_rows: set[tuple[int, int]] = set()
        self.bad_entries: set[int] = set()
        self.at = 0
        self.rows = 0

    def read_row(self, level: int, block: int) -> bytes:
        self.rows += 1
        row = super().read_row(level, block)
        if (level, block) in self.bad_rows:
            return row[: self.at] + bytes([row[self.at] ^ 4]) + row[self.at + 1 :]
        return row

    def read_entries(self, start: int, stop: int) -> list[bytes]:
        entries = super().read_entries(start, stop)
        for bad in self.bad_entries & set(range(start, stop)):
            entries[bad - start] = b"f" + entries[bad - start][1:]
        return entries


def test_every_tile_and_bundle_that_is_sound_is_given_out_as_it_is_stored() -> None:
    log = log_of(SIZE)
    found = Verified(log.store, log.state.head)

    for tile in tiles_of(SIZE):
        row = log.store.read_row(tile.level * 8, tile.index)
        assert found.tile(tile.level, tile.index, tile.width) == row
    for bundle in bundles_of(0, SIZE, SIZE):
        entries = log.store.read_entries(bundle.first, bundle.first + bundle.width)
        assert found.bundle(bundle) == format_bundle(entries)


@pytest.mark.parametrize("tile", [Tile(0, 0), Tile(0, 255), Tile(0, 272), Tile(1, 0)])
@pytest.mark.parametrize("at", [0, 31, 4096, 8191])
def test_a_flipped_bit_of_a_full_tile_is_named_at_every_read(
    tile: Tile, at: int
) -> None:
    store = Rotten(log_of(SIZE))
    found = Verified(store, log_of(SIZE).state.head)
    store.bad_rows, store.at = {(tile.level * 8, tile.index)}, at

    for width in (256, 1):
        with pytest.raises(IntegrityError, match=f"row {tile.level * 8}/{tile.index} "):
            found.tile(tile.level, tile.index, width)


def test_a_bit_that_rots_after_the_tile_was_served_is_found() -> None:
    store = Rotten(log_of(SIZE))
    found = Verified(store, log_of(SIZE).state.head)
    sound = found.tile(0, 3, 256)
    store.bad_rows = {(0, 3)}

    with pytest.raises(IntegrityError, match="row 0/3"):
        found.tile(0, 3, 256)
    store.bad_rows = set()

    assert found.tile(0, 3, 256) == sound


@pytest.mark.parametrize("row", [(0, 273), (8, 1), (16, 0)])
def test_a_flipped_bit_of_an_unfinished_tile_is_named(row: tuple[int, int]) -> None:
    store = Rotten(log_of(SIZE))
    found = Verified(store, log_of(SIZE).state.head)
    store.bad_rows = {row}

    for tile in (Tile(0, 273, 1), Tile(1, 1, 3), Tile(0, 260), Tile(1, 0)):
        with pytest.raises(IntegrityError, match="unfinished rows 16/0, 8/1, 0/273"):
            found.tile(tile.level, tile.index, tile.width)


def test_a_tile_whose_parent_is_wrong_is_not_given_out() -> None:
    store = Rotten(log_of(SIZE))
    found = Verified(store, log_of(SIZE).state.head)
    store.bad_rows = {(8, 0)}

    with pytest.raises(IntegrityError, match="row 8/0"):
        found.tile(0, 3, 256)


@pytest.mark.parametrize("index", [5, SIZE - 3])
def test_an_entry_that_was_changed_is_named(index: int) -> None:
    store = Rotten(log_of(SIZE))
    found = Verified(store, log_of(SIZE).state.head)
    store.bad_entries = {index}
    bundle = Tile(ENTRIES, index // 256, min(256, SIZE - index // 256 * 256))

    with pytest.raises(IntegrityError, match=f"entry {index} does not lead"):
        found.bundle(bundle)
    assert found.bundle(replace(bundle, index=7, width=100))


def test_an_entry_that_rots_after_it_was_served_is_found() -> None:
    store = Rotten(log_of(SIZE))
    found = Verified(store, log_of(SIZE).state.head)
    found.bundle(Tile(ENTRIES, 0))
    store.bad_entries = {255}

    with pytest.raises(IntegrityError, match="entry 255"):
        found.bundle(Tile(ENTRIES, 0))


def test_a_short_row_is_named() -> None:
    log = log_of(SIZE)

    class Short(FaultyStore):
        def read_row(self, level: int, block: int) -> bytes:
            return super().read_row(level, block)[:64]

    found = Verified(Short(log.store), log.state.head)
    with pytest.raises(IntegrityError, match="row 0/1 has 64 bytes, expected 8192"):
        found.tile(0, 1, 256)
    with pytest.raises(IntegrityError, match="row 8/1 has 64 bytes, expected 544"):
        found.tile(0, 273, 10)


def test_what_was_checked_is_neither_folded_nor_looked_up_again() -> None:
    store = Rotten(log_of(SIZE))
    found = Verified(store, log_of(SIZE).state.head)
    found.tile(0, 3, 256)
    found.tile(0, 273, 100)
    first, store.rows = store.rows, 0

    found.tile(0, 3, 256)
    found.tile(0, 273, 90)

    assert (first, store.rows) == (5, 1)


def test_an_unfinished_tile_is_led_to_the_newer_head_only_where_it_grew() -> None:
    log = memory_log()
    writer = writer_of(log)
    writer.commit([submission("a", *[b"a %d" % n for n in range(299)])])
    store = Rotten(log)
    found = Verified(store, writer.state.head)
    found.tile(0, 1, 44)
    writer.commit([submission("b", b"b")])
    found.follow(writer.state.head)
    store.rows = 0

    found.tile(0, 1, 44)
    unread = store.rows
    found.tile(0, 1, 45)

    assert (unread, store.rows) == (0, 2)
    with pytest.raises(ProofError, match="has 45 hashes"):
        found.tile(0, 1, 46)


def test_roots_of_older_sizes_lead_to_the_head() -> None:
    log = log_of(700)
    head = log.state.head
    found = Verified(log.store, head)
    tree = Tree([leaf(entry) for entry in check_log(log.store)])

    for size in (0, 1, 2, 255, 256, 511, 699, 700):
        assert found.root(NodeReader(log.store), size) == tree.root(size)

    other = Verified(log.store, replace(head, root=bytes(32)))
    for size in (1, 256, 699):
        with pytest.raises(IntegrityError, match=f"nodes of size {size} do not lead"):
            other.root(NodeReader(log.store), size)


@pytest.mark.parametrize(("old", "new"), [(256, 512), (300, 700), (1, 257)])
def test_a_consistency_proof_that_is_wrong_does_not_leave(old: int, new: int) -> None:
    log = log_of(700)

    class OneNode(FaultyStore):
        def read_row(self, level: int, block: int) -> bytes:
            row = super().read_row(level, block)
            return bytes(32) + row[32:] if level == 8 else row

    told: list[str] = []
    reader = Reader(OneNode(log.store), log.state.head)
    reader.watch(told.append)

    with pytest.raises(IntegrityError):
        reader.consistency(old=old, new=new)
    assert len(told) >= 1


def test_fingerprints_are_bounded_and_the_oldest_go() -> None:
    kept = Fingerprints(2)
    for index in range(3):
        kept.keep((0, index), b"%d" % index)

    assert len(kept) == 2
    known = [kept.knows((0, index), b"%d" % index) for index in range(3)]
    assert known == [False, True, True]
    assert not kept.knows((0, 2), b"other")
    assert verified.MOST_FINGERPRINTS * 256 > 16_000_000


class Overtaken(Verified):
    """What one thread remembers of the edge, another replaces by something older."""

    @property
    def _edge(self) -> dict[tuple[int, int], bytes]:
        return {}

    @_edge.setter
    def _edge(self, edge: dict[tuple[int, int], bytes]) -> None:
        self.replaced = edge


def test_an_unfinished_tile_is_whole_though_another_thread_remembers_less() -> None:
    log = log_of(SIZE)
    found = Overtaken(log.store, log.state.head)

    row = found.tile(0, 273, 112)

    assert row == log.store.read_row(0, 273)
    assert found.bundle(Tile(0, 273, 112)) == Verified(
        log.store, log.state.head
    ).bundle(Tile(0, 273, 112))
