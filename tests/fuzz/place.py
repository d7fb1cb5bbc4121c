"""A folder for targets that read files: in memory where the machine has such a place.

It lives as long as the process, which fuzzes by the thousand: a disk's fsync would be
most of its time.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

_MEMORY = Path("/dev/shm")


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    base = _MEMORY if _MEMORY.is_dir() else None
    return tempfile.TemporaryDirectory(prefix="tallystick-fuzz-", dir=base)


def folder() -> Path:
    """Give the folder."""
    return Path(_folder().name)


def put(name: str, data: bytes) -> Path:
    """Write a file and give its path."""
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
