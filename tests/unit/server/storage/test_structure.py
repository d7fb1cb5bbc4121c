"""Damage to a store's file is named without LMDB opening it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tallystick_server.errors import IntegrityError
from tallystick_server.storage.conformance import entries_of
from tallystick_server.storage.lmdb import open_store
from tallystick_server.storage.structure import check_length, check_structure
from tests.unit.server.storage.lmdb_bench import make_store

PAGE = 4096


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A closed store of some entries."""
    steps = make_store(tmp_path)
    store = open_store(tmp_path)
    for start in range(0, 900, 300):
        store.commit(steps.next(entries_of(300, start=start), keys=[b"%d" % start]))
    store.close()
    return tmp_path


def test_a_sound_file_has_no_problem(place: Path) -> None:
    assert check_structure(place) == []


def test_a_page_of_zeros_is_named(place: Path) -> None:
    file = place / "data.mdb"
    data = bytearray(file.read_bytes())
    last = len(data) // PAGE - 1
    for page in range(2, last + 1):
        data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)
    file.write_bytes(data)

    assert any("data.mdb: " in text for text in check_structure(place))


def test_a_file_cut_short_is_named(place: Path) -> None:
    os.truncate(place / "data.mdb", 5 * PAGE)

    assert check_structure(place) != []


def test_a_file_of_another_kind_is_named(place: Path) -> None:
    (place / "data.mdb").write_bytes(b"no lmdb" * PAGE)

    assert "not an LMDB data file" in check_structure(place)[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in check_structure(tmp_path)[0]


@pytest.mark.parametrize("cut", [1, 2, 5, 16, 17])
def test_a_file_that_lacks_used_pages_does_not_open(place: Path, cut: int) -> None:
    """Reading, or writing, behind the end of the file would kill the process."""
    file = place / "data.mdb"
    os.truncate(file, file.stat().st_size - cut * PAGE)

    with pytest.raises(IntegrityError, match="cut short"):
        open_store(place, read_only=True)
    with pytest.raises(IntegrityError, match="beyond EOF"):
        open_store(place)


@pytest.mark.parametrize("bit", range(1, 8))
def test_a_commit_number_that_rotted_is_named(place: Path, bit: int) -> None:
    """The engine would take the last commit back, or call the one before the last."""
    file = place / "data.mdb"
    sound = file.read_bytes()
    for page in (0, 1):
        damaged = bytearray(sound)
        damaged[page * PAGE + 144] ^= 1 << bit
        file.write_bytes(damaged)

        assert any("commits" in text for text in check_structure(place))
        with pytest.raises(IntegrityError, match="nothing may be written to it"):
            open_store(place)


def test_a_commit_that_was_taken_back_opens_for_who_is_watched(place: Path) -> None:
    """As LMDB leaves it when the write of the meta page fails.

    The number and the last page are those of two commits before, the roots are new.
    """
    file = place / "data.mdb"
    damaged = bytearray(file.read_bytes())
    numbers = [
        int.from_bytes(damaged[at + 144 : at + 152], "little") for at in (0, PAGE)
    ]
    newer = numbers.index(max(numbers)) * PAGE
    damaged[newer + 144 : newer + 152] = (max(numbers) - 2).to_bytes(8, "little")
    other = PAGE - newer
    damaged[newer + 136 : newer + 144] = damaged[other + 136 : other + 144]
    file.write_bytes(damaged)

    assert any("taken back" in text for text in check_structure(place))
    with pytest.raises(IntegrityError, match="taken back"):
        open_store(place)
    open_store(place, is_watched=True).close()


def test_a_number_that_rotted_in_a_file_that_grew_is_never_taken_for_that(
    place: Path,
) -> None:
    file = place / "data.mdb"
    damaged = bytearray(file.read_bytes())
    numbers = [
        int.from_bytes(damaged[at + 144 : at + 152], "little") for at in (0, PAGE)
    ]
    newer = numbers.index(max(numbers)) * PAGE
    damaged[newer + 144 : newer + 152] = (max(numbers) - 2).to_bytes(8, "little")
    last = int.from_bytes(damaged[newer + 136 : newer + 144], "little")
    damaged[newer + 136 : newer + 144] = (last + 9).to_bytes(8, "little")
    file.write_bytes(damaged)

    with pytest.raises(IntegrityError, match="taken back"):
        open_store(place, is_watched=True)


def test_a_structure_that_is_damaged_is_not_written_to(place: Path) -> None:
    file = place / "data.mdb"
    damaged = bytearray(file.read_bytes())
    damaged[-PAGE + 12] ^= 8
    file.write_bytes(damaged)

    assert check_structure(place)
    with pytest.raises(IntegrityError, match="nothing may be written to it"):
        open_store(place)
    open_store(place, read_only=True).close()


def test_free_pages_may_be_missing_at_the_end_of_the_file(place: Path) -> None:
    pages = (place / "data.mdb").stat().st_size // PAGE

    check_length(place, pages=pages + 3, page=PAGE)

    os.truncate(place / "data.mdb", 5 * PAGE)
    with pytest.raises(IntegrityError, match="cut short"):
        check_length(place, pages=pages, page=PAGE)
