"""A server and two witnesses as separate processes on loopback, for system tests.

One witness cosigns with Ed25519, the other with ML-DSA-44; the policy asks for both.
Readiness is the line a process prints, never a time.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.policy import Policy, parse_policy

ORIGIN = "tests.example/log"
LOG = "events"


def tallystick(*words: str) -> list[str]:
    """The command line of the installed `tallystick`."""
    return [str(Path(sys.executable).with_name("tallystick")), *words]


def run(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and keep what it printed."""
    done = subprocess.run(
        tallystick(*words), capture_output=True, text=True, timeout=90, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stderr}")
    return done


def run_json(*words: str) -> dict[str, Any]:
    """Run a command with --json and read its object."""
    answer: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return answer


class Daemon:
    """A `serve` process that was started and has said that it listens."""

    def __init__(
        self, words: list[str], errors: Path, *, program: tuple[str, ...] = ()
    ) -> None:
        """Start it and wait for its line; show its errors when it ends instead.

        `program` stands in the place of `tallystick`, for a sabotaged one.
        """
        self.errors = errors
        self._sink: IO[bytes] = errors.open("ab")
        self.process = subprocess.Popen(
            [*program, *words] if program else tallystick(*words),
            stdout=subprocess.PIPE,
            stderr=self._sink,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on "):
            code = self.process.wait(timeout=30)
            self._close()
            raise AssertionError(f"{words} ended with {code}: {errors.read_text()}")
        self.url = line.removeprefix("listening on ").split()[0]

    @property
    def listen(self) -> str:
        """HOST:PORT, to start it again at the same place."""
        return self.url.removeprefix("http://")

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)
        self._close()

    def stop(self) -> int:
        """SIGTERM; give the exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self._close()
        return code

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def _close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._sink.close()


class Stack:
    """One log, two witnesses, one policy; `with` stops what still runs."""

    def __init__(self, directory: Path, *, publish_interval_s: float = 0.2) -> None:
        """Create everything and start the witnesses; the server is started by hand."""
        self.directory = directory
        self.data = directory / "server"
        made = run_json(
            "server", "init", "--data", str(self.data), "--log", LOG,
            "--origin", ORIGIN,
        )  # fmt: skip
        self.vkey: str = made["vkey"]
        self.token: str = made["token"]
        self.witness_vkeys: list[str] = []
        self.witnesses = [
            self._new_witness("w1", "ed25519"),
            self._new_witness("w2", "mldsa44"),
        ]
        self.policy_path = directory / "policy"
        self.policy_path.write_text(self.policy_text(), encoding="utf-8")
        self.config = directory / "server.toml"
        self.config.write_text(
            f'[server]\ndata = "{self.data}"\n[logs.{LOG}]\n'
            f'policy = "{self.policy_path}"\n'
            f"publish_interval_s = {publish_interval_s}\n",
            encoding="utf-8",
        )
        self.server: Daemon | None = None
        self.listen = "127.0.0.1:0"

    def policy_text(self) -> str:
        """A 2-of-2 policy with the witnesses' URLs."""
        lines = [f"log {self.vkey}"]
        lines += [
            f"witness w{number} {vkey} {daemon.url}"
            for number, (vkey, daemon) in enumerate(
                zip(self.witness_vkeys, self.witnesses, strict=True), 1
            )
        ]
        return "\n".join([*lines, "group both all w1 w2", "quorum both", ""])

    @property
    def policy(self) -> Policy:
        """The parsed policy."""
        return parse_policy(self.policy_path.read_bytes())

    @property
    def address(self) -> LogAddress:
        """Where the log is now."""
        assert self.server is not None
        url = self.server.url
        return LogAddress(ORIGIN, f"{url}/v1/logs/{LOG}", f"{url}/t/{LOG}", self.token)

    def start(self, *extra: str) -> Daemon:
        """Start the server, on the same port as before if it ran already."""
        self.server = Daemon(
            [
                "server",
                "serve",
                "--config",
                str(self.config),
                "--listen",
                self.listen,
                *extra,
            ],
            self.directory / "server.log",
        )
        self.listen = self.server.listen
        return self.server

    def start_witness(self, number: int) -> Daemon:
        """Start a witness again at its own place."""
        old = self.witnesses[number]
        self.witnesses[number] = Daemon(
            ["witness", "serve", "--data", str(self.directory / f"w{number + 1}"),
             "--listen", old.listen],
            self.directory / f"w{number + 1}.log",
        )  # fmt: skip
        return self.witnesses[number]

    def fsck(self) -> dict[str, Any]:
        """Check the stored log; it must be clean."""
        return run_json("server", "fsck", "--data", str(self.data), "--log", LOG)

    def __enter__(self) -> Self:
        """Nothing is started here."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what still runs."""
        for daemon in [self.server, *self.witnesses]:
            if daemon is not None and daemon.is_alive:
                daemon.kill()

    def _new_witness(self, name: str, kind: str) -> Daemon:
        place = self.directory / name
        made = run_json(
            "witness", "init", "--data", str(place), "--name", f"{name}.example/w",
            "--type", kind,
        )  # fmt: skip
        (vkey,) = made["vkeys"]
        self.witness_vkeys.append(vkey)
        run("witness", "add-log", "--data", str(place), "--vkey", self.vkey)
        return Daemon(
            ["witness", "serve", "--data", str(place), "--listen", "127.0.0.1:0"],
            self.directory / f"{name}.log",
        )
