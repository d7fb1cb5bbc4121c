"""Take a copy of the vault elsewhere, beside its owner, and bring one back.

    DEST.new/generation             the keys, wrapped; the root key is in no copy
    DEST.new/vault.lmdb/data.mdb    one snapshot, copied and fsynced
                                    … and every row of it opened again …
    DEST                            the name, once all of it is durable

So a copy is whole or absent, and was read before anybody relies on it.  It never goes
among the logs' backups: who gets both, and the root key, reads every event; and what is
erased from the vault must not live on in copies of logs.

Not for the process that owns the vault: the environment is opened a second time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tallystick_server.errors import NotInitialisedError, StoreError, UsageError
from tallystick_server.storage.base import VaultMark
from tallystick_server.storage.copying import LOCK_FILE, copy_store
from tallystick_server.storage.environment import DATA_FILE, sync_names
from tallystick_server.storage.structure import require_structure
from tallystick_server.vault.base import Vault
from tallystick_server.vault.create import place_whole
from tallystick_server.vault.files import read_generation, write_generation
from tallystick_server.vault.generation import State
from tallystick_server.vault.opening import newest_generation, open_generation
from tallystick_server.vault.owner import DirectoryLock
from tallystick_server.vault.paths import GENERATION, ROWS, generation_directory
from tallystick_server.vault.root import RootKey

OnStep = Callable[[str, int, int], None]
"""Told what is under way, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that was read whole: of which vault, which generation, which state."""

    vault_id: bytes
    generation: int
    state: State

    @property
    def mark(self) -> VaultMark:
        """The state that every key of the copy is part of."""
        return VaultMark(self.vault_id, self.state.count, self.state.chain)


def back_up(directory: Path, root: RootKey, target: Path, on_step: OnStep) -> Copied:
    """Copy the vault in `directory` to `target`; durable and read when this returns.

    Raises UsageError when there is something in its place, or the place is wrong,
    NotInitialisedError without a vault, LockedError while it is being rotated,
    WrongKeyError when the root key does not fit, IntegrityError for a damaged vault,
    StoreError when the machine fails.  Then there is no copy.
    """
    if not directory.is_dir():
        raise NotInitialisedError(f"no vault at {directory}")
    check_target(directory, target)
    with DirectoryLock(directory):
        place = generation_directory(directory, newest_generation(directory))
        return copy_to(place, root, target, on_step)


def check_target(directory: Path, target: Path) -> None:
    """Raise UsageError unless a copy of the vault may go where it was told to."""
    target = target.absolute()
    fresh = _fresh(target)
    if target.exists():
        raise UsageError(f"{target} exists; a backup is never overwritten")
    if fresh.exists():
        raise UsageError(
            f"{fresh} exists: another backup is under way, or one did not end; then "
            "remove it"
        )
    if not target.parent.is_dir():
        raise UsageError(f"there is no directory {target.parent}")
    if target.resolve().is_relative_to(directory.parent.resolve()):
        raise UsageError(f"{target} lies in {directory.parent}, and is lost with it")
    for above in target.resolve().parents:
        if (above / "manifest.json").exists() and (above / "logs").is_dir():
            raise UsageError(
                f"{above} is a backup of logs; the vault goes elsewhere, so that who "
                "gets the one has not got the other"
            )


def copy_to(place: Path, root: RootKey, target: Path, on_step: OnStep) -> Copied:
    """Copy the generation at `place` to `target`, and read the copy whole.

    Requires a target that `check_target` has passed, and a lock that keeps the
    generation in its place.  Raises as `back_up` does.
    """
    target = target.absolute()
    fresh = _fresh(target)
    try:
        fresh.mkdir(mode=0o700)
        try:
            write_generation(fresh, read_generation(place))
            (fresh / ROWS).mkdir(mode=0o700)
            on_step("copy", 0, 1)
            copy_store(
                place / ROWS,
                fresh / ROWS,
                lambda done, total: on_step("copy", done, total),
            )
            copied = _read_back(fresh, root, on_step)
            on_step("name the backup", 0, 1)
            fresh.rename(target)
            sync_names(target.parent)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreError(f"cannot write {error.filename}: {error.strerror}") from error
    return copied


def restore(
    source: Path,
    directory: Path,
    root: RootKey,
    on_step: OnStep,
    *,
    check: Callable[[Vault], None] = lambda _: None,
) -> Copied:
    """Bring the copy at `source` back to `directory`, every row opened before.

    `check` may refuse it then, still open, by an error of its own.  Raises UsageError
    where there is a vault, NotInitialisedError for what is no copy, and else as
    `back_up` does.  Then nothing is there that was not before.
    """
    if not (source / GENERATION).is_file() or not (source / ROWS / DATA_FILE).is_file():
        raise NotInitialisedError(f"{source} is no backup of a vault")
    generation = read_generation(source)
    found: list[Copied] = []

    def build(staging: Path) -> None:
        place = generation_directory(staging, generation.number)
        place.mkdir(mode=0o700)
        write_generation(place, generation)
        (place / ROWS).mkdir(mode=0o700)
        _copy_file(source / ROWS / DATA_FILE, place / ROWS / DATA_FILE)
        found.append(_read_back(place, root, on_step, check))
        sync_names(place)

    place_whole(directory, build)
    return found[0]


def _read_back(
    place: Path,
    root: RootKey,
    on_step: OnStep,
    check: Callable[[Vault], None] = lambda _: None,
) -> Copied:
    """Open every row of a copy, as the device has it; leave no lock file in it."""
    sync_names(place / ROWS)
    sync_names(place)
    on_step("check", 0, 1)
    require_structure(place / ROWS)
    vault = open_generation(place, root, DirectoryLock(place))
    try:
        with closing(vault):
            state = vault.check_rows(lambda done, all_: on_step("check", done, all_))
            generation = vault.generation
            check(vault)
    finally:
        (place / ROWS / LOCK_FILE).unlink(missing_ok=True)
    return Copied(generation.vault_id, generation.number, state)


def _copy_file(source: Path, target: Path) -> None:
    """Copy an ordinary file into a new one of mode 0600, and fsync it."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    fresh = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with (
        os.fdopen(os.open(source, flags), "rb") as old,
        os.fdopen(os.open(target, fresh, 0o600), "wb") as new,
    ):
        shutil.copyfileobj(old, new, 1024 * 1024)
        new.flush()
        os.fsync(new.fileno())


def _fresh(target: Path) -> Path:
    """Where a copy is made before it gets its name."""
    return target.with_name(target.name + ".new")
