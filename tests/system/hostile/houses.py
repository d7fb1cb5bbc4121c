"""The two processes under attack: a log server and a witness, short of patience."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tallystick_merkle.exchange.appending import append_batch
from tests.system.drive import drive
from tests.system.one_log import OneLog
from tests.system.stack import Daemon, run_json

PATIENCE = (
    "keepalive_s = 1.0",
    "head_timeout_s = 1.0",
    "body_timeout_s = 1.0",
    "write_timeout_s = 2.0",
    "write_least_rate = 65536",
)
"""Lines of a configuration under which nobody is waited for long."""

ENTRIES, ENTRY_BYTES = 320, 60_000
"""A log of this many entries: one full bundle of 15 MB, and one that is not full."""


_ERRORS = ("error", "critical")


class Server:
    """A log server with a log that has a full bundle."""

    def __init__(
        self, folder: Path, *lines: str, program: tuple[str, ...] = ()
    ) -> None:
        """Make and fill the log; `lines` are of the configuration."""
        self.log = OneLog(folder, *lines)
        self.log.start(program=program)
        for number in range(ENTRIES // 64):
            entries = [bytes([number, n]) * (ENTRY_BYTES // 2) for n in range(64)]
            drive(
                append_batch(
                    self.log.address, entries, policy=self.log.policy, key=f"{number}"
                )
            )

    @property
    def daemon(self) -> Daemon:
        """The process."""
        assert self.log.daemon is not None
        return self.log.daemon

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return place_of(self.daemon)

    @property
    def pid(self) -> int:
        """Its process."""
        return self.daemon.process.pid

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What it must never tell."""
        return (self.log.token.encode(), str(self.log.data).encode())

    def errors(self) -> list[dict[str, Any]]:
        """What it has logged as an error."""
        return [line for line in self.log.logged() if line["level"] in _ERRORS]


class Guard:
    """A witness that follows nobody."""

    def __init__(self, folder: Path, *lines: str) -> None:
        """Make and serve it; `lines` are of its configuration."""
        self.log_path = folder / "witness.log"
        data = str(folder / "witness")
        run_json("witness", "init", "--data", data, "--name", "witness.example/w1")
        config = folder / "witness.toml"
        config.write_text("\n".join(["[witness]", *lines, ""]), encoding="utf-8")
        words = ["--config", str(config), "--data", data, "--listen", "127.0.0.1:0"]
        self.daemon = Daemon(["witness", "serve", *words], self.log_path)

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return place_of(self.daemon)

    @property
    def pid(self) -> int:
        """Its process."""
        return self.daemon.process.pid

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What it must never tell."""
        return (str(self.log_path.parent).encode(),)

    def logged(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        text = self.log_path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def errors(self) -> list[dict[str, Any]]:
        """What it has logged as an error."""
        return [line for line in self.logged() if line["level"] in _ERRORS]

    def __enter__(self) -> Self:
        """It is served already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        if self.daemon.is_alive:
            self.daemon.kill()


def place_of(daemon: Daemon) -> tuple[str, int]:
    """Give the host and port of a process."""
    host, _, port = daemon.url.rpartition("/")[2].rpartition(":")
    return host, int(port)


@contextmanager
def descriptors_for(many: int) -> Iterator[int]:
    """Let this process open `many` sockets, or as many as it may; give how many."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(many + 256, before[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, before[0]), before[1]))
    try:
        yield min(many, wanted - 256)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
