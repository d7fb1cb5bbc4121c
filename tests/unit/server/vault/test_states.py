"""The states that a vault has been in are kept, proved, and found when they rot."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.vault.base import NO_KEYS
from tallystick_server.vault.create import create_vault
from tallystick_server.vault.opening import open_vault
from tallystick_server.vault.states import chained
from tests.unit.server.vault.vaults import ROOT, make, names, raw

TABLE = b"states"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def written(place: Path, *batches: int) -> None:
    """Make a vault in which each write made as many keys."""
    create_vault(place, ROOT)
    vault = open_vault(place, ROOT)
    for number, count in enumerate(batches):
        vault.ensure([b"%d of %d" % (one, number) for one in range(count)])
    vault.close()


def key(count: int) -> bytes:
    return struct.pack(">Q", count)


def quiet(_done: int, _total: int) -> None:
    """Tell nobody."""


def test_a_chain_is_of_the_ids_of_all_keys_in_their_order() -> None:
    one, other = b"1" * 8, b"2" * 8

    ab, ba = (
        chained(chained(NO_KEYS, one), other),
        chained(chained(NO_KEYS, other), one),
    )

    assert len({NO_KEYS, chained(NO_KEYS, one), chained(NO_KEYS, other), ab, ba}) == 5
    assert {len(NO_KEYS), len(ab)} == {16}


def test_the_chain_of_a_vault_is_over_the_keys_that_it_gave(place: Path) -> None:
    create_vault(place, ROOT)
    vault = open_vault(place, ROOT)
    chain = NO_KEYS
    for name in names(5):
        chain = chained(chain, vault.ensure([name])[name].kid)

        assert vault.mark().chain == vault.chain_at(vault.count) == chain
    vault.close()


def test_each_write_leaves_one_state(place: Path) -> None:
    written(place, 3, 1, 200)
    vault = open_vault(place, ROOT)
    vault.ensure([b"0 of 0"])

    assert [count for count, _ in vault.scan_states()] == [3, 4, 204]
    assert [vault.chain_at(count) for count in (1, 2, 5, 203, 205)] == [None] * 5
    assert vault.chain_at(0) == NO_KEYS
    vault.close()


def rot(place: Path, count: int, bit: int) -> None:
    with raw(place, TABLE) as cursor:
        assert cursor.set_key(key(count))
        row = bytearray(cursor.value())
        row[bit // 8] ^= 1 << bit % 8
        cursor.put(key(count), bytes(row))


@pytest.mark.parametrize("bit", [0, 127, 128, 255])
def test_a_state_that_rots_is_found_and_not_taken_for_another_branch(
    place: Path, bit: int
) -> None:
    written(place, 1, 1)
    rot(place, 1, bit)
    vault = open_vault(place, ROOT)

    with pytest.raises(IntegrityError, match="state 1 of the vault is not proved"):
        vault.chain_at(1)
    with pytest.raises(IntegrityError, match="state 1 of the vault is not proved"):
        vault.check_rows(quiet)
    vault.close()


def lose(cursor: lmdb.Cursor[bytes]) -> None:
    cursor.last()
    cursor.delete()


def move(cursor: lmdb.Cursor[bytes]) -> None:
    cursor.last()
    cursor.put(key(9), cursor.value())


def shorten(cursor: lmdb.Cursor[bytes]) -> None:
    cursor.last()
    cursor.put(cursor.key(), cursor.value()[:-1])


def empty(cursor: lmdb.Cursor[bytes]) -> None:
    while cursor.first():
        cursor.delete()


@pytest.mark.parametrize("damage", [lose, move, shorten, empty])
def test_a_last_state_that_is_wrong_is_found_at_the_start(
    place: Path, damage: Callable[[lmdb.Cursor[bytes]], None]
) -> None:
    written(place, 1, 1)
    with raw(place, TABLE) as cursor:
        damage(cursor)

    with pytest.raises(IntegrityError, match=r"last of the vault's states|not proved"):
        open_vault(place, ROOT)


def test_a_state_of_no_count_is_found(place: Path) -> None:
    make(place, keys=1)
    with raw(place, TABLE) as cursor:
        cursor.put(b"\0", bytes(32))
    vault = open_vault(place, ROOT)

    with pytest.raises(IntegrityError, match="a state of no count"):
        vault.check_rows(quiet)
    vault.close()


def test_a_vault_that_knows_a_later_state_makes_no_key(place: Path) -> None:
    """Its file was exchanged under it: the process must end."""
    make(place, keys=1)
    vault = open_vault(place, ROOT)
    with vault._env.begin(write=True) as write:
        write.put(key(99), bytes(32), db=vault._tables.states)

    with pytest.raises(IntegrityError, match="a state later than that of 2 keys"):
        vault.ensure([b"one more"])
    with pytest.raises(StoreError, match="takes no more writes"):
        vault.ensure([b"another"])
    assert vault.count == 1
    vault.close()
