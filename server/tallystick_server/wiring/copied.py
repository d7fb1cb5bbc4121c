"""Check a copy of a store before anybody relies on it.

    quick   opened read-only; head, edge, last bundle and published checkpoint are led
            back to the signed root, as a start does
    full    the structure of the file page by page first, and then each entry, node,
            head and key, as `fsck` does

The lock file that opening leaves is removed: a copy holds the store alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tallystick_server.errors import IntegrityError
from tallystick_server.log.fsck import Known, check_log
from tallystick_server.log.startup import load_state
from tallystick_server.storage.base import StoredLog
from tallystick_server.storage.copying import LOCK_FILE
from tallystick_server.storage.lmdb import open_store
from tallystick_server.storage.structure import check_structure

Progress = Callable[[int, int], None]
"""Told how much is done, and how much there is."""


def check_copy(
    directory: Path, known: Known, *, is_full: bool, on_progress: Progress
) -> StoredLog:
    """Check the copy of a store in `directory`; give where it stands.

    Raises IntegrityError, or WrongKeyError, for a copy that is not whole or not sound.
    Must not be called for a store that somebody else has open.
    """
    if is_full and (problems := check_structure(directory)):
        raise IntegrityError(f"the copy is damaged: {problems[0]}")
    store = open_store(directory, read_only=True)
    try:
        state, published = load_state(store, known.key)
        if is_full:
            report = check_log(store, known, on_progress=on_progress)
            if not report.is_sound:
                raise IntegrityError(
                    f"the copy is damaged: {sum(report.counts.values())} problems, "
                    f"the first: {report.problems[0].text}"
                )
    finally:
        store.close()
        (directory / LOCK_FILE).unlink(missing_ok=True)
    return StoredLog(state.head, published, state.vault)
