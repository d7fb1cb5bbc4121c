"""Make a vault: the only place, but for a restore, where one comes into being.

    data/.vault.new/                made for this alone, under a lock on `data`
      g1/generation                 the keys, wrapped; durable
      g1/vault.lmdb                 no rows, and the state that says so; durable
    data/vault                      the name: from here on there is a vault

What a crash before that has left, the next one clears away.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import lmdb

from tallystick_server.errors import StoreError, UsageError
from tallystick_server.ops.disk import check_filesystem
from tallystick_server.storage.environment import sync_names
from tallystick_server.vault.environment import STATE, Tables, create_rows
from tallystick_server.vault.files import write_generation
from tallystick_server.vault.generation import EMPTY, IV_SIZE, Draw, make_first
from tallystick_server.vault.owner import DirectoryLock
from tallystick_server.vault.paths import (
    ROWS,
    generation_directory,
    staging_directory,
)
from tallystick_server.vault.root import RootKey


def create_vault(
    directory: Path, root: RootKey, *, draw: Draw = secrets.token_bytes
) -> bytes:
    """Make an empty vault; give its id. It is durable when this returns.

    Requires the directory above.  Raises UsageError when there is a vault already, or
    the file system is unfit, StoreError when it cannot be made.
    """
    cipher = make_first(root, draw)

    def build(staging: Path) -> None:
        place = generation_directory(staging, 1)
        place.mkdir(mode=0o700)
        write_generation(place, cipher.generation)
        env = create_rows(place / ROWS)
        with env, env.begin(write=True, buffers=True) as write:
            tables = Tables(env, write, create=True)
            sealed = cipher.seal_state(EMPTY, draw(IV_SIZE))
            write.put(STATE, sealed, db=tables.meta)
        sync_names(place)

    place_whole(directory, build)
    return cipher.generation.vault_id


def place_whole(directory: Path, build: Callable[[Path], None]) -> None:
    """Build a vault beside its place, and give it its name; raise as above."""
    check_filesystem(directory.parent)
    staging = staging_directory(directory)
    with DirectoryLock(directory.parent, is_alone=True):
        if directory.exists():
            raise UsageError(f"{directory} exists; a vault is never overwritten")
        try:
            if staging.exists():
                shutil.rmtree(staging)
            staging.mkdir(mode=0o700)
            try:
                build(staging)
                sync_names(staging)
                staging.rename(directory)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
        except OSError as error:
            raise StoreError(
                f"cannot make a vault at {directory}: {error.strerror}"
            ) from error
        except lmdb.Error as error:
            raise StoreError(f"cannot make a vault at {directory}: {error}") from error
        sync_names(directory.parent)
