"""A log on loopback, honest or not, and a user with settings for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tallystick_client.cli.main import main
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.exchange.base import Failure, Request
from tallystick_merkle.policy import Policy, format_policy
from tests.system.loopback import Asked, Loopback, answer
from tests.unit.client.cli.desk import Said
from tests.unit.client.fake_log import (
    BASE,
    ORIGIN,
    POLICY,
    TOKEN,
    FakeLog,
)


@dataclass
class Bench:
    """A log on loopback and a user with settings for it."""

    log: FakeLog
    path: Path
    capture: pytest.CaptureFixture[str]

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def trust(self) -> DirectoryTrust:
        return DirectoryTrust(self.path / "state", ORIGIN)

    def settle(self, url: str, *, policy: Policy = POLICY, token: str = TOKEN) -> None:
        """Write the user's files."""
        (self.path / "policy").write_bytes(format_policy(policy))
        (self.path / "token").write_text(token)
        self.config.write_text(
            f'[client]\nserver = "{url}"\nlog = "fake"\npolicy = "policy"\n'
            'token_file = "token"\nstate = "state"\n'
        )

    def run(self, *arguments: object) -> Said:
        """Run a command in this process."""
        words = [str(argument) for argument in arguments]
        code = main([*words, "--config", str(self.config)])
        out, err = self.capture.readouterr()
        return Said(code, out, err)

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Run a command in a process of its own."""
        words = [str(argument) for argument in arguments]
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "tallystick_client.cli", *words),
                *("--config", str(self.config)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def write(self, name: str, data: bytes) -> Path:
        """Put a file on the user's desk."""
        path = self.path / name
        path.write_bytes(data)
        return path


@contextmanager
def opened_bench(
    path: Path, capture: pytest.CaptureFixture[str], log: FakeLog | None = None
) -> Iterator[Bench]:
    """Serve a log and settle a user beside it."""
    log = FakeLog() if log is None else log

    async def script(asked: Asked) -> AsyncIterator[bytes]:
        request = Request(asked.method, BASE + asked.path, asked.body, asked.headers)
        reply = log.answer(request)
        if not isinstance(reply, Failure):
            headers = [f"{name}: {value}" for name, value in reply.headers.items()]
            yield answer(reply.body, *headers, status=f"{reply.status} Said")

    with Loopback(script) as peer:
        bench = Bench(log, path, capture)
        bench.settle(peer.url)
        yield bench
