"""A rotation keeps every key, destroys the old generation, and may end anywhere."""

import secrets
import shutil
from pathlib import Path

import pytest

from tallystick_server.errors import (
    IntegrityError,
    LockedError,
    StoreError,
    UsageError,
    WrongKeyError,
)
from tallystick_server.vault.base import check_mark
from tallystick_server.vault.copying import restore
from tallystick_server.vault.create import create_vault
from tallystick_server.vault.files import read_generation
from tallystick_server.vault.generation import Generation
from tallystick_server.vault.opening import open_vault
from tallystick_server.vault.rotation import RotationOrder, rotate
from tests.unit.server.vault.vaults import (
    OTHER_ROOT,
    ROOT,
    copy_as_killed,
    files,
    keys_at,
    make,
    names,
    raw,
)

STEPS = ("seal", "compare", "copy", "check", "name the backup", "switch", "destroy")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "vault"


def quiet(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def quiet_rows(_done: int, _total: int) -> None:
    """Tell nobody."""


def bytes_below(place: Path) -> bytes:
    return b"".join(item.read_bytes() for item in place.rglob("*") if item.is_file())


def test_every_key_is_kept_and_the_old_generation_is_gone(
    place: Path, tmp_path: Path
) -> None:
    made = make(place, keys=30)
    old = read_generation(place / "g1")

    rotated = rotate(RotationOrder(place, tmp_path / "backup"), ROOT, quiet)

    assert (rotated.generation, rotated.state.count, rotated.state.rows) == (2, 30, 30)
    assert keys_at(place) == made
    assert files(place) == ["g2/generation", "g2/vault.lmdb/data.mdb"]
    for wrapped in (old.data_key, old.directory_key):
        assert wrapped.hex().encode() not in bytes_below(tmp_path)


def test_no_row_is_sealed_as_before(place: Path) -> None:
    make(place, keys=30)
    with raw(place, b"keys") as cursor:
        before = {bytes(value)[16:] for _, value in cursor}

    rotate(RotationOrder(place, None), ROOT, quiet)

    after = bytes_below(place)
    assert not [row for row in before if row in after]


def test_the_backup_of_a_rotation_is_of_the_new_generation(
    place: Path, tmp_path: Path
) -> None:
    made = make(place, keys=30)

    rotate(RotationOrder(place, tmp_path / "backup"), ROOT, quiet)
    restore(tmp_path / "backup", tmp_path / "other", ROOT, quiet)

    assert read_generation(tmp_path / "backup") == read_generation(place / "g2")
    assert keys_at(tmp_path / "other") == made


def test_keys_are_made_after_a_rotation_as_before_it(place: Path) -> None:
    made = make(place, keys=3)
    rotate(RotationOrder(place, None), ROOT, quiet)
    vault = open_vault(place, ROOT)

    more = vault.ensure(names(5))

    assert (len(more), vault.count) == (5, 5)
    assert {name: more[name] for name in made} == made
    vault.close()


def test_a_mark_of_before_a_rotation_fits_after_it_and_in_its_backup(
    place: Path, tmp_path: Path
) -> None:
    create_vault(place, ROOT)
    vault = open_vault(place, ROOT)
    marks = [vault.mark()]
    for count in range(1, 1100):
        vault.ensure([b"person %d" % count])
        marks.append(vault.mark())
    vault.close()

    rotate(RotationOrder(place, tmp_path / "backup"), ROOT, quiet)
    restore(tmp_path / "backup", tmp_path / "other", ROOT, quiet)

    for vault in (open_vault(place, ROOT), open_vault(tmp_path / "other", ROOT)):
        for mark in marks:
            check_mark(vault, mark, needed_by="the log audit")
        vault.check_rows(quiet_rows)
        vault.ensure([b"one more"])
        check_mark(vault, marks[-1], needed_by="the log audit")
        vault.close()


def test_an_empty_vault_is_rotated(place: Path) -> None:
    make(place)

    assert rotate(RotationOrder(place, None), ROOT, quiet).generation == 2
    assert keys_at(place) == {}


def test_more_rows_than_one_transaction_takes_are_rotated(place: Path) -> None:
    made = make(place, keys=3000)
    told: dict[str, int] = {}

    def tell(what: str, done: int, _total: int) -> None:
        told[what] = done

    rotate(RotationOrder(place, None), ROOT, tell)

    assert keys_at(place) == made
    assert (told["seal"], told["compare"]) == (3000, 2048)


@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_that_is_killed_leaves_the_old_or_the_new_one(
    place: Path, tmp_path: Path, step: str
) -> None:
    made = make(place, keys=1500)
    moments: list[Path] = []

    def look(what: str, _done: int, _total: int) -> None:
        if what == step:
            moments.append(tmp_path / f"moment-{len(moments)}")
            copy_as_killed(place, moments[-1])

    rotate(RotationOrder(place, tmp_path / "backup"), ROOT, look)

    assert moments
    for moment in moments:
        assert keys_at(moment) == made
        generation = "g2" if step == "destroy" else "g1"
        kept = [f"{generation}/generation", f"{generation}/vault.lmdb/data.mdb"]
        assert files(moment) == kept
        rotate(RotationOrder(moment, None), ROOT, quiet)
        assert keys_at(moment) == made


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", [OSError, MemoryError], ids=lambda kind: kind.__name__)
def test_a_rotation_that_fails_leaves_the_old_or_the_new_one(
    place: Path, tmp_path: Path, step: str, kind: type[Exception]
) -> None:
    made = make(place, keys=1500)

    def fail(what: str, _done: int, _total: int) -> None:
        if what == step:
            raise kind(5, "the machine failed")

    with pytest.raises((StoreError, OSError, MemoryError)):
        rotate(RotationOrder(place, tmp_path / "backup"), ROOT, fail)

    assert keys_at(place) == made
    assert not (tmp_path / "backup.new").exists()
    if (tmp_path / "backup").exists():  # then it is whole
        restore(tmp_path / "backup", tmp_path / "other", ROOT, quiet)
        assert keys_at(tmp_path / "other") == made


@pytest.mark.parametrize("drawn", range(0, 70, 9))
def test_a_rotation_without_random_bytes_changes_nothing(
    place: Path, tmp_path: Path, drawn: int
) -> None:
    made = make(place, keys=60)
    left = drawn

    def draw(size: int) -> bytes:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(5, "no more random bytes", "random")
        return secrets.token_bytes(size)

    order = RotationOrder(place, tmp_path / "backup", draw)
    if drawn < 62:
        with pytest.raises(StoreError, match="no more random bytes"):
            rotate(order, ROOT, quiet)
    else:
        rotate(order, ROOT, quiet)

    assert keys_at(place) == made
    assert (tmp_path / "backup").exists() == (drawn >= 62)


def test_a_rotation_needs_the_root_key(place: Path) -> None:
    made = make(place, keys=3)

    with pytest.raises(WrongKeyError):
        rotate(RotationOrder(place, None), OTHER_ROOT, quiet)

    assert keys_at(place) == made


def test_a_backup_that_may_not_be_there_is_told_before_anything_is_done(
    place: Path,
) -> None:
    make(place, keys=3)

    with pytest.raises(UsageError, match="is lost with it"):
        rotate(RotationOrder(place, place.parent / "backup"), ROOT, quiet)

    assert files(place) == ["g1/generation", "g1/vault.lmdb/data.mdb"]


def test_a_vault_that_somebody_has_open_is_not_rotated(place: Path) -> None:
    make(place, keys=3)

    for read_only in (False, True):
        vault = open_vault(place, ROOT, read_only=read_only)
        with pytest.raises((LockedError, StoreError)):
            rotate(RotationOrder(place, None), ROOT, quiet)
        vault.close()

    assert files(place) == ["g1/generation", "g1/vault.lmdb/data.mdb"]


def test_a_row_that_does_not_open_stops_it(place: Path) -> None:
    make(place, keys=30)
    with raw(place, b"keys") as cursor:
        cursor.first()
        row = bytearray(cursor.value())
        row[-1] ^= 1
        cursor.put(cursor.key(), bytes(row))

    with pytest.raises(IntegrityError, match="does not open"):
        rotate(RotationOrder(place, None), ROOT, quiet)

    assert files(place) == ["g1/generation", "g1/vault.lmdb/data.mdb"]


def fresh_of(place: Path) -> Path:
    return place / ".g2.new"


def lose_a_row(place: Path) -> None:
    """Take a row and its name out of what is being made, and its count."""
    shutil.rmtree(fresh_of(place) / "vault.lmdb")
    shutil.copytree(
        place.parent / "fewer" / "vault.lmdb", fresh_of(place) / "vault.lmdb"
    )
    shutil.copy(place.parent / "fewer" / "generation", fresh_of(place) / "generation")


def test_a_copy_that_is_not_equal_is_found_before_the_switch(place: Path) -> None:
    made = make(place, keys=8)
    make(place.parent / "less", keys=7)
    copy_as_killed(place.parent / "less" / "g1", place.parent / "fewer")

    def exchange(what: str, done: int, _total: int) -> None:
        if (what, done) == ("seal", 8):
            lose_a_row(place)

    with pytest.raises(IntegrityError, match="the old generation stays"):
        rotate(RotationOrder(place, None), ROOT, exchange)

    assert keys_at(place) == made


def test_a_generation_that_was_rotated_twice_has_the_next_number(place: Path) -> None:
    make(place, keys=2)
    seen: list[Generation] = []

    for _ in range(2):
        rotate(RotationOrder(place, None), ROOT, quiet)
        seen.append(open_and_close(place))

    assert [generation.number for generation in seen] == [2, 3]
    assert len({generation.vault_id for generation in seen}) == 1


def open_and_close(place: Path) -> Generation:
    vault = open_vault(place, ROOT)
    vault.close()
    return vault.generation
