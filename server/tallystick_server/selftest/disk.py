"""Look at the disk below a directory: what it is, and whether it does what it must.

    file system    its type; one that only looks like a disk is suspicious
    free space     against the margin below which a server takes no entries
    barriers, write cache  how the device is mounted, and what its cache is taken for
    durable write  write + fdatasync, timed         O_DSYNC write  the same, by the flag
    locks          flock and fcntl keep a second process out
    memory map     a mapped file shows what was written to it
    replace        a file replaced by rename is whole, and its folder can be synced

Each probe works on files of its own in a scratch directory and leaves them there.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tallystick_server.config.model import ServerSettings
from tallystick_server.ops.disk import filesystem_of, free_bytes
from tallystick_server.selftest.device import look_at_device
from tallystick_server.selftest.latency import (
    Latency,
    judge_dsync,
    judge_durable,
    measure,
)
from tallystick_server.selftest.report import Check, Result
from tallystick_server.selftest.second import EXCLUDED

WRITES = 200
"""Durable writes that are timed, at most."""

WRITES_S = 3.0
"""Seconds after which no further write is timed."""

_BLOCK = 4096
_SECOND_S = 30.0
_MIB = 1024 * 1024
_MEMORY = "it is memory: everything in it is gone when the machine restarts"
_LAYER = (
    "it is the layer of a container: what is in it goes with the container. Give a log "
    "a volume of its own"
)
_NOT_A_DISK = {
    "tmpfs": _MEMORY,
    "ramfs": _MEMORY,
    "overlay": _LAYER,
    "fuse.fuse-overlayfs": _LAYER,
}
_PROBES = 64


def look_at_disk(scratch: Path) -> Iterator[Check]:
    """Make every probe, in order; a machine that fails in one is a failed check."""
    yield judge_filesystem(filesystem_of(scratch))
    yield judge_space(free_bytes(scratch), margin=ServerSettings().disk_margin_bytes)
    yield from look_at_device(scratch)
    yield from _guarded("durable write", lambda: _timed_writes(scratch / "blocks"))
    yield from _guarded("locks", lambda: [probe_locks(scratch / "lock")])
    yield from _guarded("memory map", lambda: [probe_map(scratch / "map")])
    yield from _guarded("replace", lambda: [probe_replace(scratch)])


def judge_filesystem(kind: str) -> Check:
    """Say what the file system is. Those that are refused never come here."""
    if not kind:
        return Check("file system", Result.NOT_TRIED, "the system does not tell")
    if kind in _NOT_A_DISK:
        return Check("file system", Result.SUSPICIOUS, kind, _NOT_A_DISK[kind])
    return Check("file system", Result.OK, kind)


def judge_space(free: int, *, margin: int) -> Check:
    """Hold the free bytes against the margin that a server keeps by default."""
    figure = f"{free // _MIB:,} MiB free, a server keeps {margin // _MIB} MiB"
    if free < 2 * margin:
        why = (
            "below that margin a server takes no entries; make room before a log is "
            "put here"
        )
        return Check("free space", Result.SUSPICIOUS, figure, why)
    return Check("free space", Result.OK, figure)


def probe_locks(file: Path) -> Check:
    """See whether a second process is kept out by both kinds of lock."""
    file.touch(mode=0o600)
    kinds = (("flock", fcntl.flock), ("fcntl", fcntl.lockf))
    let_in = [kind for kind, take in kinds if not _excludes(kind, take, file)]
    if let_in:
        why = (
            f"a second process took a lock that was held ({', '.join(let_in)}): two "
            "servers could write one log and fork it"
        )
        return Check("locks", Result.FAILED, "a second process gets in", why)
    return Check("locks", Result.OK, "flock and fcntl keep a second process out")


def probe_map(file: Path) -> Check:
    """See whether a mapped file shows what was written to it after it was mapped."""
    file.write_bytes(bytes(_PROBES * _BLOCK))
    stale = 0
    with (
        file.open("r+b") as data,
        mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ) as view,
    ):
        for place in range(_PROBES):
            block = os.urandom(_BLOCK)
            os.pwrite(data.fileno(), block, place * _BLOCK)
            stale += view[place * _BLOCK : (place + 1) * _BLOCK] != block
    if stale:
        why = (
            f"{stale} of {_PROBES} blocks still showed old bytes after they were "
            "written: the store reads through such a map"
        )
        return Check("memory map", Result.FAILED, f"{stale} stale blocks", why)
    return Check("memory map", Result.OK, f"{_PROBES} of {_PROBES} writes were seen")


def probe_replace(folder: Path) -> Check:
    """Replace a file by rename, as keys and anchors are, and sync its folder."""
    target, beside = folder / "replaced", folder / "replaced.new"
    target.write_bytes(b"old")
    times = []
    for number in range(20):
        text = b"new %d" % number
        began = time.perf_counter()
        with beside.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(target)
        with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            os.fsync(descriptor)
        times.append((time.perf_counter() - began) * 1000)
        if target.read_bytes() != text:
            why = "after a rename the old contents were read"
            return Check("replace", Result.FAILED, f"at try {number + 1}", why)
    return Check(
        "replace", Result.OK, f"20 renames: median {measure(times).median_ms:.3f} ms"
    )


def _timed_writes(file: Path) -> list[Check]:
    """Overwrite blocks of a file that is whole on the disk, in both durable ways."""
    with file.open("wb") as data:
        data.write(os.urandom(WRITES * _BLOCK))
        data.flush()
        os.fsync(data.fileno())
    with _opened(file, os.O_RDWR) as descriptor:
        durable = _time(lambda at: _write_and_sync(descriptor, at))
    with _opened(file, os.O_RDWR | os.O_DSYNC) as descriptor:
        dsync = _time(lambda at: _write(descriptor, at))
    return [judge_durable(durable), judge_dsync(dsync, durable)]


def _time(write: Callable[[int], None]) -> Latency:
    """Time writes at block after block, until there are enough or time is up."""
    times: list[float] = []
    end = time.perf_counter() + WRITES_S
    for place in range(WRITES):
        began = time.perf_counter()
        if times and began > end:
            break
        write(place * _BLOCK)
        times.append((time.perf_counter() - began) * 1000)
    return measure(times)


def _write(descriptor: int, at: int) -> None:
    os.pwrite(descriptor, os.urandom(_BLOCK), at)


def _write_and_sync(descriptor: int, at: int) -> None:
    _write(descriptor, at)
    os.fdatasync(descriptor)


def _excludes(kind: str, take: Callable[[int, int], object], file: Path) -> bool:
    """Hold a lock, and see whether another process is kept out."""
    with _opened(file, os.O_RDWR) as descriptor:
        take(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        done = subprocess.run(
            [sys.executable, "-P", "-m", f"{__package__}.second", kind, str(file)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_SECOND_S,
        )
    if done.returncode not in (0, EXCLUDED):
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise OSError(done.returncode, f"the second process ended: {said}", str(file))
    return done.returncode == EXCLUDED


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _guarded(name: str, probe: Callable[[], list[Check]]) -> Iterator[Check]:
    """Make a probe; an error of the system is a failed check that says it."""
    try:
        checks = probe()
    except OSError as error:
        text = f"{error.strerror or error}"
        checks = [Check(name, Result.FAILED, text, "the system refused to do it")]
    yield from checks
