from __future__ import annotations

import fcntl
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tallystick_client.errors import StateError, UsageError
from tallystick_client.files import (
    locked,
    make_directory,
    read_given,
    read_small,
    remove_files,
    write_files,
)


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def test_files_are_written_and_replaced_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    write_files(folder, {"x": b"old", "y": b"1"})

    paths = write_files(folder, {"x": b"new"})

    assert paths == (folder / "x",)
    assert (folder / "x").read_bytes() == b"new"
    assert names(folder) == {"x", "y"}
    assert stat.S_IMODE((folder / "x").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_write_that_fails_leaves_the_old_files_and_no_new_one(tmp_path: Path) -> None:
    write_files(tmp_path, {"x": b"old"})
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "inside").write_bytes(b"")

    with pytest.raises(StateError, match="cannot write below"):
        write_files(tmp_path, {"y": b"new", "x": b"new"})

    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == {"x", "y"}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk on which a longer file cannot be written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_not_filled_with_pieces(tmp_path: Path) -> None:
    with files_of_at_most(10), pytest.raises(StateError, match="cannot write below"):
        write_files(tmp_path, {"x": b"small", "y": b"over ten bytes"})

    assert names(tmp_path) == set()


def test_a_directory_in_a_file_is_our_own_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StateError, match="cannot make"):
        make_directory(tmp_path / "file" / "below")


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_small(tmp_path / "x", limit=10) is None


def test_a_file_over_its_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")

    assert read_small(tmp_path / "x", limit=5) == b"12345"
    with pytest.raises(StateError, match="longer than 4 bytes"):
        read_small(tmp_path / "x", limit=4)


def test_a_file_that_the_user_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="policy: there is no file"):
        read_given(tmp_path / "x", limit=10, what="policy")


def test_a_directory_in_place_of_a_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        read_given(tmp_path, limit=10, what="policy")


def test_removing_takes_what_is_there(tmp_path: Path) -> None:
    write_files(tmp_path, {"x": b"", "y": b""})

    remove_files(tmp_path, ["x", "never"])

    assert names(tmp_path) == {"y"}


def test_a_lock_is_held_against_others(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"

    with locked(path):
        other = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
    with locked(path):
        pass


def test_a_lock_that_cannot_be_made_is_our_own_error(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()

    with pytest.raises(StateError, match="cannot lock"), locked(tmp_path / "lock"):
        pass
