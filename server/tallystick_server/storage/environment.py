"""Open an LMDB environment under the rules that `storage.lmdb` states."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import lmdb

from tallystick_merkle.genesis import EVENTS
from tallystick_server.errors import (
    IntegrityError,
    NotInitialisedError,
    StoreError,
    UsageError,
)
from tallystick_server.ops.disk import free_bytes
from tallystick_server.storage.records import ENTRIES, HEADS, KEYS, META, ROWS
from tallystick_server.storage.sides import IDS, RECORDS

DATA_FILE = "data.mdb"

_ENGINE = 0
_SMALLEST = 2 * 4096
_MAX_TABLES = 16
_VARIABLE = "LMDB_DEFAULT_LIB_VERSION"


class SideTables:
    """The handles of the tables that only a log of events has."""

    def __init__(
        self,
        env: lmdb.Environment,
        transaction: lmdb.Transaction[memoryview] | None,
        *,
        create: bool,
    ) -> None:
        """Open each table, or create it, as `Tables` does."""
        self.records = env.open_db(RECORDS, txn=transaction, create=create)
        self.ids = env.open_db(IDS, txn=transaction, create=create)


class Tables:
    """The handles of an environment's tables, as attributes and by name.

    `sides` is None until `open_sides` was called, for a log of events.
    """

    def __init__(
        self,
        env: lmdb.Environment,
        transaction: lmdb.Transaction[memoryview] | None,
        *,
        create: bool,
    ) -> None:
        """Open each table, or create it; raise lmdb.NotFoundError for a missing one.

        To create them takes a write transaction; without any they have their own.
        """
        self.meta = env.open_db(META, txn=transaction, create=create)
        self.entries = env.open_db(ENTRIES, txn=transaction, create=create)
        self.rows = env.open_db(ROWS, txn=transaction, create=create)
        self.heads = env.open_db(HEADS, txn=transaction, create=create)
        self.keys = env.open_db(KEYS, txn=transaction, create=create)
        self.named = {
            META: self.meta,
            ENTRIES: self.entries,
            ROWS: self.rows,
            HEADS: self.heads,
            KEYS: self.keys,
        }
        self.sides: SideTables | None = None

    def open_sides(
        self,
        env: lmdb.Environment,
        transaction: lmdb.Transaction[memoryview] | None,
        *,
        create: bool,
    ) -> None:
        """Open or create the tables of a log of events as well."""
        self.sides = SideTables(env, transaction, create=create)
        self.named |= {RECORDS: self.sides.records, IDS: self.sides.ids}


def create_environment(directory: Path, *, map_bytes: int) -> lmdb.Environment:
    """Make an environment in an empty directory.

    Raises UsageError when there is one already, StoreError without a directory.
    """
    if not directory.is_dir():
        raise StoreError(f"{directory} is not a directory")
    if (directory / DATA_FILE).exists():
        raise UsageError(f"{directory} holds a log already; it is never overwritten")
    return _open(directory, create=True, read_only=False, map_bytes=map_bytes)


def open_environment(
    directory: Path,
    *,
    read_only: bool,
    map_bytes: int,
    look: Callable[[Path], None] | None = None,
) -> lmdb.Environment:
    """Open an environment that exists, its file's cached pages dropped.

    `look` is called with the directory after that, before the engine opens the file.
    Raises NotInitialisedError when there is none, IntegrityError when its file is
    missing, empty or not of LMDB 0.9.
    """
    if not directory.is_dir():
        raise NotInitialisedError(
            f"no log at {directory}; make one with: tallystick server init"
        )
    _drop_cached_pages(directory / DATA_FILE, read_only=read_only)
    if look is not None:
        look(directory)
    return _open(directory, create=False, read_only=read_only, map_bytes=map_bytes)


def sync_names(directory: Path) -> None:
    """Make the names of an environment's files durable. Raises StoreError."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"cannot sync {directory}: {error.strerror}") from error


def shortage(directory: Path, need: int) -> str:
    """Say how much of the disk is free where that is less than a write may need.

    The engine tells a full disk as an input/output error like any other.
    """
    with suppress(StoreError):
        free = free_bytes(directory)
        if free < need:
            return f"; the disk has only {free} bytes free"
    return ""


def open_tables(env: lmdb.Environment) -> Tables:
    """Open the tables of every store; raise IntegrityError when one is missing."""
    with _tables_expected(env):
        return Tables(env, None, create=False)


def open_side_tables(env: lmdb.Environment, tables: Tables, *, kind: str) -> None:
    """Open the tables that only some kinds of log have, as `open_tables` does."""
    if kind == EVENTS:
        with _tables_expected(env):
            tables.open_sides(env, None, create=False)


@contextmanager
def _tables_expected(env: lmdb.Environment) -> Iterator[None]:
    try:
        yield
    except lmdb.Error as error:
        raise IntegrityError(
            f"{env.path()} does not hold the tables of a log: {error}"
        ) from error


def _open(
    directory: Path, *, create: bool, read_only: bool, map_bytes: int
) -> lmdb.Environment:
    if os.environ.get(_VARIABLE, ""):
        raise UsageError(f"{_VARIABLE} is set in the environment; unset it")
    try:
        return lmdb.open(
            str(directory),
            map_size=map_bytes,
            readonly=read_only,
            metasync=True,
            sync=True,
            writemap=False,
            create=create,
            mode=0o600,
            max_dbs=_MAX_TABLES,
            lib_version=_ENGINE,
        )
    except (lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.CorruptedError) as error:
        raise IntegrityError(
            f"{directory / DATA_FILE} is not a log's file: {error}"
        ) from error
    except lmdb.Error as error:
        raise StoreError(f"cannot open {directory}: {error}") from error


def _drop_cached_pages(file: Path, *, read_only: bool) -> None:
    """Have the next reads come from the device (D10).

    After an fsync that failed, pages that never reached the disk may still be in
    memory, marked as clean.  Pages that are still dirty are written first: where that
    fails, the log does not open.
    """
    try:
        with file.open("rb") as data:
            size = os.fstat(data.fileno()).st_size
            if not read_only:
                os.fdatasync(data.fileno())
            os.posix_fadvise(data.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except FileNotFoundError as error:
        raise IntegrityError(
            f"{file} is missing: the log's data are gone; restore a backup"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror}") from error
    if size < _SMALLEST:
        raise IntegrityError(f"{file} has {size} bytes: it is no log; restore a backup")
