"""Opening: never makes a vault, takes the newest generation, clears what was left."""

import shutil
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
from tallystick_server.vault.opening import newest_generation, open_vault
from tallystick_server.vault.owner import OwnerLock
from tallystick_server.vault.rotation import RotationOrder, rotate
from tests.unit.server.vault.vaults import (
    OTHER_ROOT,
    ROOT,
    copy_as_killed,
    files,
    keys_at,
    make,
    names,
)

WHOLE = ["g1/generation", "g1/vault.lmdb/data.mdb"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def test_a_vault_that_is_not_there_is_not_made(place: Path) -> None:
    with pytest.raises(NotInitialisedError, match=r"no vault at .* vault restore"):
        open_vault(place, ROOT)

    assert not place.exists()


def test_a_directory_without_a_generation_is_no_vault(place: Path) -> None:
    place.mkdir()

    with pytest.raises(IntegrityError, match="holds no generation of a vault"):
        open_vault(place, ROOT)


def test_a_place_that_cannot_be_listed_is_the_disks_fault(place: Path) -> None:
    place.touch()

    with pytest.raises(StoreError, match="cannot read"):
        newest_generation(place)


def test_a_vault_opens_with_its_own_root_key_alone(place: Path) -> None:
    made = make(place, keys=3)

    with pytest.raises(WrongKeyError, match="the root key does not fit the vault"):
        open_vault(place, OTHER_ROOT)

    assert keys_at(place) == made


def test_a_second_owner_is_refused_until_the_first_has_closed(place: Path) -> None:
    make(place)
    first = open_vault(place, ROOT)

    with pytest.raises(LockedError, match="one process owns a vault"):
        open_vault(place, ROOT)

    first.close()
    assert keys_at(place) == {}


@pytest.mark.parametrize("file", WHOLE)
@pytest.mark.parametrize("harm", ["missing", "empty", "noise"])
@pytest.mark.parametrize("read_only", [False, True], ids=["owner", "reader"])
def test_a_file_that_is_gone_or_none_of_ours_is_told(
    place: Path, file: str, harm: str, read_only: bool
) -> None:
    make(place, keys=3)
    (place / file).unlink()
    if harm != "missing":
        (place / file).write_bytes(b"\x5a" * 16384 if harm == "noise" else b"")

    with pytest.raises(IntegrityError) as caught:
        open_vault(place, ROOT, read_only=read_only)

    assert str(place / file) in str(caught.value)


def test_a_file_of_another_vault_does_not_fit(place: Path, tmp_path: Path) -> None:
    make(place, keys=3)
    make(tmp_path / "other", keys=3)
    shutil.copy(tmp_path / "other" / WHOLE[1], place / WHOLE[1])

    with pytest.raises(IntegrityError, match="do not belong together"):
        open_vault(place, ROOT)


def test_rows_that_were_cut_short_are_told(place: Path) -> None:
    make(place, keys=2000)
    data = place / WHOLE[1]
    with data.open("r+b") as file:
        file.truncate(data.stat().st_size // 2 // 4096 * 4096)

    for read_only in (False, True):
        with pytest.raises(IntegrityError):
            open_vault(place, ROOT, read_only=read_only)


def test_a_generation_under_another_number_is_refused(place: Path) -> None:
    make(place)
    (place / "g1").rename(place / "g2")

    with pytest.raises(IntegrityError, match="generation 2 of the vault says that it"):
        open_vault(place, ROOT)


def test_an_environment_variable_does_not_change_the_format(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(place)
    monkeypatch.setenv("LMDB_DEFAULT_LIB_VERSION", "1")

    with pytest.raises(UsageError, match="unset it"):
        open_vault(place, ROOT)


def test_what_a_rotation_left_is_cleared_by_the_next_owner(place: Path) -> None:
    made = make(place, keys=5)
    copy_as_killed(place / "g1", place / ".g2.new")

    assert keys_at(place) == made
    assert files(place) == WHOLE


def test_an_old_generation_is_destroyed_by_the_next_owner(
    place: Path, tmp_path: Path
) -> None:
    made = make(place, keys=5)
    copy_as_killed(place / "g1", tmp_path / "old")
    rotate(RotationOrder(place, None), ROOT, lambda *_: None)
    copy_as_killed(tmp_path / "old", place / "g1")

    assert keys_at(place) == made
    assert files(place) == [file.replace("g1", "g2") for file in WHOLE]


def test_a_newest_generation_that_does_not_open_keeps_the_older_one(
    place: Path, tmp_path: Path
) -> None:
    make(place, keys=5)
    copy_as_killed(place / "g1", tmp_path / "old")
    rotate(RotationOrder(place, None), ROOT, lambda *_: None)
    copy_as_killed(tmp_path / "old", place / "g1")
    (place / "g2" / "generation").unlink()

    with pytest.raises(IntegrityError):
        open_vault(place, ROOT)

    assert WHOLE[0] in files(place)


def lead_out(data: Path) -> None:
    """Make the first item of every page with items lie 32 KiB further on."""
    held = bytearray(data.read_bytes())
    for page in range(2 * 4096, len(held), 4096):
        if held[page + 10] & 2:
            held[page + 17] |= 0x80
    data.write_bytes(held)


@pytest.mark.parametrize("read_only", [False, True], ids=["owner", "reader"])
def test_a_page_that_leads_out_of_the_file_ends_no_process(
    place: Path, read_only: bool
) -> None:
    make(place, keys=3)
    lead_out(place / WHOLE[1])

    with pytest.raises(IntegrityError, match=r"the structure of the store is damaged"):
        open_vault(place, ROOT, read_only=read_only)


def test_a_finding_beside_an_owner_is_no_damage(place: Path) -> None:
    """A walk beside who writes may cross commits; the file is sound all the same."""
    make(place, keys=3)
    data = place / WHOLE[1]
    owner = OwnerLock(place / "owner.lock")
    held = bytearray(data.read_bytes())
    for number in (0, 1):  # both meta pages: how many lists of free pages there are
        held[number * 4096 + 72] += 1
    data.write_bytes(held)

    vault = open_vault(place, ROOT, read_only=True)

    assert vault.count == 3
    vault.close()
    owner.close()
    with pytest.raises(IntegrityError, match="the structure of the store is damaged"):
        open_vault(place, ROOT, read_only=True)


def test_a_reader_clears_nothing_and_needs_no_lock(place: Path) -> None:
    made = make(place, keys=5)
    (place / ".g2.new").mkdir()

    vault = open_vault(place, ROOT, read_only=True)

    assert vault.find(names(5)) == made
    assert (place / ".g2.new").is_dir()
    with pytest.raises(StoreError, match="open for reading only"):
        vault.ensure([b"ann"])
    vault.close()
