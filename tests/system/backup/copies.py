"""A copy of a stack's log on another machine: backed up, restored, promoted, served."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tallystick_merkle.exchange.appending import Appended, LogAddress, append_entry
from tallystick_merkle.exchange.base import NO_RETRY, Request, Response
from tallystick_server.clock import SystemClock
from tallystick_server.log.manifest import SavedLog
from tallystick_server.log.marker import Marker, read_marker
from tallystick_server.log.tokenfile import add_token
from tallystick_server.storage.base import Head
from tallystick_server.storage.lmdb import open_store
from tallystick_server.wiring.restoring import RestoreOrder, restore
from tests.system.drive import drive, fetch
from tests.system.stack import LOG, ORIGIN, Daemon, Stack, run

API = f"/v1/logs/{LOG}"


def quiet(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


class Copy:
    """The second machine. `with` stops what still runs."""

    def __init__(self, stack: Stack, name: str = "copy") -> None:
        """Lie beside the stack, with its policy and its interval."""
        self.stack = stack
        self.data = stack.directory / name
        self.config = stack.directory / f"{name}.toml"
        text = stack.config.read_text(encoding="utf-8")
        self.config.write_text(
            text.replace(f'"{stack.data}"', f'"{self.data}"'), encoding="utf-8"
        )
        self.key = stack.directory / f"{name}.skey"
        self.errors = stack.directory / f"{name}.log"
        self.token = ""
        self.daemon: Daemon | None = None

    def restore(self, backup: Path) -> SavedLog:
        """Restore a backup here."""
        (saved,) = restore(RestoreOrder(backup, self.data), SystemClock(), quiet)
        return saved

    def promote(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Promote, with the key that was kept elsewhere."""
        shutil.copy(self.stack.data / "keys" / f"{LOG}.skey", self.key)
        return run(
            "server", "promote", "--config", str(self.config), "--log", LOG,
            "--key", str(self.key), *words, check=False,
        )  # fmt: skip

    def take_over(self, backup: Path) -> None:
        """Restore, promote, and make a token."""
        self.restore(backup)
        done = self.promote("--original-is-stopped")
        assert done.returncode == 0, done.stderr
        self.make_token()

    def make_token(self) -> None:
        """Tokens are not in a backup."""
        new = add_token(self.data, log=LOG, clock=SystemClock(), draw=bytes)
        self.token = new.text

    def words(self, *extra: str) -> list[str]:
        """The words that serve it."""
        return [
            "server", "serve", "--config", str(self.config),
            "--listen", "127.0.0.1:0", *extra,
        ]  # fmt: skip

    def start(self, *extra: str) -> Daemon:
        """Serve it."""
        self.daemon = Daemon(self.words(*extra), self.errors)
        return self.daemon

    def refused(self, *extra: str) -> subprocess.CompletedProcess[str]:
        """Serve it, though that must be refused."""
        return run(*self.words(*extra), check=False)

    @property
    def address(self) -> LogAddress:
        """Where it is."""
        assert self.daemon is not None
        url = self.daemon.url
        return LogAddress(ORIGIN, f"{url}{API}", f"{url}/t/{LOG}", self.token)

    def append(self, key: str) -> Appended:
        """Append one entry, in one attempt."""
        return append(self.address, self.stack, key)

    def get(self, path: str) -> Response:
        """GET a resource."""
        assert self.daemon is not None
        reply = fetch(Request("GET", f"{self.daemon.url}{path}"))
        assert isinstance(reply, Response), reply
        return reply

    def signing(self) -> str:
        """What /healthz says of signing."""
        checks: list[dict[str, Any]] = json.loads(self.get("/healthz").body)["checks"]
        (found,) = [one for one in checks if one["name"] == f"{LOG}: signing"]
        return str(found["detail"])

    @property
    def is_ready(self) -> bool:
        """Whether it takes entries."""
        return self.get("/readyz").status == 200

    @property
    def marker(self) -> Marker | None:
        """What it may do."""
        return read_marker(self.data, LOG)

    @property
    def evidence(self) -> list[str]:
        """The evidence kept here."""
        folder = self.data / "logs" / LOG / "evidence"
        return sorted(path.name for path in folder.glob("*.json"))

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
        if self.daemon is not None:
            self.daemon.kill()  # where nothing is left to kill, pipes are closed


def append(address: LogAddress, stack: Stack, key: str) -> Appended:
    """Append one entry, in one attempt."""
    return drive(
        append_entry(
            address, key.encode(), policy=stack.policy, key=key, retry=NO_RETRY
        )
    )


def back_up(stack: Stack, name: str = "backup") -> Path:
    """Take a backup beside the running server, in a process of its own."""
    place = stack.directory / name
    run("server", "backup", "--config", str(stack.config), "--to", str(place))
    return place


def stored(data: Path) -> tuple[Head, list[bytes]]:
    """Read the last head and every entry of a log that nobody writes, or somebody."""
    store = open_store(data / "logs" / LOG / "log.lmdb", read_only=True)
    try:
        head = store.load().head
        return head, store.read_entries(0, head.size)
    finally:
        store.close()
