"""The lock of the one process that owns the vault: a flock on a file of its own (D11).

It falls with the process, however that ends; the file stays.  A lock keeps nobody out
of another file: where the vault's directory is moved away and a backup put in its
place, a second process may own that one.  So the owner looks before each write whether
its lock is still there.

A generation is only exchanged while nobody reads it: who reads holds a shared lock on
the vault's directory, who rotates an exclusive one.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tallystick_server.errors import (
    LockedError,
    NotInitialisedError,
    StoreError,
)

_MAX_PID = 20


class DirectoryLock:
    """A lock on a directory, beside others of its kind; `close` lets go."""

    def __init__(self, directory: Path, *, is_alone: bool = False) -> None:
        """Take the lock; `is_alone` keeps every other one out.

        Raises LockedError when that cannot be, NotInitialisedError when there is no
        such directory, StoreError when the disk fails.
        """
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        kind = fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH
        try:
            self._descriptor = os.open(directory, flags)
        except FileNotFoundError as error:
            raise NotInitialisedError(f"there is no directory {directory}") from error
        except OSError as error:
            raise StoreError(f"cannot open {directory}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise LockedError(
                f"{directory} is in use: a backup, a rotation, an init or a read-only "
                "server is under way; try again when it has ended"
            ) from error
        except OSError as error:
            self.close()
            raise StoreError(f"cannot lock {directory}: {error.strerror}") from error

    def close(self) -> None:
        """Let go. Does nothing when that was done."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_owned(path: Path) -> bool:
    """Whether some process holds the lock at `path`. Raises StoreError.

    Who takes it in the very moment of the question is refused: not to be asked often.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"cannot lock {path}: {error.strerror}") from error
    return False


class OwnerLock:
    """A lock that is held; `close` lets go."""

    def __init__(self, path: Path) -> None:
        """Take the lock at `path`, a file in the directory of a vault.

        Raises LockedError when another holds it, NotInitialisedError when there is no
        such directory, StoreError when the disk fails.
        """
        self._path = path.absolute()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError as error:
            raise NotInitialisedError(f"no vault at {path.parent}") from error
        except OSError as error:
            raise StoreError(f"cannot open {path}: {error.strerror}") from error
        try:
            self._take()
        except BaseException:
            self.close()
            raise

    def check_place(self) -> None:
        """Raise StoreError unless another process would meet this lock."""
        try:
            is_there = os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            is_there = False
        if not is_there:
            raise StoreError(
                f"{self._path} is not the file that was locked: the vault was moved or "
                "replaced under its server; stop the server, and bring the vault back"
            )

    def close(self) -> None:
        """Let go. Does nothing when that was done."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = os.pread(self._descriptor, _MAX_PID, 0).strip()
            holder = f"process {int(text)}" if text.isdigit() else "another process"
            raise LockedError(
                f"the vault at {self._path.parent} is held by {holder}; one process "
                "owns a vault: stop the server first"
            ) from error
        except OSError as error:
            raise StoreError(f"cannot lock {self._path}: {error.strerror}") from error
        # Always as long: a start on a full disk needs no space that was not there.
        pid = str(os.getpid()).ljust(_MAX_PID - 1) + "\n"
        try:
            os.pwrite(self._descriptor, pid.encode(), 0)
        except OSError as error:
            raise StoreError(f"cannot write {self._path}: {error.strerror}") from error
