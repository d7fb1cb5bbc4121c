"""Making a vault: whole or not at all, and never over another one."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from tallystick_server.errors import (
    LockedError,
    NotInitialisedError,
    ServerError,
    UsageError,
)
from tallystick_server.vault.create import create_vault
from tallystick_server.vault.opening import open_vault
from tallystick_server.vault.owner import DirectoryLock
from tests.unit.server.vault.vaults import ROOT, files, keys_at, make


def test_a_new_vault_is_empty_and_its_files_are_its_owners(tmp_path: Path) -> None:
    place = tmp_path / "vault"

    made = create_vault(place, ROOT)

    vault = open_vault(place, ROOT)
    assert (vault.id, vault.count) == (made, 0)
    vault.close()
    modes = {stat.S_IMODE(item.stat().st_mode) for item in [place, *place.rglob("*")]}
    assert modes == {0o600, 0o700}


def test_a_vault_is_never_overwritten(tmp_path: Path) -> None:
    made = make(tmp_path / "vault", keys=3)

    with pytest.raises(UsageError, match="a vault is never overwritten"):
        create_vault(tmp_path / "vault", ROOT)

    assert keys_at(tmp_path / "vault") == made


def test_what_a_crash_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".vault.new" / "g1").mkdir(parents=True)
    (tmp_path / ".vault.new" / "g1" / "generation").write_bytes(b"half")

    create_vault(tmp_path / "vault", ROOT)

    assert keys_at(tmp_path / "vault") == {}
    assert [item.name for item in tmp_path.iterdir()] == ["vault"]


@pytest.mark.parametrize("step", range(5))
def test_a_vault_that_was_not_finished_is_none(tmp_path: Path, step: int) -> None:
    drawn = 0

    def draw(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        if drawn > step:
            raise OSError(5, "the device failed")
        return secrets.token_bytes(size)

    with suppress(ServerError, OSError):
        create_vault(tmp_path / "vault", ROOT, draw=draw)

    assert drawn == min(step + 1, 4)
    if drawn > step:
        assert files(tmp_path) == []
        create_vault(tmp_path / "vault", ROOT)
    assert keys_at(tmp_path / "vault") == {}


def test_two_do_not_make_one_at_once(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path, is_alone=True), pytest.raises(LockedError):
        create_vault(tmp_path / "vault", ROOT)

    assert files(tmp_path) == []


def test_a_vault_needs_a_directory_above_it(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="there is no directory"):
        create_vault(tmp_path / "missing" / "vault", ROOT)


def test_the_name_is_given_last(tmp_path: Path) -> None:
    seen: list[bool] = []

    def draw(size: int) -> bytes:
        seen.append((tmp_path / "vault").exists())
        return os.urandom(size)

    create_vault(tmp_path / "vault", ROOT, draw=draw)

    assert seen
    assert not any(seen)
