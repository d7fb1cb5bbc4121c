"""A server with one log and no witnesses, and sockets that say what they like to it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.base import Request, Response
from tallystick_merkle.policy import Policy, parse_policy
from tests.system.drive import fetch
from tests.system.stack import LOG, ORIGIN, Daemon, run_json

API = f"/v1/logs/{LOG}"
READ = f"/t/{LOG}"

_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)", re.IGNORECASE)


class OneLog:
    """A data directory with one log; `start` serves it."""

    def __init__(
        self,
        directory: Path,
        *server: str,
        log: tuple[str, ...] = (),
        kind: str = "raw",
    ) -> None:
        """Create the log; `server` and `log` are lines of the configuration."""
        self.directory = directory
        self.data = directory / "data"
        made = run_json(
            "server", "init", "--data", str(self.data), "--log", LOG,
            "--origin", ORIGIN, "--kind", kind,
        )  # fmt: skip
        self.token: str = made["token"]
        self.policy: Policy = parse_policy(
            f"log {made['vkey']}\nquorum none\n".encode()
        )
        self.config = directory / "server.toml"
        self.configure(*server, log=log)
        self.daemon: Daemon | None = None

    def configure(self, *server: str, log: tuple[str, ...] = ()) -> None:
        """Write the configuration."""
        lines = ["[server]", f'data = "{self.data}"', *server, f"[logs.{LOG}]", *log]
        self.config.write_text("\n".join([*lines, ""]), encoding="utf-8")

    def add_token(self, *scopes: str) -> str:
        """Make a token that may do this; a running server takes it a little later."""
        words = [word for scope in scopes for word in ("--scope", scope)]
        made = run_json(
            "server", "token", "add", "--data", str(self.data), "--log", LOG, *words,
        )  # fmt: skip
        token: str = made["token"]
        return token

    def words(self, *extra: str) -> list[str]:
        """The words after `tallystick` that serve it on a free port."""
        return [
            "server", "serve", "--config", str(self.config),
            "--listen", "127.0.0.1:0", *extra,
        ]  # fmt: skip

    def start(self, *extra: str, program: tuple[str, ...] = ()) -> Daemon:
        """Serve it, by the given program in the place of `tallystick`."""
        self.daemon = Daemon(
            self.words(*extra), self.directory / "server.log", program=program
        )
        return self.daemon

    @property
    def url(self) -> str:
        """Where it is served."""
        assert self.daemon is not None
        return self.daemon.url

    @property
    def address(self) -> LogAddress:
        """Where clients find the log."""
        return LogAddress(ORIGIN, f"{self.url}{API}", f"{self.url}{READ}", self.token)

    def logged(self) -> list[dict[str, Any]]:
        """What the server has logged so far."""
        text = (self.directory / "server.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def get(self, path: str) -> Any:  # noqa: ANN401 -- whatever the JSON holds
        """GET a JSON resource."""
        return json.loads(self.fetch(path).body)

    def fetch(self, path: str, **headers: str) -> Response:
        """GET a resource, whatever the answer is."""
        reply = fetch(Request("GET", f"{self.url}{path}", headers=headers))
        assert isinstance(reply, Response), reply
        return reply

    def size(self) -> int:
        """Leaves of the log."""
        size: int = self.get(API)["size"]
        return size

    def post(self, path: str = f"{API}/entries", *, key: str = "key") -> bytes:
        """Begin a POST with everything but what tells the length of the body."""
        return (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
            f"Idempotency-Key: {key}\r\n"
        ).encode()

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """Open a connection of its own."""
        assert self.daemon is not None
        host, _, port = self.daemon.listen.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as link:
            yield link

    def say(self, data: bytes) -> bytes:
        """Send bytes, and read until the server closes."""
        with self.connected() as link:
            link.sendall(data)
            return read_all(link)

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
        if self.daemon is not None and self.daemon.is_alive:
            self.daemon.kill()


def read_all(link: socket.socket) -> bytes:
    """Read until the other side closes, in whatever way."""
    parts = []
    try:
        while part := link.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_answer(link: socket.socket) -> tuple[int, bytes]:
    """Read one answer with a Content-Length: its status and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(link)
    head, _, body = data.partition(b"\r\n\r\n")
    while len(body) < _length(head):
        body += _some(link)
    return int(head.split()[1]), body


def statuses(answers: bytes) -> list[int]:
    """The statuses of all answers in a stream, each cut by its Content-Length."""
    found = []
    while answers:
        head, _, answers = answers.partition(b"\r\n\r\n")
        found.append(int(head.split()[1]))
        answers = answers[_length(head) :]
    return found


def _some(link: socket.socket) -> bytes:
    data = link.recv(65_536)
    assert data, "the connection was closed in the middle of an answer"
    return data


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0
