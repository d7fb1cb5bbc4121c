"""A server process to be measured, started as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

ORIGIN = "bench.example/log"

_SETTLE_S = 30.0


def tallystick(*words: str) -> list[str]:
    """The command line of the installed `tallystick`."""
    return [str(Path(sys.executable).with_name("tallystick")), *words]


class Server:
    """Two logs in a fresh directory, served on a free loopback port.

    One of raw entries, that most jobs are about, and one of events.
    """

    log = "bench"
    event_log = "bench-events"

    def __init__(self, directory: Path) -> None:
        """Create the log; `with` starts and stops the process."""
        self.directory = directory
        self.data = directory / "data"
        made = self._run(
            "server", "init", "--data", str(self.data), "--log", self.log,
            "--origin", ORIGIN, "--json",
        )  # fmt: skip
        self.token: str = made["token"]
        events = self._run(
            "server", "init", "--data", str(self.data), "--log", self.event_log,
            "--origin", f"{ORIGIN}/events", "--kind", "events", "--json",
        )  # fmt: skip
        self.event_token: str = events["token"]
        self.policy = directory / "policy"
        self.policy.write_text(f"log {made['vkey']}\nquorum none\n", encoding="utf-8")
        self.host, self.port = "127.0.0.1", 0
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the server and wait for the line that says it listens."""
        self.process = subprocess.Popen(
            tallystick(
                "server", "serve", "--data", str(self.data), "--listen", "127.0.0.1:0"
            ),
            stdout=subprocess.PIPE,
            stderr=(self.directory / "server.log").open("wb"),
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on "):
            raise RuntimeError((self.directory / "server.log").read_text()[-2000:])
        self.port = int(line.strip().rpartition(":")[2])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server as an operator would."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=60)

    def log_of(self, kind: str) -> tuple[str, str]:
        """The log that a job is about, and a token for it."""
        if kind in ("event", "events"):
            return self.event_log, self.event_token
        return self.log, self.token

    def size(self) -> int:
        """Leaves in the log."""
        return self._facts()["size"]

    def settle(self) -> None:
        """Wait until the published checkpoint covers every entry."""
        wait = threading.Event()
        until = time.monotonic() + _SETTLE_S
        while (facts := self._facts())["published_size"] < facts["size"]:
            if time.monotonic() > until:
                raise RuntimeError(f"not published within {_SETTLE_S} s: {facts}")
            wait.wait(0.05)

    def audit(self) -> dict[str, float]:
        """Audit the whole log with the client's command, in a process of its own.

        What is counted are the leaves that the command says it has hashed.
        """
        self.settle()
        state = self.directory / f"audit-{time.monotonic_ns()}"
        start = time.perf_counter()
        done = self._run(
            "audit", "--server", f"http://{self.host}:{self.port}", "--log", self.log,
            "--policy", str(self.policy), "--state", str(state), "--json",
        )  # fmt: skip
        took = time.perf_counter() - start
        leaves = int(done["checked"])
        return {"leaves": leaves, "seconds": took, "leaves_per_s": leaves / took}

    def resident_mib(self) -> dict[str, float]:
        """Memory of the server: all that is resident, and that without LMDB's map."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        kib = {
            line.partition(":")[0]: int(line.split()[1])
            for line in status.splitlines()
            if line.startswith(("VmRSS", "RssAnon"))
        }
        return {
            "entries": self.size(),
            "resident_mib": round(kib["VmRSS"] / 1024, 1),
            "anonymous_mib": round(kib["RssAnon"] / 1024, 1),
        }

    def _facts(self) -> dict[str, int]:
        """What the log says of itself."""
        url = f"http://{self.host}:{self.port}/v1/logs/{self.log}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            facts: dict[str, int] = json.load(answer)
        return facts

    def _run(self, *words: str) -> dict[str, str]:
        done = subprocess.run(
            tallystick(*words), stdout=subprocess.PIPE, check=True, env=os.environ
        )
        answer: dict[str, str] = json.loads(done.stdout)
        return answer
