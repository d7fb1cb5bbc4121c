"""Runs of the real programs, recorded from their first file on.

Each gives the events, and the folder in which they happened; what these runs promised
is read from the events alone.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from tallystick_merkle.errors import UnreachableError
from tallystick_merkle.exchange.appending import (
    LogAddress,
    append_batch,
    append_entry,
)
from tallystick_merkle.exchange.base import NO_RETRY, Exchange, Failure, Request
from tallystick_merkle.keys import format_vkey
from tallystick_merkle.policy import Policy, parse_policy
from tallystick_merkle.witnessing import parse_size
from tests.system.drive import drive, fetch
from tests.system.power.judge import LOG, ORIGIN, WITNESS
from tests.system.power.judging import ROOT
from tests.system.power.recording import (
    Event,
    read_traces,
    signal_traced,
    traced,
)
from tests.system.stack import tallystick
from tests.unit.witness.world import LogTwin, ask

FOLDERS = ("anchor", "store")
"""Folders that are there, and durable, before a recording begins."""

KILLED_AT = 12
"""The fsync before which the first serving process is killed."""

PROGRAM = "tests.system.power.program"

_WORKERS = 4
_LONG = 20_000


@dataclass(frozen=True)
class Recording:
    """Events below a root."""

    root: Path
    events: list[Event]


class Recorder:
    """Runs commands one after the other, each under strace."""

    def __init__(self, directory: Path) -> None:
        """Record what happens below `directory`/disk, with its empty folders."""
        self.root = directory / "disk"
        self._directory = directory
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True)
        self._traces: list[tuple[str, Path]] = []

    def run(self, name: str, command: Sequence[str]) -> str:
        """Run a command to its end; give what it printed."""
        done = subprocess.run(
            traced(self._trace(name), command),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serving(self, *words: str, killed_at: int = 0) -> Iterator[str]:
        """Serve for the length of a block; give the URL.

        `killed_at`: the process is killed when it begins its fsync of that number, or
        at the latest when the block ends; 0 has it stopped in order.
        """
        trace = self._trace("serve")
        command = traced(trace, tallystick(*words), killed_at=killed_at)
        errors = self._directory / "errors"
        with errors.open("ab") as sink:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink)
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line.startswith("listening on "), errors.read_text()
        try:
            yield line.removeprefix("listening on ").split()[0]
        finally:
            end = signal.SIGKILL if killed_at else signal.SIGTERM
            with suppress(ProcessLookupError):
                signal_traced(trace, end)
            process.wait(timeout=60)
            process.stdout.close()

    def rename_last(self, name: str) -> None:
        """Say under which name the end of the last command is told."""
        self._traces[-1] = (name, self._traces[-1][1])

    def recording(self) -> Recording:
        """Read all that was recorded."""
        return Recording(self.root, read_traces(self._traces, self.root))

    def _trace(self, name: str) -> Path:
        trace = self._directory / f"trace-{len(self._traces)}"
        self._traces.append((name, trace))
        return trace


def record_log(directory: Path, *, appends: int, tokens: bool = True) -> Recording:
    """A log that is made, served, killed, served again and stopped.

    With `tokens`, one is added and revoked before.
    """
    recorder = Recorder(directory)
    data = recorder.root / "data"
    where = ["--data", str(data), "--log", LOG, "--json"]
    made = json.loads(
        recorder.run("init", tallystick("server", "init", *where, "--origin", ORIGIN))
    )
    if tokens:
        add = tallystick("server", "token", "add", *where)
        second = json.loads(recorder.run("", add))["id"]
        recorder.rename_last(f"token {second} valid")
        revoke = tallystick("server", "token", "revoke", second, *where[:4])
        recorder.run(f"token {second} revoked", revoke)
    config = directory / "server.toml"
    config.write_text(
        f'[server]\ndata = "{data}"\nlog_level = "error"\n[logs.{LOG}]\n'
        f'anchor = "{recorder.root}/anchor/log"\npublish_interval_s = 0.1\n',
        encoding="utf-8",
    )
    words = ["server", "serve", "--config", str(config), "--listen", "127.0.0.1:0"]
    policy = parse_policy(f"log {made['vkey']}\nquorum none\n".encode())
    for turn, killed_at in enumerate((KILLED_AT, 0)):
        with recorder.serving(*words, killed_at=killed_at) as url:
            address = LogAddress(
                ORIGIN, f"{url}/v1/logs/{LOG}", f"{url}/t/{LOG}", made["token"]
            )
            _append(address, policy, appends // 2, turn)
            fetch(Request("GET", f"{address.read_url}/checkpoint"))
    return recorder.recording()


def _append(address: LogAddress, policy: Policy, count: int, turn: int) -> None:
    """Append entries from several threads, some of them in batches, some long."""

    def append(number: int) -> None:
        entry = b"entry %d of turn %d " % (number, turn)
        key = f"{turn}-{number}"
        if number % 10 == 9:
            batch = [entry + b"%d" % at for at in range(40)]
            step: Exchange[object] = append_batch(
                address, batch, policy=policy, key=key, retry=NO_RETRY
            )
        else:
            entry *= _LONG // len(entry) if number % 10 == 4 else 1
            step = append_entry(address, entry, policy=policy, key=key, retry=NO_RETRY)
        with suppress(UnreachableError):
            drive(step)

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(append, range(count)))


def record_witness(directory: Path, *, heads: int) -> tuple[Recording, list[int]]:
    """A witness that is made, told of a log, served, killed, and served again.

    The log of `twin` asks for one size after the other; those that were cosigned for
    it are given too.
    """
    recorder = Recorder(directory)
    data = recorder.root / "w"
    where = ["--data", str(data)]
    recorder.run("init", tallystick("witness", "init", *where, "--name", WITNESS))
    log = twin(heads)
    vkey = format_vkey(log.vkey)
    recorder.run("follow", tallystick("witness", "add-log", *where, "--vkey", vkey))
    words = ["witness", "serve", *where, "--listen", "127.0.0.1:0"]
    words += ["--anchor", str(recorder.root / "anchor" / "w")]
    released: list[int] = []
    old = 0
    for killed_at in (KILLED_AT, 0):
        with recorder.serving(*words, killed_at=killed_at) as url:
            for _ in range(heads // 2):
                body = ask(old, log.proof(old, old + 1), log.note(old + 1))
                reply = fetch(Request("POST", f"{url}/add-checkpoint", body))
                if isinstance(reply, Failure):
                    break
                if reply.status == HTTPStatus.CONFLICT:
                    old = parse_size(reply.body)  # stored, and never released
                else:
                    assert reply.status == HTTPStatus.OK, reply.body
                    old += 1
                    released.append(old)
    return recorder.recording(), released


def twin(heads: int) -> LogTwin:
    """The log that asks the recorded witness."""
    return LogTwin(ORIGIN, size=heads + 1)


def record_program(directory: Path, *, commits: int, way: str) -> Recording:
    """The test's own program: a store with a small map that grows."""
    recorder = Recorder(directory)
    words = [str(recorder.root / "store"), str(commits), way]
    recorder.run("program", [sys.executable, "-m", PROGRAM, *words])
    return recorder.recording()
