"""What is copied is an ordinary file, and no more of it than was said."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from tallystick_server.log.files import Digest, copy_file


def test_a_copy_is_what_was_there_and_for_its_owner_alone(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x" * 3_000_000)
    told: list[int] = []

    found = copy_file(source, target, told.append, most=3_000_000)

    assert target.read_bytes() == source.read_bytes()
    assert found == Digest(3_000_000, sha256(b"x" * 3_000_000).digest())
    assert sum(told) == 3_000_000
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("most", [0, 9, 2_000_000])
def test_of_a_file_that_is_too_long_one_byte_too_many_is_copied(
    tmp_path: Path, most: int
) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    with source.open("wb") as file:
        file.truncate(50_000_000)

    found = copy_file(source, target, lambda _: None, most=most)

    assert found.size == target.stat().st_size == most + 1


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "a").symlink_to("secret")

    with pytest.raises(OSError, match="symbolic links"):
        copy_file(tmp_path / "a", tmp_path / "b", lambda _: None)

    assert not (tmp_path / "b").exists()


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")

    with pytest.raises(OSError, match="no ordinary file"):
        copy_file(tmp_path / "a", tmp_path / "b", lambda _: None)

    assert not (tmp_path / "b").exists()
