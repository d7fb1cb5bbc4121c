"""A witness's data directory, its processes, and what is submitted to them."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from pathlib import Path

from tallystick_merkle.keys import format_vkey
from tests.system.stack import Daemon, run, run_json
from tests.unit.witness.world import LogTwin


class Home:
    """The data directory of a witness that follows one log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.anchor = folder / "anchor"
        self.log = LogTwin()
        self.daemons: list[Daemon] = []
        run_json(
            *("witness", "init", "--data", str(self.data), "--name", "w.example/1")
        )
        vkey = format_vkey(self.log.vkey)
        run("witness", "add-log", "--data", str(self.data), "--vkey", vkey)

    def words(self, *flags: str) -> list[str]:
        listen = ("--listen", "127.0.0.1:0")
        return ["witness", "serve", "--data", str(self.data), *listen, *flags]

    def serve(self, *flags: str) -> Daemon:
        daemon = Daemon(self.words(*flags), self.folder / "errors")
        self.daemons.append(daemon)
        return daemon

    def clear(self) -> None:
        """End what a failed test left running."""
        for daemon in self.daemons:
            if daemon.is_alive:
                daemon.kill()

    def refused(self, *flags: str) -> tuple[int, str]:
        """Start where that must fail; give the exit code and the error line."""
        done = run(*self.words(*flags), check=False)
        assert done.stdout == ""
        (line,) = [
            line
            for line in done.stderr.splitlines()
            if line.startswith("tallystick witness: ")
        ]
        return done.returncode, line

    def log_lines(self) -> list[dict[str, object]]:
        text = (self.folder / "errors").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line[:1] == "{"]


def submit(daemon: Daemon, body: bytes) -> tuple[int, bytes]:
    link = http.client.HTTPConnection(daemon.listen, timeout=30)
    with closing(link):
        link.request("POST", "/add-checkpoint", body)
        answer = link.getresponse()
        return answer.status, answer.read()
