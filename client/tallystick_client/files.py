"""Small files that are either wholly there or not at all.

Order of durability: the bytes are written to a temporary file of the same directory
and fsynced, then renamed, then the directory is fsynced.  A crash between two steps
leaves the old file, or none, and at worst a temporary one that nobody reads.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tallystick_client.errors import StateError, UsageError


def make_directory(path: Path) -> None:
    """Make a directory (mode 0700) and its parents, each made name durable."""
    try:
        missing = [place for place in (path, *path.parents) if not place.exists()]
        for place in reversed(missing):
            place.mkdir(mode=0o700, exist_ok=True)
            sync_directory(place.parent)
    except OSError as error:
        raise StateError(f"cannot make {path}: {error.strerror}") from error


def write_files(directory: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write or replace files of one directory durably, with one sync of it.

    All bytes are on the disk before the first file gets its name.
    """
    make_directory(directory)
    written: list[tuple[str, Path]] = []
    try:
        for name, data in files.items():
            written.append((_write_temporary(directory, data), directory / name))
        for temporary, path in written:
            os.replace(temporary, path)  # noqa: PTH105 -- keeps the pair of names plain
        sync_directory(directory)
    except OSError as error:
        for temporary, _ in written:
            with suppress(OSError):  # renamed already, or never made
                os.unlink(temporary)  # noqa: PTH108 -- a name, not a Path
        raise StateError(f"cannot write below {directory}: {error.strerror}") from error
    return tuple(path for _, path in written)


def remove_files(directory: Path, names: list[str]) -> None:
    """Remove files of one directory durably; one that is gone already is fine."""
    try:
        for name in names:
            (directory / name).unlink(missing_ok=True)
        if names and directory.is_dir():
            sync_directory(directory)
    except OSError as error:
        raise StateError(f"cannot remove from {directory}: {error.strerror}") from error


def read_small(path: Path, *, limit: int) -> bytes | None:
    """Read a file of at most `limit` bytes; None where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit:
        raise StateError(f"{path} is longer than {limit} bytes")
    return data


def read_given(path: Path, *, limit: int, what: str) -> bytes:
    """Read a file that the user named; raise UsageError where it cannot be used."""
    try:
        data = read_small(path, limit=limit)
    except StateError as error:
        raise UsageError(f"{what}: {error}") from error
    if data is None:
        raise UsageError(f"{what}: there is no file {path}")
    return data


def sync_directory(directory: Path) -> None:
    """Make names given or taken in a directory durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that this file stands for, against other processes and threads."""
    make_directory(path.parent)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"cannot lock {path}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write_temporary(directory: Path, data: bytes) -> str:
    """Write bytes to a new temporary file (mode 0600) and fsync it; give its name.

    Leaves nothing behind where that fails: a full disk would fill with pieces.
    """
    handle, name = tempfile.mkstemp(dir=directory, prefix=".new-")
    with ExitStack() as failing:
        failing.callback(os.unlink, name)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        failing.pop_all()
    return name
