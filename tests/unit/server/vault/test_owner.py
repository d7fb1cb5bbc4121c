"""One process owns a vault; those who read it keep a rotation out."""

import os
from pathlib import Path

import pytest

from tallystick_server.errors import LockedError, NotInitialisedError, StoreError
from tallystick_server.vault.owner import DirectoryLock, OwnerLock, is_owned


def test_a_second_owner_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    first = OwnerLock(tmp_path / "owner.lock")

    with pytest.raises(LockedError, match=rf"held by process {os.getpid()}; one"):
        OwnerLock(tmp_path / "owner.lock")

    first.close()
    OwnerLock(tmp_path / "owner.lock").close()


def test_a_holder_that_wrote_no_number_is_another_process(tmp_path: Path) -> None:
    first = OwnerLock(tmp_path / "owner.lock")
    (tmp_path / "owner.lock").write_bytes(b"?")

    with pytest.raises(LockedError, match="held by another process"):
        OwnerLock(tmp_path / "owner.lock")

    first.close()


def test_a_lock_needs_a_directory(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="no vault at"):
        OwnerLock(tmp_path / "missing" / "owner.lock")
    with pytest.raises(NotInitialisedError, match="there is no directory"):
        DirectoryLock(tmp_path / "missing")


def test_a_lock_that_cannot_be_opened_is_the_disks_fault(tmp_path: Path) -> None:
    (tmp_path / "owner.lock").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot open"):
        OwnerLock(tmp_path / "owner.lock")
    with pytest.raises(StoreError, match="cannot open"):
        DirectoryLock(tmp_path / "file")


def test_a_lock_in_its_place_is_fine_and_a_moved_one_is_not(tmp_path: Path) -> None:
    lock = OwnerLock(tmp_path / "owner.lock")

    lock.check_place()
    (tmp_path / "owner.lock").rename(tmp_path / "elsewhere")

    with pytest.raises(StoreError, match="is not the file that was locked"):
        lock.check_place()
    (tmp_path / "owner.lock").touch()
    with pytest.raises(StoreError, match="is not the file that was locked"):
        lock.check_place()
    lock.close()


def test_readers_stand_beside_each_other_and_keep_a_change_out(tmp_path: Path) -> None:
    one, other = DirectoryLock(tmp_path), DirectoryLock(tmp_path)

    with pytest.raises(LockedError, match="is in use: a backup, a rotation"):
        DirectoryLock(tmp_path, is_alone=True)
    one.close()
    other.close()
    alone = DirectoryLock(tmp_path, is_alone=True)
    with pytest.raises(LockedError, match="is in use"):
        DirectoryLock(tmp_path)

    alone.close()


def test_closing_twice_does_nothing(tmp_path: Path) -> None:
    lock, shared = OwnerLock(tmp_path / "owner.lock"), DirectoryLock(tmp_path)

    for held in (lock, shared, lock, shared):
        held.close()

    DirectoryLock(tmp_path, is_alone=True).close()


def test_whether_there_is_an_owner_is_told_and_keeps_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    assert not is_owned(path)
    owner = OwnerLock(path)

    assert is_owned(path)

    owner.close()
    assert not is_owned(path)
    OwnerLock(path).close()


def test_a_lock_that_cannot_be_looked_at_is_the_disks_fault(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot lock .*: Is a directory"):
        is_owned(tmp_path)
