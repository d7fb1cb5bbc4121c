"""The anchor: on another disk, the size and root of every head before its release (D8).

    <hex SHA-256 of the origin> SP <size> SP <base64 of the root> LF

One line a head, appended and fsynced before anybody sees the head, so a log that was
set back, by a restored backup or a snapshot, stands behind its anchor and is refused.
The file belongs on another disk than the log and in no backup.

- Sizes ascend; a line that is not ours, or of another log, is refused and kept.
- A last line torn by a crash is dropped: its head was never released.
- Every opening, and every growth over a bound, replaces the file by its last line
  (written beside it, fsynced, renamed), so what was read is durable from then on.
- It is created for a new log only; later that takes an explicit, one-time permission.
- One process uses it, by a lock on a file beside it: two copies of a log that share an
  anchor would each find it in agreement, and fork.  A file that was moved away or
  replaced while it is in use remembers nothing for the next start: recording fails.
"""

from __future__ import annotations

import errno
import fcntl
import os
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.spelling import parse_decimal, parse_hash
from tallystick_merkle.witnessing import origin_hash
from tallystick_server.errors import (
    IntegrityError,
    LockedError,
    StoreError,
    UsageError,
    unusable,
)
from tallystick_server.log.keyring import sync_directory

MAX_FILE = 1024 * 1024
"""Bytes from which on the file is replaced by its last line."""

_MAX_LINE = 131
_NEW_SIZE = 1

Mark = tuple[int, bytes]
"""What an anchor holds of a head: its size and its 32-byte root."""


class Anchor(Protocol):
    """Remembers the heads of one log outside of the log's own disk."""

    def record(self, size: int, root: bytes) -> None:
        """Remember a head; durable when this returns. Raises StoreError.

        Requires a size over the last one; the last one itself is a repeat.
        """
        ...

    def last(self) -> Mark | None:
        """Give the last head recorded, or None before the first."""
        ...

    def close(self) -> None:
        """Release the file; nothing else may be called afterwards."""
        ...


class MemoryAnchor:
    """An anchor that forgets with its process: the memory twin."""

    def __init__(self, last: Mark | None = None) -> None:
        """Start with what an earlier process recorded, if anything."""
        self._last = last

    def record(self, size: int, root: bytes) -> None:
        """Remember a head."""
        if _is_news(self._last, size, root):
            self._last = (size, root)

    def last(self) -> Mark | None:
        """Give the last head recorded."""
        return self._last

    def close(self) -> None:
        """Release nothing."""


