"""The LMDB vault passes the suite of vaults, and keeps rules of its own."""

import secrets
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import lmdb
import pytest

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.vault.conformance import CASES, Bench
from tallystick_server.vault.environment import STATE
from tallystick_server.vault.opening import open_vault
from tests.unit.server.vault.vaults import ROOT, LmdbBench, keys_at, make, names, raw


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def damage(place: Path) -> str:
    """Open a vault and every row of it; give the text of what must be found."""
    with pytest.raises(IntegrityError) as caught:
        keys_at(place)
    return str(caught.value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_lmdb_vault_conforms(case: Callable[[Bench], None], tmp_path: Path) -> None:
    case(LmdbBench(tmp_path))


def test_every_key_is_synced_and_no_page_is_written_through_the_map(
    place: Path,
) -> None:
    make(place)

    vault = open_vault(place, ROOT)

    flags = vault._env.flags()
    assert (flags["sync"], flags["metasync"]) == (True, True)
    assert (flags["writemap"], flags["map_async"]) == (False, False)
    assert vault._env.lib_version()[:2] == (0, 9)
    vault.close()


def test_a_write_that_fails_is_the_last_one(place: Path) -> None:
    made = make(place, keys=2)

    def fail(size: int) -> bytes:
        raise OSError("no more random bytes")

    vault = open_vault(place, ROOT, draw=fail)
    with pytest.raises(OSError, match="no more"):
        vault.ensure([b"ann"])
    with pytest.raises(StoreError, match="takes no more writes: no more random"):
        vault.ensure([b"bob"])
    assert vault.find(names(2)) == made
    vault.close()

    assert keys_at(place) == made


def test_a_name_that_is_there_needs_no_write(place: Path) -> None:
    made = make(place, keys=3)

    def fail(size: int) -> bytes:
        raise AssertionError(size)

    vault = open_vault(place, ROOT, draw=fail)

    assert vault.ensure(names(3)) == made
    vault.close()


def test_a_key_id_that_is_taken_is_drawn_again(place: Path) -> None:
    make(place)
    numbers: Iterator[int] = count()

    def draw(size: int) -> bytes:
        if size != 8:
            return secrets.token_bytes(size)
        return (next(numbers) // 3).to_bytes(8, "big")  # each three times, 0 first

    vault = open_vault(place, ROOT, draw=draw)

    kids = {key.kid for key in vault.ensure(names(4)).values()}

    assert kids == {number.to_bytes(8, "big") for number in range(1, 5)}
    vault.close()


def test_a_batch_larger_than_the_map_makes_it_grow(place: Path) -> None:
    make(place)
    vault = open_vault(place, ROOT)
    vault._map._env.set_mapsize(1 << 20)

    made = vault.ensure(names(5000))

    assert len(made) == vault.count == 5000
    vault.close()
    assert keys_at(place) == made


def test_a_vault_that_was_moved_is_not_written(place: Path, tmp_path: Path) -> None:
    make(place, keys=1)
    vault = open_vault(place, ROOT)
    place.rename(tmp_path / "moved")

    with pytest.raises(StoreError, match="the vault was moved or replaced"):
        vault.ensure([b"ann"])

    vault.close()
    assert len(keys_at(tmp_path / "moved")) == 1


def test_a_forked_process_may_not_use_it(place: Path) -> None:
    make(place)
    vault = open_vault(place, ROOT)
    vault._pid += 1

    with pytest.raises(StoreError, match="forked from"):
        vault.find([b"ann"])

    vault._pid -= 1
    vault.close()


def test_closing_twice_does_nothing(place: Path) -> None:
    make(place)
    vault = open_vault(place, ROOT)
    vault.close()

    vault.close()

    assert keys_at(place) == {}


def test_an_error_of_the_engine_becomes_ours(place: Path) -> None:
    make(place)
    vault = open_vault(place, ROOT)

    with pytest.raises(StoreError, match="the vault cannot be read"), vault._reading():
        raise lmdb.MemoryError("no memory")
    with (
        pytest.raises(IntegrityError, match="the vault cannot be read"),
        vault._reading(),
    ):
        raise lmdb.CorruptedError("a page")

    vault.close()


def test_an_error_of_the_engine_stops_the_writes(place: Path) -> None:
    make(place)
    vault = open_vault(place, ROOT)

    with pytest.raises(StoreError, match="the write failed"), vault._writing(2**50):
        raise lmdb.DiskError("gone")

    assert vault._failure is not None
    assert "the disk has only" in vault._failure
    vault.close()


def test_a_key_that_was_lost_is_found_at_the_start(place: Path) -> None:
    make(place, keys=3)
    with raw(place, b"keys") as cursor:
        cursor.first()
        cursor.delete()

    assert "3 names and 2 keys" in damage(place) or "is missing" in damage(place)


def test_a_name_that_was_lost_is_found_at_the_start(place: Path) -> None:
    make(place, keys=3)
    with raw(place, b"names") as cursor:
        cursor.first()
        cursor.delete()

    assert "2 names and 3 keys, its state says 3 of 3" in damage(place)


def test_a_state_that_was_lost_is_found_at_the_start(place: Path) -> None:
    make(place, keys=3)
    with raw(place, b"meta") as cursor:
        assert cursor.set_key(STATE)
        cursor.delete()

    assert "the vault has no state" in damage(place)


def test_a_state_that_was_set_back_is_found_at_the_start(place: Path) -> None:
    make(place, keys=1)
    with raw(place, b"meta") as cursor:
        old = cursor.get(STATE)
        assert old is not None
    vault = open_vault(place, ROOT)
    vault.ensure(names(2))
    vault.close()
    with raw(place, b"meta") as cursor:
        cursor.put(STATE, old)

    assert "2 names and 2 keys, its state says 1 of 1" in damage(place)


def test_a_key_that_is_led_to_by_another_name_is_found(place: Path) -> None:
    make(place, keys=2)
    with raw(place, b"names") as cursor:
        (one, first), (other, second) = list(cursor)
        cursor.put(one, second)
        cursor.put(other, first)
    vault = open_vault(place, ROOT)

    with pytest.raises(IntegrityError, match="is of another name than the one"):
        vault.find(names(2))
    with pytest.raises(IntegrityError, match="no name leads to key"):
        vault.check_rows(lambda _done, _all: None)

    vault.close()


def test_a_name_that_leads_nowhere_is_found(place: Path) -> None:
    make(place, keys=1)
    with raw(place, b"names") as cursor:
        cursor.first()
        cursor.put(cursor.key(), b"nowhere!")
    vault = open_vault(place, ROOT)

    with pytest.raises(IntegrityError, match=f"key {b'nowhere!'.hex()} .* is missing"):
        vault.find(names(1))

    vault.close()


@pytest.mark.parametrize("end", ["first", "last"])
def test_a_row_whose_bytes_rot_is_found(place: Path, end: str) -> None:
    make(place, keys=9)
    with raw(place, b"keys") as cursor:
        getattr(cursor, end)()
        row = bytearray(cursor.value())
        row[50] ^= 4
        cursor.put(cursor.key(), bytes(row))

    assert "does not open: the vault is damaged" in damage(place)


def test_a_pair_that_no_state_counts_is_found(place: Path) -> None:
    make(place, keys=1)
    for table in (b"names", b"keys"):
        with raw(place, table) as cursor:
            cursor.put(b"stranger", b"stranger")

    assert "2 names and 2 keys, its state says 1 of 1" in damage(place)


def test_progress_is_told_while_rows_are_checked(place: Path) -> None:
    make(place, keys=5000)
    vault = open_vault(place, ROOT)
    told: list[tuple[int, int]] = []

    state = vault.check_rows(lambda done, total: told.append((done, total)))

    assert told == [(4096, 5000)]
    assert (state.count, state.rows) == (5000, 5000)
    vault.close()


def test_a_vault_without_its_tables_is_told(place: Path) -> None:
    make(place)
    rows = place / "g1" / "vault.lmdb"
    with lmdb.open(str(rows), max_dbs=8, lib_version=0) as env:
        handle = env.open_db(b"names", create=False)
        with env.begin(write=True) as write:
            write.drop(handle)

    assert "does not hold the tables of a vault" in damage(place)


def test_a_row_that_was_lost_after_the_start_is_found(place: Path) -> None:
    make(place, keys=3)
    vault = open_vault(place, ROOT)
    with vault._env.begin(write=True) as write:
        cursor = write.cursor(vault._tables.keys)
        cursor.first()
        cursor.delete()

    with pytest.raises(IntegrityError, match="3 names and 2 keys, its state says 3"):
        vault.check_rows(lambda _done, _all: None)

    vault.close()


def test_an_id_that_is_no_id_is_of_no_key(place: Path) -> None:
    make(place, keys=1)
    vault = open_vault(place, ROOT)

    assert vault.by_kid([b"", b"1234567", b"123456789"]) == {}

    vault.close()
