"""The file system below: which kinds are refused, and what makes bytes durable.

LMDB maps its file and locks it; over a network neither means what it should, and two
machines could hold one witness.  So network file systems are refused, by the kernel's
own list of mounts.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath

from tallystick_witness.errors import StoreError, UsageError

MOUNTS = Path("/proc/self/mountinfo")
"""Where Linux lists the mounts of a process."""

_REMOTE = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2"),
        *("glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs"),
        *("pvfs2", "smb2", "smb3", "smbfs", "vboxsf"),
    }
)
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.bindfs", "fuseblk"})
_ESCAPE = re.compile(r"\\([0-7]{3})")


def check_local(path: Path, *, mounts: Path = MOUNTS) -> None:
    """Raise UsageError if `path` lies on a network file system.

    Where the mounts are not listed (not Linux), nothing is known and nothing refused.
    """
    try:
        text = mounts.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return
    kind = find_type(text, path.resolve())
    if is_remote(kind):
        raise UsageError(
            f"{path} is on a network file system ({kind}); "
            "a witness's store must be on a local disk"
        )


def find_type(mountinfo: str, path: PurePath) -> str:
    """Give the type of the file system that holds `path` (absolute, resolved).

    `mountinfo` is as in proc(5). A later mount hides an earlier one at the same point.
    Empty when none matches.
    """
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:
            continue
        point = PurePath(_unescape(fields[4]))
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind


def is_remote(kind: str) -> bool:
    """Whether a file system type is one of a network, or of an unknown program."""
    return kind in _REMOTE or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)


def sync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def make_folder(path: Path, *, mode: int) -> None:
    """Make a folder and what is missing above it; durable when this returns.

    One that is there is left as it is. Raises OSError.
    """
    if path.is_dir():
        return
    make_folder(path.parent, mode=0o755)
    path.mkdir(mode=mode)
    sync_folder(path.parent)


def drop_cache(path: Path) -> None:
    """Write a file out and forget its cached pages: the next read asks the device.

    After a failed write the cache may hold what the device never got (D10). Raises
    StoreError when the device does not take what is still to be written.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError as error:
        raise StoreError(f"{path} cannot be written out: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unescape(text: str) -> str:
    """Undo the octal escapes that the kernel writes for spaces and the like."""
    return _ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), text)
