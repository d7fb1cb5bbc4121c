"""The data directory of a witness, and the lock that lets one process serve it.

    DIR/keys/*.skey      signing keys, mode 0600
    DIR/store/           the store (LMDB)
    DIR/witness.lock     locked by the process that serves

The lock is on a file of its own: LMDB's lock file is never touched.  It goes with the
process, however that ends, and is not inherited by a child.  It keeps nobody out of
another file, so before a signature it is looked at whether it still has its place: a
directory that was moved away, and replaced by a copy, has a second witness.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tallystick_witness.errors import (
    LockedError,
    NotInitialisedError,
    StoreError,
    is_of_disk,
)


@dataclass(frozen=True, slots=True)
class DataDir:
    """Where the parts of a witness are kept."""

    root: Path

    @property
    def keys(self) -> Path:
        """The folder of signing keys."""
        return self.root / "keys"

    @property
    def store(self) -> Path:
        """The folder of the store."""
        return self.root / "store"

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.root / "witness.lock"


class Lock:
    """An exclusive lock on a file, held until closed."""

    def __init__(self, path: Path) -> None:
        """Take the lock at once.

        Raises LockedError if another process holds it, NotInitialisedError if there is
        no folder to hold the file, StoreError if the disk fails.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._path = path.absolute()
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            if is_of_disk(error):
                raise StoreError(f"cannot lock {path}: {error.strerror}") from error
            raise NotInitialisedError(
                f"not initialised: cannot lock {path}: {error.strerror}; "
                "run: tallystick witness init"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise LockedError(
                f"{path} is locked: another process serves this witness; stop it first"
            ) from error
        except OSError as error:
            os.close(self._descriptor)
            raise StoreError(f"cannot lock {path}: {error.strerror}") from error

    def is_in_place(self) -> bool:
        """Whether another process would meet this lock."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        """Hold the lock for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go at its end."""
        self.close()
