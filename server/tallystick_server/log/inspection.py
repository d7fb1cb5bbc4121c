"""Check a log where it lies: its file first, so that reading it is safe.

While nobody writes, the structure of the file is checked page by page before LMDB
opens it.  Writers are kept out meanwhile by their own lock, taken shared: nothing is
written, so a copy on a medium that cannot be written is checked like any other.  While
a server writes, that is not possible, and LMDB has the file open and sound in any case:
only the contents are checked, up to the head of the beginning.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tallystick_merkle.hashing import EMPTY_ROOT
from tallystick_server.errors import IntegrityError, NotInitialisedError, StoreError
from tallystick_server.log.findings import Findings, Kind, Problem
from tallystick_server.log.fsck import FsckReport, Known, check_log
from tallystick_server.log.paths import lock_path, log_directory, store_directory
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
    NotInitialisedError when there is no such log, UsageError for one of another
    format, StoreError when the machine fails.
    """
    if not log_directory(data, name).is_dir():
        raise NotInitialisedError(
            f"no log at {log_directory(data, name)}; make one with: "
            "tallystick server init"
        )
    directory = store_directory(data, name)
    with _writers_kept_out(lock_path(data, name)) as is_quiet:
        problems = check_structure(directory) if is_quiet else []
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


@contextmanager
def _writers_kept_out(path: Path) -> Iterator[bool]:
    """Keep writers out for a block by their lock; give False where one holds it.

    A copy may come without the lock's file: then nobody has written it here.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _unreadable(texts: list[str]) -> FsckReport:
    """Report a store of which nothing but this can be said."""
    findings = Findings()
    for text in texts:
        findings.add(Problem(Kind.STORE, text))
    problems = tuple(findings.problems)
    return FsckReport(0, EMPTY_ROOT, 0, 0, problems, dict(findings.counts), (), 0)
