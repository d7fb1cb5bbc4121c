"""The environment of a generation's rows, under the rules of the log's store.

`sync` and `metasync` on, no `writemap`, LMDB 0.9's format by name.  Opening never
creates.  Who opens has the file's cached pages dropped first, so that what is checked
comes from the device (D10), and its structure walked: on a damaged list of free pages a
commit would overwrite rows, and a damaged length can end the process that reads.

    meta     "state" → the sealed state
    names    handle of a name → kid
    keys     kid → the sealed row
    states   u64 count → the chain, and its proof
"""

from __future__ import annotations

import os
from pathlib import Path

import lmdb

from tallystick_server.errors import IntegrityError, StoreError, UsageError
from tallystick_server.storage.environment import DATA_FILE, sync_names
from tallystick_server.storage.structure import require_structure
from tallystick_server.vault.owner import is_owned

STATE = b"state"
"""Key of the state in the table meta."""

MAP_BYTES = 256 * 1024 * 1024
"""Address space of a map at opening; it doubles as the vault needs it."""

CORRUPT = (
    lmdb.BadTxnError,
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.NotFoundError,
    lmdb.IncompatibleError,
)
"""Errors of the engine that say that the file is damaged."""

_META, _NAMES, _KEYS, _STATES = b"meta", b"names", b"keys", b"states"
_ENGINE = 0
_MAX_TABLES = 8
_SMALLEST = 2 * 4096
_VARIABLE = "LMDB_DEFAULT_LIB_VERSION"


class Tables:
    """The handles of the tables."""

    def __init__(
        self,
        env: lmdb.Environment,
        transaction: lmdb.Transaction[memoryview] | None = None,
        *,
        create: bool = False,
    ) -> None:
        """Open each table; to create them takes a write transaction.

        Raises IntegrityError for a missing one.
        """
        try:
            self.meta = env.open_db(_META, txn=transaction, create=create)
            self.names = env.open_db(_NAMES, txn=transaction, create=create)
            self.keys = env.open_db(_KEYS, txn=transaction, create=create)
            self.states = env.open_db(_STATES, txn=transaction, create=create)
        except lmdb.NotFoundError as error:
            raise IntegrityError(
                f"{env.path()} does not hold the tables of a vault: {error}"
            ) from error


def create_rows(directory: Path) -> lmdb.Environment:
    """Make an environment in a new directory of this name. Raises OSError, StoreError.

    Its names are durable when this returns.
    """
    directory.mkdir(mode=0o700)
    env = _open(directory, create=True, read_only=False)
    try:
        sync_names(directory)
    except BaseException:
        env.close()
        raise
    return env


def open_rows(
    directory: Path, *, read_only: bool, beside: Path | None = None
) -> lmdb.Environment:
    """Open an environment that exists.

    `beside` is the lock file of an owner who may be there while this one reads.
    Raises IntegrityError when its file is missing, empty, damaged or not of LMDB 0.9.
    The log's mark tells whether a commit is missing at the end: it is to be compared.
    """
    _check_file(directory / DATA_FILE, read_only=read_only)
    if not read_only:
        require_structure(directory, is_watched=True)
    elif beside is not None:
        _look_beside(directory, beside)
    return _open(directory, create=False, read_only=read_only)


def _look_beside(rows: Path, owner: Path) -> None:
    """Raise IntegrityError for a structure that could end the process that reads it.

    Beside an owner a walk may cross its commits, so that a finding says nothing; but
    the owner has walked the file at its start.
    """
    for is_last in (False, True):
        try:
            require_structure(rows, is_watched=True)
        except IntegrityError:
            if is_owned(owner):
                return
            if is_last:  # nobody writes: it lasts
                raise
        else:
            return


def named(what: str, error: lmdb.Error) -> IntegrityError | StoreError:
    """Make our error of an engine's error while `what` was read."""
    kind = IntegrityError if isinstance(error, CORRUPT) else StoreError
    return kind(f"{what} cannot be read: {error}")


def _open(directory: Path, *, create: bool, read_only: bool) -> lmdb.Environment:
    if os.environ.get(_VARIABLE, ""):
        raise UsageError(f"{_VARIABLE} is set in the environment; unset it")
    try:
        return lmdb.open(
            str(directory),
            map_size=MAP_BYTES,
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
            f"{directory / DATA_FILE} is not a vault's file: {error}"
        ) from error
    except lmdb.Error as error:
        raise StoreError(f"cannot open {directory}: {error}") from error


def _check_file(file: Path, *, read_only: bool) -> None:
    """Drop the cached pages of a file; raise IntegrityError where it is none of ours.

    Pages that are still dirty are written first: where that fails, nothing opens.
    """
    try:
        with file.open("rb") as data:
            size = os.fstat(data.fileno()).st_size
            if not read_only:
                os.fdatasync(data.fileno())
            os.posix_fadvise(data.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except FileNotFoundError as error:
        raise IntegrityError(
            f"{file} is missing: the vault's rows are gone; restore a backup of it"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror}") from error
    if size < _SMALLEST:
        raise IntegrityError(
            f"{file} has {size} bytes: it is no vault; restore a backup of it"
        )
