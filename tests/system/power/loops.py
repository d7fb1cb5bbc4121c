"""Filesystems in files, mounted for a program that has its mounts to itself.

Whatever is mounted here goes with the program, however it ends: it runs in namespaces
of its own for mounts and processes (`alone`), and loop devices free themselves.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FICLONE = 0x40049409
"""ioctl(2): make a file share all blocks of another, in one step."""

_ALONE = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
_FIRST_LOOP = Path("/dev/loop-control")


def alone(command: Sequence[str]) -> list[str]:
    """Give the command line that runs a command with mounts and processes of its own.

    Where the command ends, or is killed, so do all its processes and mounts.
    """
    return [*_ALONE, "--", *command]


def missing(*makers: str) -> str:
    """Say why no filesystem can be mounted here, or "" where it can.

    `makers` are the programs that make the filesystems.
    """
    if os.geteuid() != 0:
        return "needs root, to mount filesystems"
    for tool in ("unshare", "mount", "umount", "losetup", *makers):
        if shutil.which(tool) is None:
            return f"needs {tool}"
    if not _FIRST_LOOP.exists() or _ends_badly(["losetup", "--find"]):
        return "needs loop devices"
    if _ends_badly(alone(["true"])):
        return "needs namespaces of its own for mounts and processes"
    return ""


def make_file(path: Path, size: int) -> Path:
    """Make a file of `size` bytes that takes no space yet."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def make_xfs(image: Path) -> None:
    """Make an XFS on which files can share blocks."""
    _run("mkfs.xfs", "-q", "-f", "-m", "reflink=1", str(image))


def make_ext4(image: Path, *options: str) -> None:
    """Make an ext4; no blocks are kept back for root."""
    _run("mkfs.ext4", "-q", "-F", "-m", "0", *options, str(image))


@contextmanager
def mounted(image: Path, place: Path, *, options: str = "") -> Iterator[Path]:
    """Mount an image for the length of a block."""
    place.mkdir(exist_ok=True)
    words = ",".join(["loop", *([options] if options else [])])
    _run("mount", "-o", words, str(image), str(place))
    try:
        yield place
    finally:
        _run("umount", str(place))
        place.rmdir()


def clone(source: Path, target: Path) -> None:
    """Make `target` the file `source` as it is at one moment."""
    with source.open("rb") as old, target.open("wb") as new:
        fcntl.ioctl(new.fileno(), FICLONE, old.fileno())


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"


def _ends_badly(words: Sequence[str]) -> bool:
    done = subprocess.run(words, capture_output=True, check=False)
    return done.returncode != 0
