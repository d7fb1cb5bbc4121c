"""Small files written whole or not at all, and large ones copied with their digest."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tallystick_server.log.keyring import sync_directory

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Digest:
    """How long a file is, in bytes, and the SHA-256 of all of it."""

    size: int
    sha256: bytes


def replace_file(path: Path, data: bytes) -> None:
    """Put a file of mode 0600 in its place at once; durable when this returns.

    In this order: the new bytes, then the name, then the folder.  Raises OSError.
    """
    fresh = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(fresh, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_directory(path.parent)


def remove_file(path: Path) -> None:
    """Remove a file; it is gone for good when this returns. Raises OSError."""
    path.unlink()
    sync_directory(path.parent)


def digest_file(path: Path, on_bytes: Callable[[int], None]) -> Digest:
    """Hash a file; `on_bytes` is told of each piece. Raises OSError."""
    total, state = 0, sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            state.update(piece)
            total += len(piece)
            on_bytes(len(piece))
    return Digest(total, state.digest())


def copy_file(
    source: Path,
    target: Path,
    on_bytes: Callable[[int], None],
    *,
    most: int | None = None,
) -> Digest:
    """Copy into a new file of mode 0600 and fsync it; give what was copied.

    `on_bytes` is told of each piece.  Where the source has more than `most` bytes,
    one byte more than that is copied and no other.  Raises OSError; so are a file in
    the target's place, and a source that is a link or no ordinary file.
    """
    total, state = 0, sha256()
    left = None if most is None else most + 1
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with (
        os.fdopen(_open_plain(source), "rb") as old,
        os.fdopen(os.open(target, flags, 0o600), "wb") as new,
    ):
        while piece := old.read(_PIECE if left is None else min(_PIECE, left - total)):
            new.write(piece)
            state.update(piece)
            total += len(piece)
            on_bytes(len(piece))
        new.flush()
        os.fsync(new.fileno())
    return Digest(total, state.digest())


def read_plain(path: Path, most: int) -> bytes:
    """Read up to `most` bytes of an ordinary file. Raises OSError, as `copy_file`."""
    with os.fdopen(_open_plain(path), "rb") as file:
        return file.read(most)


def _open_plain(path: Path) -> int:
    """Open an ordinary file for reading; a pipe would wait, a device never end."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
    return descriptor
