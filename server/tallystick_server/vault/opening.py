"""Open the vault, by its one owner or to read it beside the owner.

Opening never makes anything.  The owner, once the newest generation has proved to open,
destroys what rotations have left: a generation that never got its name, and an older
one that a rotation did not come to destroy.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from tallystick_server.errors import IntegrityError, NotInitialisedError, StoreError
from tallystick_server.storage.environment import sync_names
from tallystick_server.vault.environment import open_rows
from tallystick_server.vault.files import destroy_generation, read_generation
from tallystick_server.vault.generation import Cipher, Draw
from tallystick_server.vault.lmdb import LmdbVault
from tallystick_server.vault.owner import DirectoryLock, OwnerLock
from tallystick_server.vault.paths import (
    ROWS,
    generation_directory,
    generation_numbers,
    lock_path,
    unfinished,
)
from tallystick_server.vault.root import RootKey


def open_vault(
    directory: Path,
    root: RootKey,
    *,
    read_only: bool = False,
    draw: Draw = secrets.token_bytes,
) -> LmdbVault:
    """Open the vault in `directory`, and hold it until it is closed.

    Its owner is one process; any number may read beside it.  Raises
    NotInitialisedError when there is none, LockedError when another process owns it,
    WrongKeyError when the root key does not fit, IntegrityError when it is damaged.
    """
    if not directory.is_dir():
        raise NotInitialisedError(
            f"no vault at {directory}: the first log of events makes one (tallystick "
            "server init --kind events); bring one back with: tallystick server vault "
            "restore"
        )
    lock = DirectoryLock(directory) if read_only else OwnerLock(lock_path(directory))
    try:
        number = newest_generation(directory)
        place = generation_directory(directory, number)
        owner = lock_path(directory)
        vault = open_generation(place, root, lock, beside=owner, draw=draw)
        try:
            _check_number(vault, number)
            if not read_only:
                _clear(directory)
        except BaseException:
            vault.close()
            raise
    except BaseException:
        lock.close()
        raise
    return vault


def open_generation(
    place: Path,
    root: RootKey,
    lock: OwnerLock | DirectoryLock,
    *,
    beside: Path | None = None,
    draw: Draw = secrets.token_bytes,
) -> LmdbVault:
    """Open one generation under a lock, which is closed with it.

    With a shared lock, `beside` is the owner's lock file, if there may be an owner.
    Raises as above; the lock is closed then, too.
    """
    try:
        cipher = Cipher.unwrap(read_generation(place), root)
        read_only = isinstance(lock, DirectoryLock)
        env = open_rows(place / ROWS, read_only=read_only, beside=beside)
        try:
            return LmdbVault(env, cipher, lock=lock, draw=draw)
        except BaseException:
            env.close()
            raise
    except BaseException:
        lock.close()
        raise


def newest_generation(directory: Path) -> int:
    """Give the number of the generation that counts. Raises IntegrityError."""
    try:
        numbers = generation_numbers(directory)
    except OSError as error:
        raise StoreError(f"cannot read {directory}: {error.strerror}") from error
    if not numbers:
        raise IntegrityError(
            f"{directory} holds no generation of a vault; restore a backup of it"
        )
    return numbers[-1]


def _check_number(vault: LmdbVault, number: int) -> None:
    if vault.generation.number != number:
        raise IntegrityError(
            f"generation {number} of the vault says that it is "
            f"{vault.generation.number}; restore a backup of it"
        )


def _clear(directory: Path) -> None:
    """Remove what rotations have left. Raises StoreError."""
    try:
        for fresh in unfinished(directory):
            shutil.rmtree(fresh)
        older = generation_numbers(directory)[:-1]
    except OSError as error:
        raise StoreError(f"cannot clear {directory}: {error.strerror}") from error
    for old in older:
        destroy_generation(generation_directory(directory, old))
    sync_names(directory)
