"""The disk below a directory: what kind it is, and how much of it is free.

A log's store is a memory map with locks: on a filesystem that another machine serves,
neither can be trusted, and two writers would fork the log.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tallystick_server.errors import StoreError, UsageError

_MOUNTS = Path("/proc/self/mountinfo")

_SHARED = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fuse",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "smb3",
        "smbfs",
        "vboxsf",
    }
)
_LOCAL_FUSE = "fuse.fuse-overlayfs"

_ESCAPE = re.compile(r"\\([0-7]{3})")


def check_filesystem(directory: Path, *, mounts: Path = _MOUNTS) -> None:
    """Raise UsageError when `directory` lies on a filesystem served from elsewhere.

    Where the system has no table of mounts, nothing is known and nothing refused.
    """
    kind = filesystem_of(directory, mounts=mounts)
    if kind in _SHARED or (kind.startswith("fuse.") and kind != _LOCAL_FUSE):
        raise UsageError(
            f"{directory} lies on {kind}, where a log would not be safe; "
            "use a local disk"
        )


def filesystem_of(directory: Path, *, mounts: Path = _MOUNTS) -> str:
    """Name the type of the filesystem that holds `directory`, or give "".

    Of several mounts on the same place the last one counts (proc(5), mountinfo).
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""  # not Linux, or no /proc: the caller knows no more than before
    place = directory.resolve()
    found, depth = "", -1
    for line in lines.splitlines():
        fields, dash, rest = line.partition(" - ")
        point = Path(_unescape(fields.split(" ")[4])) if dash else None
        if point is None or not place.is_relative_to(point):
            continue
        if len(point.parts) >= depth:
            found, depth = rest.split(" ")[0], len(point.parts)
    return found


def share_filesystem(one: Path, other: Path) -> bool:
    """Whether two things that exist lie on the same filesystem, by its device."""
    try:
        return one.stat().st_dev == other.stat().st_dev
    except OSError as error:
        where = error.filename or one
        raise StoreError(f"cannot look at {where}: {error.strerror}") from error


def free_bytes(directory: Path) -> int:
    """Give the bytes that this user may still write below `directory`."""
    try:
        status = os.statvfs(directory)
    except OSError as error:
        raise StoreError(f"cannot look at {directory}: {error.strerror}") from error
    return status.f_bavail * status.f_frsize


def _unescape(text: str) -> str:
    """Undo the kernel's octal escapes for space, tab, newline and backslash."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)
