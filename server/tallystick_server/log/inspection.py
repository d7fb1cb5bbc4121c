"""Check a log where it lies: its file first, so that reading it is safe.

While nobody writes, the structure of the file is checked page by page before LMDB
opens it.  While a server writes, that is not possible, and LMDB has the file open and
sound in any case: only the contents are checked, up to the head of the beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tallystick_merkle.hashing import EMPTY_ROOT
from tallystick_server.errors import IntegrityError, LockedError
from tallystick_server.log.findings import Findings, Kind, Problem
from tallystick_server.log.fsck import FsckReport, Known, check_log
from tallystick_server.log.lock import WriterLock
from tallystick_server.log.paths import lock_path, store_directory
from tallystick_server.storage.lmdb import open_store
from tallystick_server.storage.structure import check_structure


def inspect_log(
    data: Path,
    name: str,
    known: Known,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> FsckReport:
    """Check the log `name` below `data`; see `fsck.check_log`.

    A store that cannot be opened is a report with problems, not an error.  Raises
    NotInitialisedError when there is no such log, UsageError for one of a newer
    format, StoreError when the machine fails.
    """
    directory = store_directory(data, name)
    try:
        with WriterLock(lock_path(data, name)):
            problems = check_structure(directory)
    except LockedError:
        problems = []  # a server writes it
    if problems:
        return _unreadable(problems)
    try:
        store = open_store(directory, read_only=True)
    except IntegrityError as error:
        return _unreadable([str(error)])
    try:
        return check_log(store, known, on_progress=on_progress)
    finally:
        store.close()


def _unreadable(texts: list[str]) -> FsckReport:
    """Report a store of which nothing but this can be said."""
    findings = Findings()
    for text in texts:
        findings.add(Problem(Kind.STORE, text))
    problems = tuple(findings.problems)
    return FsckReport(0, EMPTY_ROOT, 0, 0, problems, dict(findings.counts), (), 0)
