"""The anchor: a file on another disk that remembers which heads were released.

A store restored from a backup looks whole and is behind.  Nobody can tell from the
store alone, so each new head goes into the anchor before its cosignatures leave
(decision D8), and a start compares the two.  Never back the anchor up.

    tallystick-witness-anchor/1 <witness name> LF
    *( <hex SHA-256 of the origin> SP <size> SP <base64 root> LF )

The last line of an origin counts; sizes never fall.  A last line without its LF is a
write that was cut short: nothing was released after it, and it is dropped.

A file that was moved away or replaced while it is in use remembers nothing for the next
start: recording fails, and the witness stops before it releases anything more.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.spelling import format_hash, parse_decimal, parse_hash
from tallystick_witness.errors import (
    AnchorError,
    IntegrityError,
    LockedError,
    UsageError,
    is_of_disk,
)
from tallystick_witness.filesystem import sync_folder

MAX_LINES = 200_000
"""Lines appended before the file is written anew with the last line of each origin."""

FORMAT = 1
"""Version of the file; one of another version is refused."""

_HEADER = f"tallystick-witness-anchor/{FORMAT} "
_ANY_HEADER = re.compile(rb"tallystick-witness-anchor/([0-9]{1,9}) ")
_ORIGIN = re.compile(rb"[0-9a-f]{64}")

Anchored = dict[str, tuple[int, bytes]]
"""Size and root last released, by the hex SHA-256 of the origin."""


class Anchor(Protocol):
    """Remembers released heads where the store's fate does not reach."""

    @property
    def latest(self) -> Anchored:
        """What was released last."""
        ...

    def record(self, origin_hash: str, size: int, root: bytes) -> None:
        """Remember a head; durable when this returns. Raises AnchorError."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


class NoAnchor:
    """No anchor: a rollback of the whole disk is not detectable."""

    @property
    def latest(self) -> Anchored:
        """Nothing is remembered."""
        return {}

    def record(self, origin_hash: str, size: int, root: bytes) -> None:
        """Remember nothing."""

    def close(self) -> None:
        """There is nothing to release."""


class FileAnchor:
    """An anchor in a file, locked against a second process while it is open."""

    def __init__(self, path: Path, *, name: str) -> None:
        """Open the anchor of the witness `name`.

        Raises UsageError if it is missing or another's, LockedError if it is in use,
        IntegrityError if it is damaged, AnchorError if the disk fails.
        """
        path = path.resolve()  # replacing a link would leave the disk it leads to
        self._path = path
        self._header = f"{_HEADER}{name}\n".encode()
        try:
            self._file = _open_locked(path)
        except OSError as error:
            if is_of_disk(error):
                raise AnchorError(f"the anchor {path}: {error.strerror}") from error
            raise UsageError(
                f"cannot open the anchor {path}: {error.strerror}; is its disk "
                "mounted? add --new-anchor if this witness never had one"
            ) from error
        with ExitStack() as failing:
            failing.callback(os.close, self._file)
            lines = self._read_whole_lines()
            self._latest = _read_lines(lines, path)
            self._lines = len(lines)
            failing.pop_all()

    @property
    def latest(self) -> Anchored:
        """What was released last."""
        return dict(self._latest)

    def record(self, origin_hash: str, size: int, root: bytes) -> None:
        """Append a head, unless it is the one recorded last, and sync."""
        line = _format_line(origin_hash, size, root)
        try:
            if self._latest.get(origin_hash) == (size, root):
                self._check_place()
                return
            _write(self._file, line)
            os.fsync(self._file)
            self._check_place()
            self._latest[origin_hash] = (size, root)
            self._lines += 1
            if self._lines > MAX_LINES + len(self._latest):
                self._rewrite()
        except OSError as error:
            raise AnchorError(
                f"the anchor {self._path} cannot be written: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Close the file; the lock goes with it."""
        os.close(self._file)

    def _check_place(self) -> None:
        """Raise OSError unless the file written is the one that a start would read."""
        if not os.path.samestat(os.fstat(self._file), self._path.stat()):
            raise OSError(errno.ESTALE, "it was replaced while in use")

    def _read_whole_lines(self) -> list[bytes]:
        """Read what follows the header, and cut off a last line without its LF."""
        try:
            data = self._path.read_bytes()
            whole = data[: data.rfind(b"\n") + 1]
            if not whole.startswith(self._header):
                raise UsageError(_describe_stranger(self._path, whole))
            if len(whole) < len(data):
                os.ftruncate(self._file, len(whole))
            # The process before may have died between a write and its sync, and a
            # head that was read here is not recorded again.
            os.fsync(self._file)
        except OSError as error:
            raise AnchorError(f"the anchor {self._path}: {error.strerror}") from error
        # Not splitlines: a CR inside a line is damage, not the end of one.
        return whole[len(self._header) :].split(b"\n")[:-1]

    def _rewrite(self) -> None:
        """Replace the file by one with the last line of each origin.

        The new file is locked and durable before it takes the name of the old one.
        """
        fresh = self._path.with_name(f".{self._path.name}.unfinished")
        fresh.unlink(missing_ok=True)
        create_anchor(fresh, header=self._header)
        file = _open_locked(fresh)
        for origin_hash, (size, root) in self._latest.items():
            _write(file, _format_line(origin_hash, size, root))
        os.fsync(file)
        fresh.rename(self._path)
        sync_folder(self._path.parent)
        os.close(self._file)
        self._file, self._lines = file, len(self._latest)


