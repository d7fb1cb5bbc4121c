"""The lock of the process that writes a log: a flock on a file of its own (D11).

It is held for the life of the writer and falls with the process, however that ends.
The file stays; it holds the process id of its last holder, for people.

A lock keeps nobody out of another file: when the log's directory is moved away and a
backup put in its place, or the lock file is removed, a second process may start and
sign.  So whoever holds the lock looks before each signature whether it is still there.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.keys import VerifierKey
from tallystick_server.errors import (
    LockedError,
    NotInitialisedError,
    SigningStoppedError,
    StoreError,
)
from tallystick_server.log.keyring import Signer

_MAX_PID = 20


class WriterLock:
    """A lock that is held. Close it to let go; it is a context manager."""

    def __init__(self, path: Path) -> None:
        """Take the lock at `path`, a file in the directory of a log.

        Raises LockedError when another holds it, here or in another process,
        NotInitialisedError when there is no such directory, and StoreError when the
        disk fails.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._path = path.absolute()
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError as error:
            raise NotInitialisedError(
                f"no log at {path.parent}; make one with: tallystick server init"
            ) from error
        except OSError as error:
            raise StoreError(f"cannot open {path}: {error.strerror}") from error
        try:
            self._take(path)
        except BaseException:
            os.close(self._descriptor)
            raise

    def check_place(self) -> None:
        """Raise SigningStoppedError unless another process would meet this lock."""
        try:
            is_there = os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            is_there = False
        if not is_there:
            raise SigningStoppedError(
                f"{self._path} is not the file that was locked: the log was moved or "
                "replaced under its server; stop the server, and never serve both"
            )

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

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(
                f"the log at {path.parent} is held by {self._holder()}; "
                "one process writes a log"
            ) from error
        except OSError as error:
            raise StoreError(f"cannot lock {path}: {error.strerror}") from error
        # Always as long, and nothing is cut off before: a start on a full disk needs
        # no space that the last one did not have.
        holder = str(os.getpid()).ljust(_MAX_PID - 1) + "\n"
        try:
            os.pwrite(self._descriptor, holder.encode(), 0)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error

    def _holder(self) -> str:
        """Name the process that holds the lock, as far as the file tells."""
        text = os.pread(self._descriptor, _MAX_PID, 0).strip()
        return f"process {int(text)}" if text.isdigit() else "another process"


class LockedSigner:
    """Signs while the lock is in its place."""

    def __init__(self, signer: Signer, lock: WriterLock) -> None:
        """Sign with `signer`, under a lock that is held."""
        self._signer = signer
        self._lock = lock

    @property
    def key(self) -> VerifierKey:
        """The public key."""
        return self._signer.key

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """Give the whole signed note; raise SigningStoppedError without the lock."""
        self._lock.check_place()
        return self._signer.sign(checkpoint)
