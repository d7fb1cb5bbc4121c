"""Vaults in a temporary directory, for the tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from tallystick_server.vault.base import Vault, VaultKey
from tallystick_server.vault.create import create_vault
from tallystick_server.vault.lmdb import LmdbVault
from tallystick_server.vault.opening import newest_generation, open_vault
from tallystick_server.vault.paths import ROWS, generation_directory
from tallystick_server.vault.root import HeldRoot

ROOT = HeldRoot(b"\x01" * 32)
OTHER_ROOT = HeldRoot(b"\x02" * 32)


def names(count: int) -> list[bytes]:
    """Names of as many people."""
    return [b"person %d" % number for number in range(count)]


def make(place: Path, *, keys: int = 0) -> dict[bytes, VaultKey]:
    """Make a vault with as many keys at `place`; give them."""
    create_vault(place, ROOT)
    vault = open_vault(place, ROOT)
    made = vault.ensure(names(keys))
    vault.close()
    return made


def keys_at(place: Path) -> dict[bytes, VaultKey]:
    """Open a vault as its owner, check every row, and give the keys of `names`."""
    vault = open_vault(place, ROOT)
    try:
        vault.check_rows(lambda _done, _all: None)
        return vault.find(names(5000))
    finally:
        vault.close()


def files(place: Path) -> list[str]:
    """Name the files below a place, those of locks left out."""
    found = (item.relative_to(place) for item in place.rglob("*") if item.is_file())
    return sorted(str(path) for path in found if "lock" not in path.name)


def copy_as_killed(place: Path, to: Path) -> None:
    """Copy a vault as it lies on the disk, as if its process ended at this moment."""
    shutil.copytree(place, to, ignore=shutil.ignore_patterns("lock.mdb", "owner.lock"))


@contextmanager
def raw(place: Path, table: bytes) -> Iterator[lmdb.Cursor[bytes]]:
    """Change a table of the newest generation behind the vault's back."""
    rows = generation_directory(place, newest_generation(place)) / ROWS
    with lmdb.open(str(rows), max_dbs=8, lib_version=0) as env:
        handle = env.open_db(table, create=False)
        with env.begin(write=True, db=handle) as write:
            yield write.cursor()


class LmdbBench:
    """Makes vaults in LMDB."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._places: dict[bytes, Path] = {}

    def create(self) -> LmdbVault:
        place = self._directory / f"vault-{len(self._places)}"
        self._places[create_vault(place, ROOT)] = place
        return open_vault(place, ROOT)

    def reopen(self, vault: Vault) -> LmdbVault:
        place = self._places[vault.id]
        vault.close()
        return open_vault(place, ROOT)
