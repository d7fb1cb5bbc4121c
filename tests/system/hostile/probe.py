"""A well-behaved client in a process of its own, while others attack.

`Probe` asks /livez again and again, on one kept connection and on new ones, and
measures from outside how long the server holds its answer back: a stall of the
server's event loop, or of the machine, shows as a long answer.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Self

ASK = b"GET /livez HTTP/1.1\r\nHost: probe\r\n\r\n"

LEAST = 50
"""Questions that are asked however short the attack is, if need be after it."""

PAUSE_S = 0.002
"""Seconds between two questions: a probe, not a load."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a probe has seen: questions, those not answered, and times in ms.

    `worst_ms` and `p99_ms` are of answers on a kept connection: a stall shows there.
    `new_ms` is the worst of new connections, whose first packets the kernel may drop
    while its queue is full; they are sent again after a second.
    """

    asked: int
    failed: int
    worst_ms: float
    p99_ms: float
    new_ms: float

    def __str__(self) -> str:
        """Give the figures of a report."""
        worst = f"worst answer {self.worst_ms:.0f} ms, p99 {self.p99_ms:.1f} ms"
        return f"{self.asked:,} probes, {worst}, anew {self.new_ms:.0f} ms"


class Probe:
    """Probes a server for the length of a block; `seen` is there after it."""

    def __init__(self, place: tuple[str, int]) -> None:
        """Probe HOST, PORT."""
        self._place = place
        self.seen = Seen(0, 0, 0.0, 0.0, 0.0)

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


@dataclass(slots=True)
class Asker:
    """Asks until told to stop, on one connection or on a new one each time."""

    place: tuple[str, int]
    is_new: bool
    times: list[float] = field(default_factory=list)
    failed: int = 0

    def run(self, stop: threading.Event) -> None:
        """Ask again and again; a kept connection that was closed is opened again."""
        link: socket.socket | None = None
        while not stop.wait(PAUSE_S) or len(self.times) < LEAST:
            began = time.monotonic()
            try:
                if link is None:
                    link = socket.create_connection(self.place, timeout=30)
                    began = began if self.is_new else time.monotonic()
                good = ask(link)
            except OSError:
                good = False
            self.times.append((time.monotonic() - began) * 1000)
            self.failed += not good
            if link is not None and (self.is_new or not good):
                link.close()
                link = None
        if link is not None:
            link.close()


def probe(place: tuple[str, int], stop: threading.Event) -> Seen:
    """Ask in both ways until told to stop."""
    kept, anew = Asker(place, is_new=False), Asker(place, is_new=True)
    other = threading.Thread(target=anew.run, args=(stop,))
    other.start()
    kept.run(stop)
    other.join()
    times = sorted(kept.times)
    return Seen(
        len(times) + len(anew.times),
        kept.failed + anew.failed,
        times[-1],
        times[len(times) * 99 // 100],
        max(anew.times),
    )


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
    json.dump(asdict(seen), sys.stdout)


if __name__ == "__main__":
    main()
