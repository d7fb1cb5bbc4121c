"""Rotate the vault: all rows under a new data key, and the old key destroyed.

A row that was deleted lives on in free pages and in copies of the file, and a key that
wrapped it opens it there.  So erasure is this, and not deletion.  In this order, under
the owner's lock and with no reader of the vault left:

    1. data/vault/.gN.new       every row sealed anew, written and synced
    2.                          read again from the device, each compared with the old
    3. the backup               copied from 1, each of its rows opened, named (D16)
    4. data/vault/gN            the name: from here on the new generation counts
    5. the old generation       its keys overwritten, then removed with its rows

A process that ends before 4 leaves the old generation as it was, after 4 the new one;
the next one that owns the vault clears the rest away.
"""

from __future__ import annotations

import secrets
import shutil
from contextlib import closing
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

import lmdb

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.environment import sync_names
from tallystick_server.storage.mapping import MARGIN, GrowingMap
from tallystick_server.vault.copying import Copied, OnStep, check_target, copy_to
from tallystick_server.vault.environment import STATE, Tables, create_rows
from tallystick_server.vault.files import destroy_generation, write_generation
from tallystick_server.vault.generation import IV_SIZE, Cipher, Draw
from tallystick_server.vault.lmdb import PAGES, LmdbVault
from tallystick_server.vault.opening import open_generation, open_vault
from tallystick_server.vault.owner import DirectoryLock
from tallystick_server.vault.paths import ROWS, fresh_directory, generation_directory
from tallystick_server.vault.root import RootKey
from tallystick_server.vault.states import States

_ROWS = 1024


@dataclass(frozen=True, slots=True)
class RotationOrder:
    """Which vault to rotate, and where its backup goes; None for no backup."""

    directory: Path
    backup: Path | None
    draw: Draw = secrets.token_bytes


def rotate(order: RotationOrder, root: RootKey, on_step: OnStep) -> Copied:
    """Rotate; give the new generation. It counts, and the old one is gone, after this.

    Raises LockedError while anybody else has the vault open, UsageError for a backup
    that may not go where it was told to, IntegrityError for a row that does not open or
    was not copied right, StoreError when the machine fails.  Unless it failed while
    destroying, the old generation still counts then.
    """
    directory = order.directory
    if order.backup is not None:
        check_target(directory, order.backup)
    with (
        closing(open_vault(directory, root, draw=order.draw)) as vault,
        DirectoryLock(directory, is_alone=True),
    ):
        number = vault.generation.number
        fresh = fresh_directory(directory, number + 1)
        try:
            on_step("seal", 0, 1)
            fresh.mkdir(mode=0o700)
            made = _seal_anew(vault, fresh, root, order.draw, on_step)
            on_step("compare", 0, 1)
            _compare(vault, fresh, root, on_step)
            if order.backup is not None:
                copy_to(fresh, root, order.backup, on_step)
            on_step("switch", 0, 1)
            fresh.rename(generation_directory(directory, number + 1))
        except OSError as error:
            raise StoreError(
                f"cannot write {error.filename}: {error.strerror}"
            ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        sync_names(directory)  # before the old one goes: one of them is always named
        on_step("destroy", 0, 1)
        destroy_generation(generation_directory(directory, number))
    return made


def _seal_anew(
    vault: LmdbVault, fresh: Path, root: RootKey, draw: Draw, on_step: OnStep
) -> Copied:
    """Write every row under new keys into a new environment; durable after this."""
    cipher, state = vault.follow(root), vault.state()
    write_generation(fresh, cipher.generation)
    env = create_rows(fresh / ROWS)
    try:
        with closing(env):
            growing = GrowingMap(env)
            with env.begin(write=True, buffers=True) as write:
                tables = Tables(env, write, create=True)
                sealed = cipher.seal_state(state, draw(IV_SIZE))
                write.put(STATE, sealed, db=tables.meta)
            done = 0
            with closing(vault.scan()) as scan:
                while chunk := list(islice(scan, _ROWS)):
                    growing.make_room(len(chunk) * PAGES * growing.page + MARGIN)
                    with env.begin(write=True, buffers=True) as write:
                        for handle, key in chunk:
                            row = cipher.seal_key(key, handle, draw(IV_SIZE))
                            write.put(handle, key.kid, db=tables.names)
                            write.put(key.kid, row, db=tables.keys)
                    done += len(chunk)
                    on_step("seal", done, state.rows)
            _carry_states(vault, env, growing, cipher)
    except lmdb.Error as error:
        raise StoreError(f"cannot write {fresh / ROWS}: {error}") from error
    sync_names(fresh)
    return Copied(cipher.generation.vault_id, cipher.generation.number, state)


def _carry_states(
    vault: LmdbVault, env: lmdb.Environment, growing: GrowingMap, cipher: Cipher
) -> None:
    """Write every state that the vault has been in, so that old marks still fit."""
    with closing(vault.scan_states()) as scan:
        while chunk := list(islice(scan, _ROWS)):
            growing.make_room(len(chunk) * PAGES * growing.page + MARGIN)
            with env.begin(write=True, buffers=True) as write:
                states = States(write, Tables(env, write).states, cipher)
                for count, chain in chunk:
                    states.add(count, chain)


def _compare(vault: LmdbVault, fresh: Path, root: RootKey, on_step: OnStep) -> None:
    """Raise IntegrityError unless the new generation holds what the old one does."""
    with (
        closing(open_generation(fresh, root, DirectoryLock(fresh))) as other,
        closing(vault.scan()) as before,
        closing(other.scan()) as after,
        closing(vault.scan_states()) as states_before,
        closing(other.scan_states()) as states_after,
    ):
        state = vault.state()
        is_same = other.state() == state
        for done, (old, new) in enumerate(zip_longest(before, after), start=1):
            is_same = is_same and old == new
            if done % _ROWS == 0:
                on_step("compare", done, state.rows)
        pairs = zip_longest(states_before, states_after)
        is_same = is_same and all(old == new for old, new in pairs)
    if not is_same:
        raise IntegrityError(
            "what was sealed anew is not what was read: the old generation stays; "
            "check the machine's memory and disk"
        )
