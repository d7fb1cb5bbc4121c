"""Memory and descriptors of another process, as the kernel counts them."""

from __future__ import annotations

import os
import re
from pathlib import Path

_RSS = re.compile(r"^VmRSS:\s+([0-9]+) kB$", re.MULTILINE)
_PEAK = re.compile(r"^VmHWM:\s+([0-9]+) kB$", re.MULTILINE)


def rss_mib(pid: int) -> float:
    """Resident memory now, in MiB."""
    return _read(_RSS, pid)


def peak_mib(pid: int) -> float:
    """The most that was ever resident since `forget_peak`, in MiB."""
    return _read(_PEAK, pid)


def forget_peak(pid: int) -> None:
    """Begin to measure the peak anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def descriptors(pid: int) -> int:
    """Open descriptors."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def cpu_s(pid: int) -> float:
    """Seconds of processor that it has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _read(pattern: re.Pattern[str], pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = pattern.search(text)
    assert found is not None
    return int(found[1]) / 1024
