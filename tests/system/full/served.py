"""A log that is served from a disk of its own, with entries that were acked."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tallystick_merkle.errors import RefusedError, UnreachableError
from tallystick_merkle.exchange.appending import LogAddress, append_entry
from tallystick_merkle.exchange.base import NO_RETRY, Request, Response
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.policy import parse_policy
from tallystick_merkle.tile import bundles_of
from tests.system.drive import drive, fetch
from tests.system.stack import LOG, ORIGIN, run_json, tallystick

ENTRY = 60_000
"""Bytes of an entry that fills a disk."""


class Served:
    """One log. Its data lie where they are put; its configuration and logs do not."""

    def __init__(self, directory: Path, data: Path) -> None:
        """Make the log below `data`; everything else is kept in `directory`."""
        self.directory = directory
        self.data = data
        made = run_json(
            "server", "init", "--data", str(data), "--log", LOG, "--origin", ORIGIN
        )
        self.token: str = made["token"]
        self.vkey: str = made["vkey"]
        self.policy_text = f"log {made['vkey']}\nquorum none\n"
        self.acked: dict[int, bytes] = {}
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._number = 0

    def configure(self, *server: str, log: Sequence[str] = ()) -> None:
        """Write the configuration."""
        lines = ["[server]", f'data = "{self.data}"', *server, f"[logs.{LOG}]", *log]
        config = self.directory / "server.toml"
        config.write_text("\n".join([*lines, ""]), encoding="utf-8")

    @property
    def errors(self) -> Path:
        """Where stderr of the server goes."""
        return self.directory / "server.log"

    def words(self) -> list[str]:
        """The command line that serves the log."""
        config = str(self.directory / "server.toml")
        return tallystick(
            "server", "serve", "--config", config, "--listen", "127.0.0.1:0"
        )

    def start(self, *before: str, errors: Path | None = None) -> bool:
        """Serve it; `before` stands before the command. False if it ends at once."""
        with (errors or self.errors).open("ab") as sink:
            self.process = subprocess.Popen(
                [*before, *self.words()], stdout=subprocess.PIPE, stderr=sink
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        self.url = line.removeprefix("listening on ").partition(" ")[0].strip()
        return line.startswith("listening on ")

    def wait(self) -> int:
        """Wait for the process to end by itself; give its exit code."""
        assert self.process is not None
        assert self.process.stdout is not None
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code

    def stop(self) -> int:
        """SIGTERM; give the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.wait()

    def close(self) -> None:
        """Kill what still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.wait()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def address(self) -> LogAddress:
        """Where the log is."""
        return LogAddress(
            ORIGIN, f"{self.url}/v1/logs/{LOG}", f"{self.url}/t/{LOG}", self.token
        )

    def append(self, size: int = ENTRY) -> None:
        """Append one entry that does not compress; remember it once it is acked.

        Raises RefusedError or UnreachableError.
        """
        self._number += 1
        entry = os.urandom(size)
        done = drive(
            append_entry(
                self.address,
                entry,
                policy=parse_policy(self.policy_text.encode()),
                key=f"key-{self._number}",
                retry=NO_RETRY,
            )
        )
        assert done.index not in self.acked
        self.acked[done.index] = leaf_hash(entry)

    def try_append(self, size: int = ENTRY) -> bool:
        """Append one entry; False where it is refused, or nobody answers."""
        with suppress(RefusedError, UnreachableError):
            self.append(size)
            return True
        return False

    def fill(self, size: int = ENTRY) -> RefusedError | UnreachableError:
        """Append until that fails; give the failure."""
        while True:
            try:
                self.append(size)
            except (RefusedError, UnreachableError) as error:
                return error

    def check_served(self) -> int:
        """Every acked entry is served; give the size of the log."""
        reader = TileReader(self.address.read_url)
        reply = fetch(Request("GET", self.address.api_url))
        assert isinstance(reply, Response), reply
        size: int = json.loads(reply.body)["size"]
        found = drive(reader.entries(bundles_of(0, size, size)))
        entries = [entry for bundle in found for entry in bundle]
        for index, leaf in self.acked.items():
            assert leaf_hash(entries[index]) == leaf, f"entry {index} is lost"
        return size

    def fsck(self) -> int:
        """Have everything checked; give the size, or raise."""
        found = run_json("server", "fsck", "--log", LOG, "--data", str(self.data))
        assert found["sound"] is True
        size: int = found["logs"][0]["size"]
        assert size > max(self.acked, default=0)
        return size

    def reason(self, event: str) -> str:
        """Why the last event of this name happened, as logged."""
        lines = self.errors.read_text(encoding="utf-8").splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        found: str = [line for line in told if line["event"] == event][-1]["reason"]
        return found

    def last_line(self) -> str:
        """The last line on stderr."""
        return self.errors.read_text(encoding="utf-8").splitlines()[-1]
