"""A copy of the vault is whole or absent, was read, and fits its root key alone."""

import shutil
import stat
from pathlib import Path

import pytest

from tallystick_server.errors import (
    IntegrityError,
    LockedError,
    NotInitialisedError,
    StoreError,
    UsageError,
    WrongKeyError,
)
from tallystick_server.vault.base import Vault, check_mark
from tallystick_server.vault.copying import back_up, restore
from tallystick_server.vault.opening import open_vault
from tallystick_server.vault.owner import DirectoryLock
from tallystick_server.vault.rotation import RotationOrder, rotate
from tests.unit.server.vault.vaults import (
    OTHER_ROOT,
    ROOT,
    files,
    keys_at,
    make,
    names,
    raw,
)

COPY = ["generation", "vault.lmdb/data.mdb"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "vault"


def quiet(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def test_a_copy_holds_all_keys_and_comes_back_as_it_was(
    place: Path, tmp_path: Path
) -> None:
    made = make(place, keys=50)

    copied = back_up(place, ROOT, tmp_path / "copy", quiet)
    back = restore(tmp_path / "copy", tmp_path / "other", ROOT, quiet)

    assert back == copied
    assert (copied.mark.vault_id, copied.mark.count) == (copied.vault_id, 50)
    assert keys_at(tmp_path / "other") == keys_at(place) == made
    assert files(tmp_path / "copy") == COPY


def test_a_copy_is_for_its_owner_only_and_has_no_lock_file(
    place: Path, tmp_path: Path
) -> None:
    make(place, keys=5)

    back_up(place, ROOT, tmp_path / "copy", quiet)

    found = [tmp_path / "copy", *(tmp_path / "copy").rglob("*")]
    assert {stat.S_IMODE(item.stat().st_mode) for item in found} == {0o600, 0o700}
    assert "lock.mdb" not in {item.name for item in found}


def test_a_copy_holds_neither_the_root_key_nor_a_name_nor_a_key(
    place: Path, tmp_path: Path
) -> None:
    made = make(place, keys=20)
    back_up(place, ROOT, tmp_path / "copy", quiet)

    held = b"".join((tmp_path / "copy" / name).read_bytes() for name in COPY)

    parts = [part for key in made.values() for part in (key.dek, key.secret)]
    for secret in [b"\x01" * 32, b"01" * 32, *made, *parts]:
        assert secret not in held
        assert secret.hex().encode() not in held


def test_without_a_vault_there_is_no_copy(place: Path, tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="no vault at"):
        back_up(place, ROOT, tmp_path / "copy", quiet)


def test_a_copy_goes_to_a_free_place_outside_of_the_data(
    place: Path, tmp_path: Path
) -> None:
    make(place)
    (tmp_path / "there").mkdir()
    (tmp_path / "half.new").mkdir()
    (tmp_path / "logs-backup" / "logs").mkdir(parents=True)
    (tmp_path / "logs-backup" / "manifest.json").touch()
    (tmp_path / "link").symlink_to(place.parent)
    places = {
        "there": "never overwritten",
        "half": "half.new exists: another backup",
        "missing/copy": "there is no directory",
        "data/copy": "lies in .*/data, and is lost with it",
        "link/copy": "lies in .*/data, and is lost with it",
        "logs-backup/vault": "is a backup of logs",
        "logs-backup/logs/vault": "is a backup of logs",
    }

    for name, why in places.items():
        before = files(tmp_path)
        with pytest.raises(UsageError, match=why):
            back_up(place, ROOT, tmp_path / name, quiet)
        assert files(tmp_path) == before


def test_a_copy_needs_the_root_key(place: Path, tmp_path: Path) -> None:
    make(place, keys=3)

    with pytest.raises(WrongKeyError):
        back_up(place, OTHER_ROOT, tmp_path / "copy", quiet)

    assert sorted(item.name for item in tmp_path.iterdir()) == ["data"]


def test_a_damaged_vault_gives_no_copy(place: Path, tmp_path: Path) -> None:
    made = make(place, keys=200)
    with raw(place, b"keys") as cursor:
        assert cursor.set_key(made[b"person 7"].kid)
        row = bytearray(cursor.value())
        row[60] ^= 1
        cursor.put(cursor.key(), bytes(row))

    with pytest.raises(IntegrityError, match="does not open"):
        back_up(place, ROOT, tmp_path / "copy", quiet)

    assert sorted(item.name for item in tmp_path.iterdir()) == ["data"]


def test_while_it_is_rotated_there_is_no_copy(place: Path, tmp_path: Path) -> None:
    make(place)

    with DirectoryLock(place, is_alone=True), pytest.raises(LockedError):
        back_up(place, ROOT, tmp_path / "copy", quiet)

    assert not (tmp_path / "copy").exists()


def test_a_copy_that_fails_at_its_end_leaves_nothing(
    place: Path, tmp_path: Path
) -> None:
    make(place, keys=3)

    def fail(what: str, _done: int, _total: int) -> None:
        if what == "name the backup":
            raise OSError(28, "No space left on device", "copy")

    with pytest.raises(StoreError, match="cannot write copy: No space left"):
        back_up(place, ROOT, tmp_path / "copy", fail)

    assert sorted(item.name for item in tmp_path.iterdir()) == ["data"]


def test_a_vault_is_never_overwritten_by_a_copy(place: Path, tmp_path: Path) -> None:
    made = make(place, keys=3)
    back_up(place, ROOT, tmp_path / "copy", quiet)

    with pytest.raises(UsageError, match="a vault is never overwritten"):
        restore(tmp_path / "copy", place, ROOT, quiet)

    assert keys_at(place) == made


def test_a_copy_comes_back_with_its_own_root_key_alone(
    place: Path, tmp_path: Path
) -> None:
    make(place, keys=3)
    back_up(place, ROOT, tmp_path / "copy", quiet)

    with pytest.raises(WrongKeyError, match="the root key does not fit the vault"):
        restore(tmp_path / "copy", tmp_path / "other", OTHER_ROOT, quiet)

    assert sorted(item.name for item in tmp_path.iterdir()) == ["copy", "data"]


@pytest.mark.parametrize("missing", COPY)
def test_what_is_no_copy_does_not_come_back(
    place: Path, tmp_path: Path, missing: str
) -> None:
    make(place)
    back_up(place, ROOT, tmp_path / "copy", quiet)
    (tmp_path / "copy" / missing).unlink()

    with pytest.raises(NotInitialisedError, match="is no backup of a vault"):
        restore(tmp_path / "copy", tmp_path / "other", ROOT, quiet)


@pytest.mark.parametrize("part", range(16))
def test_a_copy_with_a_flipped_bit_comes_back_whole_or_not_at_all(
    place: Path, tmp_path: Path, part: int
) -> None:
    made = make(place, keys=60)
    back_up(place, ROOT, tmp_path / "copy", quiet)
    data = tmp_path / "copy" / COPY[1]
    held = bytearray(data.read_bytes())
    held[len(held) * part // 16 + 97] ^= 1 << part % 8
    data.write_bytes(bytes(held))

    try:
        restore(tmp_path / "copy", tmp_path / "other", ROOT, quiet)
    except IntegrityError:
        assert not (tmp_path / "other").exists()
    else:
        assert keys_at(tmp_path / "other") == made


def test_a_check_of_ones_own_may_refuse_a_copy(place: Path, tmp_path: Path) -> None:
    make(place, keys=3)
    back_up(place, ROOT, tmp_path / "copy", quiet)

    def refuse(vault: Vault) -> None:
        raise IntegrityError(f"too old: {vault.count}")

    with pytest.raises(IntegrityError, match="too old: 3"):
        restore(tmp_path / "copy", tmp_path / "other", ROOT, quiet, check=refuse)

    assert not (tmp_path / "other").exists()


def test_an_older_copy_that_goes_on_is_refused_by_the_mark_of_the_log(
    place: Path, tmp_path: Path
) -> None:
    make(place, keys=3)
    back_up(place, ROOT, tmp_path / "copy", quiet)
    vault = open_vault(place, ROOT)
    vault.ensure(names(9))
    mark = vault.mark()
    vault.close()
    restore(tmp_path / "copy", tmp_path / "other", ROOT, quiet)

    older = open_vault(tmp_path / "other", ROOT)

    older.ensure([b"a stranger"])
    with pytest.raises(IntegrityError, match="needs vault state 9, this vault has 4"):
        check_mark(older, mark, needed_by="the log audit")
    older.close()


def test_an_older_copy_that_made_more_keys_of_its_own_is_refused_by_the_mark(
    place: Path, tmp_path: Path
) -> None:
    """It has more keys than the log needs, and not the one that the log needs."""
    make(place, keys=100)
    back_up(place, ROOT, tmp_path / "copy", quiet)
    vault = open_vault(place, ROOT)
    before = vault.mark()
    vault.ensure([b"alice, after the backup"])
    mark = vault.mark()
    vault.close()
    restore(tmp_path / "copy", tmp_path / "other", ROOT, quiet)
    for drill in (1, 10):
        branch = open_vault(tmp_path / "other", ROOT)
        branch.ensure([b"drill %d" % number for number in range(drill)])

        check_mark(branch, before, needed_by="the log audit")
        with pytest.raises(
            IntegrityError, match="state 101 of another branch: this is"
        ):
            check_mark(branch, mark, needed_by="the log audit")
        branch.close()


def test_a_copy_of_before_a_rotation_comes_back(place: Path, tmp_path: Path) -> None:
    made = make(place, keys=3)
    back_up(place, ROOT, tmp_path / "copy", quiet)
    rotate(RotationOrder(place, None), ROOT, quiet)
    shutil.rmtree(place)

    restore(tmp_path / "copy", place, ROOT, quiet)

    assert keys_at(place) == made