class FileAnchor:
    """An anchor in a file. Made by `open_anchor`."""

    def __init__(
        self,
        path: Path,
        *,
        origin: str,
        last: Mark | None,
        most: int = MAX_FILE,
        lock: int | None = None,
    ) -> None:
        """Replace the file by the line of `last`, or by nothing.

        Raises UsageError, or StoreError when the disk fails.
        `lock` is an open descriptor that is closed with the file.
        """
        self._path = path
        self._lock = lock
        self._origin = origin
        self._last = last
        self._most = most
        self._failure: str | None = None
        try:
            self._file, self._size = self._replace(self._line(last))
        except OSError as error:
            raise _unusable(path, error) from error

    def record(self, size: int, root: bytes) -> None:
        """Append a head and fsync. After a failure nothing more is recorded."""
        if self._failure is not None:
            raise StoreError(f"the anchor {self._path} failed: {self._failure}")
        if not _is_news(self._last, size, root):
            return
        try:
            self._append(self._line((size, root)))
            self._check_place()
        except OSError as error:
            self._failure = error.strerror or type(error).__name__
            raise StoreError(f"the anchor {self._path}: {self._failure}") from error
        self._last = (size, root)

    def last(self) -> Mark | None:
        """Give the last head recorded."""
        return self._last

    def close(self) -> None:
        """Close the file and let go of its lock."""
        os.close(self._file)
        if self._lock is not None:
            os.close(self._lock)

    def _line(self, mark: Mark | None) -> bytes:
        return b"" if mark is None else format_mark(self._origin, mark)

    def _append(self, line: bytes) -> None:
        """Write and fsync a line, into a fresh file when this one has grown."""
        if self._size + len(line) > self._most:
            old = self._file
            self._file, self._size = self._replace(line)
            os.close(old)
            return
        _write_all(self._file, line)
        os.fsync(self._file)
        self._size += len(line)

    def _check_place(self) -> None:
        """Raise OSError unless the file written is the one that a start would read."""
        if not os.path.samestat(os.fstat(self._file), self._path.stat()):
            raise OSError(errno.ESTALE, "it was replaced while in use")

    def _replace(self, data: bytes) -> tuple[int, int]:
        """Put a new file in the place of the old one, at once; give it and its size.

        Durable in this order: the new file's bytes, then its name.
        """
        fresh = self._path.with_name(self._path.name + ".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        file = os.open(fresh, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _write_all(file, data)
            os.fsync(file)
            fresh.replace(self._path)
            sync_directory(self._path.parent)
        except OSError:
            os.close(file)
            raise
        return file, len(data)


def open_anchor(
    path: Path, *, origin: str, size: int, allow_new: bool = False
) -> FileAnchor:
    """Open the anchor of the log of `origin`, which stands at `size`.

    Raises LockedError when it is open already, here or in another process.  Raises
    UsageError when nothing is recorded there though the log is not new, unless
    `allow_new`: a lost anchor must be noticed, not replaced.  Raises IntegrityError
    for a file that is not an anchor of this log; it is left as it is.  Raises
    StoreError when the disk fails.
    """
    path = path.resolve()  # replacing a link would leave the disk that it leads to
    with ExitStack() as failing:
        lock = _take_lock(path)  # before it is read: what is read stays true
        failing.callback(os.close, lock)
        last = read_anchor(path, origin=origin)
        if last is None and size > _NEW_SIZE and not allow_new:
            raise UsageError(
                f"the anchor {path} holds nothing, but the log of {origin!r} has "
                f"{size} entries; bring the anchor back, or, if its loss is explained "
                "or it is the log's first, begin it anew once: --new-anchor LOG"
            )
        anchor = FileAnchor(path, origin=origin, last=last, lock=lock)
        failing.pop_all()
    return anchor


def read_anchor(path: Path, *, origin: str) -> Mark | None:
    """Read the last head recorded; None when there is no file, or nothing in it.

    Changes nothing.  Raises UsageError when the file cannot be read (StoreError when
    the disk fails), IntegrityError when it is not an anchor of `origin`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(2 * MAX_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    if len(data) > 2 * MAX_FILE:  # what was not read could be the newest mark
        raise IntegrityError(f"{path} is longer than {2 * MAX_FILE} bytes: no anchor")
    try:
        return parse_anchor(data, origin=origin)
    except MalformedError as error:
        raise IntegrityError(f"{path} is no anchor of {origin!r}: {error}") from error


def format_mark(origin: str, mark: Mark) -> bytes:
    """Write the line of a head."""
    size, root = mark
    return b"%s %d %s\n" % (origin_hash(origin).encode(), size, b64encode(root))


def parse_anchor(data: bytes, *, origin: str) -> Mark | None:
    """Read a whole anchor file; raise MalformedError unless each line is in order."""
    expected = origin_hash(origin).encode()
    *lines, rest = data.split(b"\n")
    if rest and not _is_torn(rest, expected):
        raise MalformedError("anchor", "does not end in LF")
    if not rest and lines and b"\0" in lines[-1] and _is_torn(lines[-1], expected):
        lines.pop()
    last: Mark | None = None
    for number, line in enumerate(lines, 1):
        mark = _parse_line(line, expected, f"line {number}")
        if last is not None and mark[0] <= last[0]:
            raise MalformedError(
                "anchor", f"size {mark[0]} after {last[0]}", where=f"line {number}"
            )
        last = mark
    return last


def _parse_line(line: bytes, expected: bytes, where: str) -> Mark:
    """Read one line without its LF."""
    fields = line.split(b" ", 3)
    if len(line) > _MAX_LINE or len(fields) != 3:
        raise MalformedError("anchor", "expected three fields", where=where)
    if fields[0] != expected:
        raise MalformedError("anchor", "of another log", where=where)
    size = parse_decimal(fields[1], what="anchor", where=where)
    return size, parse_hash(fields[2], what="anchor", where=where)


def _is_torn(piece: bytes, expected: bytes) -> bool:
    """Whether `piece` may be what a crash left of a line: cut, or not yet written.

    A block that never reached the disk reads as zero bytes.
    """
    return len(piece) <= _MAX_LINE and all(
        byte in (0, wanted) for byte, wanted in zip(piece, expected, strict=False)
    )


def _is_news(last: Mark | None, size: int, root: bytes) -> bool:
    """Whether a head must be recorded; raise StoreError for one that goes back."""
    if last is not None and (size < last[0] or (size == last[0] and root != last[1])):
        raise StoreError(f"the anchor holds size {last[0]}, refused size {size}")
    return last is None or size > last[0]


def _take_lock(path: Path) -> int:
    """Lock the file that stands for the anchor's use; give its descriptor."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with ExitStack() as failing:
        try:
            lock = os.open(path.with_name(path.name + ".lock"), flags, 0o600)
            failing.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(
                f"the anchor {path} is in use by another process: is a copy of this "
                "log being served? Never serve both"
            ) from error
        except OSError as error:
            raise _unusable(path, error) from error
        failing.pop_all()
    return lock


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _unusable(path: Path, error: OSError) -> StoreError | UsageError:
    return unusable(f"cannot use the anchor {path}", error)
