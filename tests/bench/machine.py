"""What a benchmark ran on: enough to tell two machines apart, no names of hosts."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path


def describe() -> dict[str, str | int]:
    """Give processor, cores, memory, kernel, Python and the versions that matter."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in _lines("/proc/cpuinfo")
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = next(
        (line.split()[1] for line in _lines("/proc/meminfo") if "MemTotal" in line), "0"
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count() or 0,
        "memory_mib": int(memory) // 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{
            name: version(name)
            for name in ("aiohttp", "uvloop", "lmdb", "cryptography")
        },
    }


def filesystem(path: Path) -> str:
    """Name the type of the file system that holds `path`."""
    best = ("", "unknown")
    for line in _lines("/proc/self/mounts"):
        _, mount, kind, *_ = line.split()
        if str(path.resolve()).startswith(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
