"""A well-behaved client in a process of its own, while others attack.

`Probe` asks /livez again and again, in turn on one kept connection and on a new one,
and measures from outside how long the server holds its answer back: a stall of the
server's event loop, or of the machine, shows as a long answer.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

ASK = b"GET /livez HTTP/1.1\r\nHost: probe\r\n\r\n"

LEAST = 50
"""Questions that are asked however short the attack is, if need be after it."""

PAUSE_S = 0.002
"""Seconds between two questions: a probe, not a load."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a probe has seen: questions, those not answered, and times in ms."""

    asked: int
    failed: int
    worst_ms: float
    p99_ms: float

    def __str__(self) -> str:
        """Give the figures of a report."""
        worst = f"worst answer {self.worst_ms:.0f} ms, p99 {self.p99_ms:.1f} ms"
        return f"{self.asked:,} probes, {worst}"


class Probe:
    """Probes a server for the length of a block; `seen` is there after it."""

    def __init__(self, place: tuple[str, int]) -> None:
        """Probe HOST, PORT."""
        self._place = place
        self.seen = Seen(0, 0, 0.0, 0.0)

    def __enter__(self) -> Self:
        """Start the process, and wait for its first answer."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, self._place[0], str(self._place[1])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "probing\n"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, and read what it saw."""
        said, _ = self._process.communicate(timeout=60)
        if kind is None:
            self.seen = Seen(**json.loads(said))


def ask(link: socket.socket) -> bool:
    """Ask once; say whether it was answered with 200."""
    link.sendall(ASK)
    data = b""
    while b"\r\n\r\n" not in data:
        part = link.recv(4096)
        if not part:
            return False
        data += part
    return data.startswith(b"HTTP/1.1 200 ")


def probe(place: tuple[str, int], stop: threading.Event) -> Seen:
    """Ask until told to stop."""
    times: list[float] = []
    failed = 0
    kept: socket.socket | None = None
    while not stop.wait(PAUSE_S) or len(times) < LEAST:
        is_new = kept is None or len(times) % 2 == 1
        began = time.monotonic()
        try:
            if is_new or kept is None:
                if kept is not None:
                    kept.close()
                kept = socket.create_connection(place, timeout=30)
            good = ask(kept)
        except OSError:
            good = False
        if good or is_new:  # a kept connection may be closed at any time
            times.append((time.monotonic() - began) * 1000)
            failed += not good
        if not good and kept is not None:
            kept.close()
            kept = None
    if kept is not None:
        kept.close()
    times.sort()
    worst, p99 = (times[-1], times[len(times) * 99 // 100]) if times else (0.0, 0.0)
    return Seen(len(times), failed, worst, p99)


def main() -> None:
    """Probe until stdin ends; print what was seen."""
    stop = threading.Event()
    place = (sys.argv[1], int(sys.argv[2]))

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    sys.stdout.write("probing\n")
    sys.stdout.flush()
    seen = probe(place, stop)
    json.dump(
        {
            "asked": seen.asked,
            "failed": seen.failed,
            "worst_ms": seen.worst_ms,
            "p99_ms": seen.p99_ms,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
