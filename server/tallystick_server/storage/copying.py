"""Copy a store while another process writes it.

The engine copies one snapshot: the state after one commit, whole, however long it
takes.  The copy is compact: pages in use alone, so free pages, and what they held, stay
behind, and the writer's lock is never taken.  While it runs, pages that the writer
frees are not used again, so the original may grow.

Not for the process that writes: it opens the environment a second time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import lmdb

from tallystick_server.errors import StoreError
from tallystick_server.storage.environment import DATA_FILE, open_environment
from tallystick_server.storage.lmdb import MAP_BYTES

LOCK_FILE = "lock.mdb"
"""What the engine leaves beside a store that was opened; it is in no copy."""

_LOOK_S = 0.25
_TRIES = 5


def copy_store(
    directory: Path, target: Path, on_progress: Callable[[int, int], None]
) -> None:
    """Copy the store in `directory` into the empty directory `target`, and fsync it.

    `on_progress` is told of the bytes written, and of the most that there can be.
    Raises NotInitialisedError or IntegrityError as opening does, StoreError when the
    copy fails, for want of space for one.
    """
    env = open_environment(directory, read_only=True, map_bytes=MAP_BYTES)
    file = target / DATA_FILE
    try:
        total = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
        _check_room(target, total)
        _copy(env, target, lambda: on_progress(_length(file), total))
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, 0o600)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"cannot copy to {file}: {error.strerror}") from error
    except lmdb.Error as error:
        raise StoreError(f"cannot copy {directory} to {file}: {error}") from error
    finally:
        env.close()


def _copy(env: lmdb.Environment, target: Path, look: Callable[[], None]) -> None:
    """Copy in a thread, looking at the file meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        for last in reversed(range(_TRIES)):
            copying = pool.submit(env.copy, str(target), compact=True)
            while wait([copying], timeout=_LOOK_S).not_done:
                look()
            try:
                copying.result()
                break
            except lmdb.MapResizedError:  # the writer grew the map since we opened
                if not last:
                    raise
            (target / DATA_FILE).unlink(missing_ok=True)
            env.set_mapsize(0)


def _check_room(target: Path, total: int) -> None:
    """Raise StoreError where a copy of `total` bytes could not fit."""
    found = os.statvfs(target)
    free = found.f_bavail * found.f_frsize
    if free < total:
        raise StoreError(
            f"{target} has {free} bytes free, a copy may take {total}; make room, or "
            "copy to another disk"
        )


def _length(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
