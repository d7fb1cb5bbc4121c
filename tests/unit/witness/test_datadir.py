"""One process at a time serves a data directory."""

import fcntl
import os
from pathlib import Path

import pytest

from tallystick_witness.datadir import DataDir, Lock
from tallystick_witness.errors import LockedError, NotInitialisedError


def test_a_second_lock_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    path = DataDir(tmp_path).lock

    with Lock(path), pytest.raises(LockedError, match="another process"):
        Lock(path)

    Lock(path).close()


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")

    flags = fcntl.fcntl(lock._descriptor, fcntl.F_GETFD)

    assert flags & fcntl.FD_CLOEXEC
    assert not os.get_inheritable(lock._descriptor)
    lock.close()


def test_there_is_nothing_to_lock_in_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="not initialised"):
        Lock(tmp_path / "nothing" / "lock")


def test_a_lock_knows_whether_it_still_keeps_others_out(tmp_path: Path) -> None:
    folder = tmp_path / "witness"
    folder.mkdir()
    with Lock(folder / "lock") as lock:
        was_in_place = lock.is_in_place()
        folder.rename(tmp_path / "moved")
        is_in_place_when_moved = lock.is_in_place()
        folder.mkdir()
        (folder / "lock").touch()

        assert not lock.is_in_place()

    assert (was_in_place, is_in_place_when_moved) == (True, False)


def test_the_parts_have_their_places(tmp_path: Path) -> None:
    place = DataDir(tmp_path)

    assert (place.keys, place.store) == (tmp_path / "keys", tmp_path / "store")
