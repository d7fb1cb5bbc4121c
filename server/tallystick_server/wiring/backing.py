"""Take a backup of logs, beside the server that writes them or without one (D9).

    DEST.new/                        made for this backup alone
      logs/NAME/log.lmdb/data.mdb    one snapshot, copied and fsynced
      logs/NAME/vkeys, evidence/     copied and fsynced
      … each store read again from the device and led back to its signed root …
      manifest.json                  the digest of each file; written last
    DEST                             the name, once all of it is durable

So a backup is whole or absent.  It holds no secret and nothing that must not go back
with the log: no key, no token (one that was revoked since would work again), no anchor.
Never to be called in the process that serves: the engine's locks are per process.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tallystick_merkle.policy import Policy
from tallystick_server.clock import Clock
from tallystick_server.errors import StoreError, UsageError
from tallystick_server.log.files import copy_file, digest_file, replace_file
from tallystick_server.log.fsck import Known
from tallystick_server.log.keyring import sync_directory
from tallystick_server.log.manifest import (
    EVIDENCE,
    FILE_NAME,
    STORE,
    Manifest,
    SavedFile,
    SavedLog,
    format_manifest,
)
from tallystick_server.log.paths import (
    evidence_directory,
    log_directory,
    store_directory,
    vkeys_path,
)
from tallystick_server.storage.copying import copy_store
from tallystick_server.wiring.copied import check_copy
from tallystick_server.wiring.opening import read_vkeys

_KEPT = re.compile(r"head-[0-9a-f]{16}\.json", re.ASCII)

OnStep = Callable[[str, int, int], None]
"""Told what is under way, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class BackupOrder:
    """What to back up: the logs of `data` and the policy of each, and where to.

    `is_checked` asks for a check of every entry of the copy.
    """

    data: Path
    policies: Mapping[str, Policy | None]
    target: Path
    is_checked: bool = False


def back_up(order: BackupOrder, clock: Clock, on_step: OnStep) -> Manifest:
    """Take a backup; it is durable and checked when this returns.

    Raises UsageError when there is something in its place, NotInitialisedError for a
    log that is not there, IntegrityError for one that is damaged, StoreError when the
    machine fails.  Then there is no backup.
    """
    target = order.target.absolute()
    fresh = target.with_name(target.name + ".new")
    _check_place(order.data, target, fresh)
    try:
        fresh.mkdir(mode=0o700)
        try:
            (fresh / "logs").mkdir(mode=0o700)
            made_ms = clock.now_ms()
            saved = [
                _save(order, fresh, name, on_step) for name in sorted(order.policies)
            ]
            manifest = Manifest(made_ms, tuple(saved))
            sync_directory(fresh / "logs")
            replace_file(fresh / FILE_NAME, format_manifest(manifest))  # syncs `fresh`
            fresh.rename(target)
            sync_directory(target.parent)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreError(f"cannot write {error.filename}: {error.strerror}") from error
    return manifest


def _check_place(data: Path, target: Path, fresh: Path) -> None:
    """Raise UsageError unless the backup may go where it was told to."""
    if target.exists():
        raise UsageError(f"{target} exists; a backup is never overwritten")
    if fresh.exists():
        raise UsageError(
            f"{fresh} exists: another backup is under way, or one did not end; then "
            "remove it"
        )
    if not target.parent.is_dir():
        raise UsageError(f"there is no directory {target.parent}")
    if target.is_relative_to(data.absolute()):
        raise UsageError(f"{target} lies in {data}, and would be lost with it")


def _save(order: BackupOrder, fresh: Path, name: str, on_step: OnStep) -> SavedLog:
    """Copy one log and check the copy."""
    key, next_key, recovery_key = read_vkeys(order.data, name)
    place = fresh / "logs" / name
    store = place / Path(STORE).parent
    for folder in (place, store):
        folder.mkdir(mode=0o700)
    copy_store(
        store_directory(order.data, name),
        store,
        lambda done, total: on_step(f"{name}: copy", done, total),
    )
    for path in _small_files(order.data, name):
        (place / path).parent.mkdir(mode=0o700, exist_ok=True)
        copy_file(log_directory(order.data, name) / path, place / path, lambda _: None)
    stored = check_copy(
        store,
        Known(key, next_key, recovery_key, order.policies[name]),
        is_full=order.is_checked,
        on_progress=lambda done, total: on_step(f"{name}: check", done, total),
    )
    files = _digest_all(place, name, on_step)
    for folder in (*filter(Path.is_dir, place.iterdir()), place):
        sync_directory(folder)
    published = stored.published
    return SavedLog(
        name,
        key,
        stored.head.size,
        stored.head.root,
        stored.head.note.decode(),
        None if published is None else published.note.decode(),
        files,
    )


def _small_files(data: Path, name: str) -> list[str]:
    """Name what else is kept of a log: its vkeys, and evidence against it."""
    folder = evidence_directory(data, name)
    kept = sorted(folder.iterdir()) if folder.is_dir() else []
    evidence = [
        f"{EVIDENCE}/{file.name}" for file in kept if _KEPT.fullmatch(file.name)
    ]
    return [vkeys_path(data, name).name, *evidence]


def _digest_all(place: Path, name: str, on_step: OnStep) -> tuple[SavedFile, ...]:
    """Hash every file of a copied log, as it is read from the device."""
    paths = sorted(file for file in place.rglob("*") if file.is_file())
    total = sum(file.stat().st_size for file in paths)
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        on_step(f"{name}: digest", done, total)

    return tuple(
        SavedFile(str(file.relative_to(place)), digest_file(file, count))
        for file in paths
    )
