"""What the system says of the device below a directory: how it is mounted, its cache.

Two settings let bytes be lost with the power although every program asked for them to
be durable: a file system that is mounted without barriers never asks the device to
empty its cache, and a device that calls its cache write-through is never asked either.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tallystick_server.selftest.report import Check, Result

_MOUNTS = Path("/proc/self/mountinfo")
_DEVICES = Path("/sys/dev/block")
_NO_BARRIERS = frozenset({"nobarrier", "barrier=0", "barrier=none"})
_UNKNOWN = "the system does not tell"
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted: its source and the options of its file system."""

    source: str
    options: frozenset[str]


def look_at_device(directory: Path) -> Iterator[Check]:
    """Say how the file system of a directory is mounted, and what its cache is."""
    device = directory.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    yield judge_mount(find_mount(_read(_MOUNTS), number))
    places = (_DEVICES / number / "queue", _DEVICES / number / ".." / "queue")
    found = [text for place in places if (text := _read(place / "write_cache"))]
    yield judge_cache(found[0].strip() if found else "")


def find_mount(mountinfo: str, number: str) -> Mount | None:
    """Find the mount of the device `number` (MAJOR:MINOR); see proc(5), mountinfo."""
    found = None
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if dash and len(fields) > 2 and fields[2] == number and len(rest) > 2:
            found = Mount(rest[1], frozenset(rest[2].split(",")))
    return found


def judge_mount(mount: Mount | None) -> Check:
    """Say whether the file system may ask its device to empty the cache."""
    if mount is None:
        return Check("barriers", Result.NOT_TRIED, _UNKNOWN)
    source = mount.source[-_LONGEST:]
    without = sorted(mount.options & _NO_BARRIERS)
    if without:
        why = (
            f"{source} is mounted with {', '.join(without)}: the disk is never told "
            "to empty its cache, so what was acked may be lost with the power. Mount "
            "it without that option, unless the disk's cache is protected"
        )
        return Check("barriers", Result.SUSPICIOUS, f"{source}: {without[0]}", why)
    return Check("barriers", Result.OK, f"{source}: not switched off")


def judge_cache(kind: str) -> Check:
    """Say what the kernel takes the cache of the disk for."""
    if kind == "write back":
        return Check("write cache", Result.OK, "write back, emptied when asked")
    if kind == "write through":
        figure = "write through: the disk says that it keeps nothing back"
        return Check("write cache", Result.OK, figure)
    return Check("write cache", Result.NOT_TRIED, kind[:_LONGEST] or _UNKNOWN)


def _read(file: Path) -> str:
    """Read a file of the system; empty where there is none."""
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""  # not Linux, or not a disk: nothing is known then
