"""Tile paths, widths and entry bundles."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import MAX_SIZE, leaf_hash
from tallystick_merkle.tile import (
    ENTRIES,
    MAX_ENTRY,
    Tile,
    bundles_of,
    format_bundle,
    format_tile_path,
    parse_bundle,
    parse_tile_path,
    tile_width,
    tiles_of,
)
from tests.unit.merkle.hostile import check_parser, hostile
from tests.vectors.known import answers

TREE8 = answers()["tree8"]

TILES = st.builds(
    Tile,
    st.integers(-1, 63),
    st.integers(0, MAX_SIZE // 256 - 1),
    st.integers(1, 256),
)


@pytest.mark.parametrize(("index", "path"), answers()["tile_paths"].items())
def test_an_index_is_written_as_published(index: str, path: str) -> None:
    assert format_tile_path(Tile(0, int(index))) == f"tile/0/{path}"
    assert parse_tile_path(f"tile/0/{path}") == Tile(0, int(index))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(ENTRIES, 0), "tile/entries/000"),
        (Tile(ENTRIES, 273, 112), "tile/entries/273.p/112"),
        (Tile(63, 0, 1), "tile/63/000.p/1"),
        (Tile(1, 999_999, 255), "tile/1/x999/999.p/255"),
        (Tile(0, 2**54 - 1), "tile/0/x018/x014/x398/x509/x481/983"),
    ],
)
def test_a_path_names_its_tile(tile: Tile, path: str) -> None:
    assert format_tile_path(tile) == path
    assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/0/x000/000",
        "tile/0/x000/001",
        "tile/0/000/001",
        "tile/0/x001",
        "tile/0/x001/",
        "tile/0/x001/x000",
        "tile/0/X001/000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/100/000",
        "tile/Entries/000",
        "tile/data/000",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/300",
        "tile/0/000.p/999",
        "tile/0/000.p/+1",
        "tile/0/000.p/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.P/1",
        "tile/0/000 ",
        "tile/0/000\n",
        " tile/0/000",
        "/tile/0/000",
        "tile/0/../000",
        "tile//000",
        "tile/0/٠٠٠",
        "tile/٠/000",
        "tile/0/000.p/١",
        "tile/0/x018/x014/x398/x509/x481/984",
        "tile/0/x999/x999/x999/x999/x999/999",
        "tile/0/" + "x001/" * 6 + "000",
        "tile/0/" + "x001/" * 1000 + "000",
        "tile/0/\ud800",
    ],
)
def test_another_spelling_of_a_path_is_refused(path: str) -> None:
    with pytest.raises(MalformedError, match="tile path"):
        parse_tile_path(path)


@given(TILES)
def test_every_path_round_trips(tile: Tile) -> None:
    assert parse_tile_path(format_tile_path(tile)) == tile


@given(hostile(b"tile/0/x001/x234/067.p/12", b"tile/entries/000", b"tile/12/999"))
@example("tile/0/000.p/١".encode())
def test_any_path_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(
        data,
        lambda raw: parse_tile_path(raw.decode("utf-8", "surrogateescape")),
        lambda tile: format_tile_path(tile).encode(),
    )


@pytest.mark.parametrize(
    ("level", "index", "size", "width"),
    [
        (0, 0, 0, 0),
        (0, 0, 256, 256),
        (0, 1, 256, 0),
        (1, 0, 255, 0),
        (1, 0, 256, 1),
        (0, 273, 70_000, 112),
        (1, 1, 70_000, 17),
        (2, 0, 70_000, 1),
        (3, 0, 70_000, 0),
        (ENTRIES, 273, 70_000, 112),
        (ENTRIES, 274, 70_000, 0),
        (7, 63, 2**62, 0),
        (7, 0, 2**62, 64),
    ],
)
def test_a_tile_s_width_follows_from_the_size(
    level: int, index: int, size: int, width: int
) -> None:
    assert tile_width(level, index, size) == width


def test_the_tiles_of_70_000_leaves_are_those_of_the_specification() -> None:
    tiles = tiles_of(70_000)

    assert tiles[:273] == [Tile(0, at) for at in range(273)]
    assert tiles[273:] == [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]


def test_a_tree_of_256_leaves_has_no_empty_tile() -> None:
    assert tiles_of(256) == [Tile(0, 0), Tile(1, 0, 1)]
    assert tiles_of(0) == []


@given(st.integers(0, 200_000))
def test_the_tiles_of_a_tree_are_all_that_have_a_width(size: int) -> None:
    tiles = tiles_of(size)

    assert [tile_width(tile.level, tile.index, size) for tile in tiles] == [
        tile.width for tile in tiles
    ]
    assert sum(tile.width for tile in tiles if tile.level == 0) == size


@pytest.mark.parametrize(
    ("start", "stop", "size", "bundles"),
    [
        (0, 0, 300, []),
        (5, 5, 300, []),
        (0, 300, 300, [Tile(ENTRIES, 0), Tile(ENTRIES, 1, 44)]),
        (255, 257, 300, [Tile(ENTRIES, 0), Tile(ENTRIES, 1, 44)]),
        (256, 257, 300, [Tile(ENTRIES, 1, 44)]),
        (0, 256, 300, [Tile(ENTRIES, 0)]),
        (299, 300, 512, [Tile(ENTRIES, 1)]),
    ],
)
def test_bundles_that_hold_a_range_are_named(
    start: int, stop: int, size: int, bundles: list[Tile]
) -> None:
    assert bundles_of(start, stop, size) == bundles


def test_a_bundle_is_written_as_published() -> None:
    entries = [bytes.fromhex(entry) for entry in TREE8["leaves_hex"]]

    assert format_bundle(entries).hex() == TREE8["entry_bundle_hex"]
    assert parse_bundle(bytes.fromhex(TREE8["entry_bundle_hex"])) == entries


def test_a_bundle_and_its_tile_fit_together() -> None:
    entries = parse_bundle(bytes.fromhex(TREE8["entry_bundle_hex"]))

    tile = b"".join(map(leaf_hash, entries))

    assert tile.hex() == TREE8["level0_partial_tile_8_hex"]


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_every_bundle_round_trips(entries: list[bytes]) -> None:
    assert parse_bundle(format_bundle(entries)) == entries


def test_the_longest_entry_round_trips() -> None:
    assert parse_bundle(format_bundle([b"a" * MAX_ENTRY])) == [b"a" * MAX_ENTRY]


@given(hostile(bytes.fromhex(TREE8["entry_bundle_hex"])))
def test_any_bundle_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_bundle, format_bundle)


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x01", b"\x00\x00\x00", b"\xff\xffa"])
def test_a_bundle_that_is_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="cut short"):
        parse_bundle(data)


def test_the_entry_that_is_cut_short_is_named() -> None:
    with pytest.raises(MalformedError) as caught:
        parse_bundle(b"\x00\x01a\x00\x02b")

    assert caught.value.where == "entry 1"


def test_a_bundle_of_more_than_256_entries_is_refused() -> None:
    assert len(parse_bundle(b"\x00\x00" * 256)) == 256
    with pytest.raises(MalformedError, match="more than 256 entries"):
        parse_bundle(b"\x00\x00" * 257)


def test_a_batch_may_have_more_entries_than_a_bundle() -> None:
    assert len(parse_bundle(b"\x00\x00" * 10_000, most=10_000)) == 10_000


def test_what_a_tile_is_can_be_asked() -> None:
    assert Tile(0, 3).is_full
    assert not Tile(0, 3, 255).is_full
    assert Tile(ENTRIES, 3).is_bundle
    assert not Tile(0, 3).is_bundle
    assert Tile(1, 3).first == 768
