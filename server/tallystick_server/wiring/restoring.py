"""Bring logs back from a backup, to be read: never over a log, never to sign (D9).

    data/logs/.NAME.restore/    made for this alone
      each file                 copied, fsynced, its digest that of the manifest
      log.lmdb                  page by page, then entry by entry, as `fsck` does
      restored.json             from here on nothing opens it for writing
    data/logs/NAME              the name, once all of it is durable

What an interrupted restore has left is cleared away by the next one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tallystick_merkle.keys import VerifierKey
from tallystick_server.clock import Clock
from tallystick_server.errors import IntegrityError, StoreError, UsageError
from tallystick_server.log.create import alone
from tallystick_server.log.files import Digest, copy_file, replace_file
from tallystick_server.log.fsck import Known
from tallystick_server.log.keyring import sync_directory
from tallystick_server.log.manifest import (
    STORE,
    VKEYS,
    Manifest,
    SavedFile,
    SavedLog,
    read_manifest,
)
from tallystick_server.log.marker import Marker, format_marker
from tallystick_server.log.paths import (
    RESTORED,
    key_path,
    log_directory,
    restoring_directory,
)
from tallystick_server.storage.base import StoredLog
from tallystick_server.wiring.backing import OnStep
from tallystick_server.wiring.copied import check_copy
from tallystick_server.wiring.opening import parse_vkeys


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    """What to restore: logs of `backup` (all where `names` is empty), below `data`."""

    backup: Path
    data: Path
    names: Collection[str] = ()


def restore(order: RestoreOrder, clock: Clock, on_step: OnStep) -> tuple[SavedLog, ...]:
    """Restore; what is restored is durable and checked when this returns.

    Raises UsageError where a log or its key is in the way, NotInitialisedError for what
    is no backup, IntegrityError for one that is damaged, StoreError when the machine
    fails.  Each log is there whole or not at all.
    """
    logs = _choose(read_manifest(order.backup), order)
    try:
        with alone(order.data):
            for log in logs:
                _check_free(order.data, log.name)
            _check_room(order.data, logs)
            for log in logs:
                _restore(order, log, clock, on_step)
    except OSError as error:
        raise StoreError(
            f"cannot restore {error.filename}: {error.strerror}"
        ) from error
    return logs


def _choose(manifest: Manifest, order: RestoreOrder) -> tuple[SavedLog, ...]:
    """Pick the logs that were asked for; raise UsageError for one that is not there."""
    there = {log.name: log for log in manifest.logs}
    if missing := sorted(set(order.names).difference(there)):
        raise UsageError(
            f"{order.backup} holds no log {missing[0]} (it holds: {', '.join(there)})"
        )
    return tuple(there[name] for name in (sorted(order.names) or there))


def _check_free(data: Path, name: str) -> None:
    """Raise UsageError unless the place of a log, and of its key, is free."""
    if log_directory(data, name).exists():
        raise UsageError(
            f"the log {name} exists below {data}; a log is never overwritten"
        )
    if key_path(data, name).exists():
        raise UsageError(
            f"{key_path(data, name)} exists: a restored log is read-only until it is "
            "promoted; move the key away, and give it to: tallystick server promote"
        )


def _check_room(data: Path, logs: Collection[SavedLog]) -> None:
    found = os.statvfs(data)
    free, needed = found.f_bavail * found.f_frsize, sum(log.bytes for log in logs)
    if free < needed:
        raise StoreError(f"{data} has {free} bytes free, the logs take {needed}")


def _restore(order: RestoreOrder, log: SavedLog, clock: Clock, on_step: OnStep) -> None:
    """Restore one log beside its place, check it, and give it its name."""
    staging = restoring_directory(order.data, log.name)
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir(mode=0o700)
    try:
        _copy_files(order.backup, log, staging, on_step)
        stored = _check(log, staging, on_step)
        marker = Marker(stored.head.size, stored.head.root, clock.now_ms())
        for folder in filter(Path.is_dir, staging.iterdir()):
            sync_directory(folder)
        replace_file(staging / RESTORED, format_marker(marker))  # syncs `staging`
        target = log_directory(order.data, log.name)
        staging.rename(target)  # fails unless the place is free
        sync_directory(target.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _copy_files(backup: Path, log: SavedLog, staging: Path, on_step: OnStep) -> None:
    """Copy each file of the manifest; raise IntegrityError for one that is not it."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        on_step(f"{log.name}: copy", done, log.bytes)

    for file in log.files:
        source, target = backup / "logs" / log.name / file.path, staging / file.path
        target.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            found = copy_file(source, target, count, most=file.digest.size)
        except FileNotFoundError as error:
            raise IntegrityError(f"{source} is missing; take another backup") from error
        if found != file.digest:
            raise IntegrityError(
                f"{source} is not what the manifest says: {_difference(file, found)}; "
                "take another backup"
            )


def _difference(file: SavedFile, found: Digest) -> str:
    """Say how a copy differs; of a file that is too long the rest was not read."""
    if found.size > file.digest.size:
        return f"it has more than {file.digest.size} bytes"
    return f"it has {found.size} bytes and SHA-256 {found.sha256.hex()}"


def _check(log: SavedLog, staging: Path, on_step: OnStep) -> StoredLog:
    """Check a log that was copied; raise unless it is the one of the manifest."""
    key, next_key, recovery_key = _read_vkeys(staging, log)
    stored = check_copy(
        staging / Path(STORE).parent,
        Known(key, next_key, recovery_key),
        is_full=True,
        on_progress=lambda done, total: on_step(f"{log.name}: check", done, total),
    )
    published = None if stored.published is None else stored.published.note.decode()
    said = (log.size, log.root, log.note, log.published)
    head = stored.head
    if said != (head.size, head.root, head.note.decode(), published):
        raise IntegrityError(
            f"the manifest says size {log.size} and root {log.root.hex()} of the log "
            f"{log.name}, the backup holds size {head.size} and root {head.root.hex()}"
        )
    return stored


def _read_vkeys(staging: Path, log: SavedLog) -> tuple[VerifierKey, ...]:
    keys = parse_vkeys(staging / VKEYS)
    if keys[0] != log.key:
        raise IntegrityError(
            f"the manifest says the key of the log {log.name} is another one than the "
            "backup holds"
        )
    return keys