def new_anchor(path: Path, *, name: str) -> None:
    """Make an empty anchor for the witness `name`; durable when this returns.

    Raises UsageError if the file exists or cannot be made, AnchorError if the disk
    fails.
    """
    try:
        create_anchor(path, header=f"{_HEADER}{name}\n".encode())
    except OSError as error:
        if is_of_disk(error):
            raise AnchorError(f"the anchor {path}: {error.strerror}") from error
        raise UsageError(
            f"cannot make the anchor {path}: {error.strerror}; a first anchor is a new "
            "file in a folder that exists"
        ) from error


def create_anchor(path: Path, *, header: bytes) -> None:
    """Make a new file that holds `header`; durable when this returns.

    It is whole before it gets its name: what a crash left half written would be taken
    for the anchor of somebody else.  Raises OSError, also for a name that is taken.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    fresh = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(fresh, flags, 0o600)
    try:
        _write(descriptor, header)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.rename(path)
    sync_folder(path.parent)


def _open_locked(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            text = f"the anchor {path} is in use by another process"
            raise LockedError(text) from error
        raise
    return descriptor


def _describe_stranger(path: Path, data: bytes) -> str:
    """Say why a file is not the anchor that was expected."""
    found = _ANY_HEADER.match(data)
    if found is not None and int(found[1]) != FORMAT:
        return (
            f"the anchor {path} has format {int(found[1])} and this version of "
            f"tallystick knows {FORMAT}"
        )
    return f"{path} is not the anchor of this witness"


def _read_lines(lines: list[bytes], path: Path) -> Anchored:
    """Read all lines; raise IntegrityError where one is malformed or goes back."""
    latest: Anchored = {}
    for number, line in enumerate(lines, start=2):
        try:
            origin, size, root = _parse_line(line)
        except MalformedError as error:
            raise IntegrityError(
                f"the anchor {path} is damaged at line {number}: {error}"
            ) from error
        known_size, known_root = latest.get(origin, (-1, b""))
        if size < known_size or (size == known_size and root != known_root):
            raise IntegrityError(
                f"the anchor {path} contradicts itself at line {number}"
            )
        latest[origin] = (size, root)
    return latest


def _parse_line(line: bytes) -> tuple[str, int, bytes]:
    fields = line.split(b" ")
    if len(fields) != 3 or _ORIGIN.fullmatch(fields[0]) is None:
        raise MalformedError("anchor line", "expected '<origin hash> <size> <root>'")
    size = parse_decimal(fields[1], what="anchor line", where="size")
    root = parse_hash(fields[2], what="anchor line", where="root")
    return fields[0].decode(), size, root


def _format_line(origin_hash: str, size: int, root: bytes) -> bytes:
    return b"%s %d %s\n" % (origin_hash.encode(), size, format_hash(root))


def _write(descriptor: int, data: bytes) -> None:
    """Write all of `data`; a write may take a part of it only."""
    while data:
        data = data[os.write(descriptor, data) :]
