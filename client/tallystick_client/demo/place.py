"""The demo's directory: what lies where, and what may be deleted.

tallystick-demo/
.tallystick-demo     marker: only a directory with it is ever deleted
setup.json           written last: the setup is whole
server/  server.toml witness-1/  witness-2/
cloudtrail.policy    which log and which witnesses to believe; audit.policy for events
token                the right to write (mode 0600); audit.token for the events
client.toml          settings for `tallystick --config`; audit.toml for the events
cloudtrail-103.ndjson  the records that are logged
one-record.evidence  some fields of one event, proven
state/               receipts, believed head, evidence
logs/                what the processes said
"""

from __future__ import annotations

import json
import shutil
import socket
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from tallystick_client.errors import UsageError
from tallystick_client.files import read_small, write_files
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.keys import VerifierKey, format_vkey, parse_vkey
from tallystick_merkle.policy import parse_policy

LOG_NAME = "cloudtrail"
"""Name of the demo's log of raw entries."""

ORIGIN = "demo.tallystick.example/cloudtrail"
"""Origin of the demo's log of raw entries."""

EVENTS_NAME = "audit"
"""Name of the demo's log of events."""

EVENTS_ORIGIN = "demo.tallystick.example/audit"
"""Origin of the demo's log of events."""

WITNESSES = (("witness-1", "ed25519"), ("witness-2", "mldsa44"))
"""Folder and key type of each witness."""

SAMPLE = "cloudtrail-103.ndjson"
"""The records that the demo logs."""

HOST = "127.0.0.1"
"""All of the demo stays on this machine."""

FIRST_PORT = 8440
"""Port of the server; the witnesses take the next two."""

_MARKER = ".tallystick-demo"
_SETUP = "setup.json"
_MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of the demo, from the first one on."""

    first: int = FIRST_PORT

    @property
    def server(self) -> int:
        """Port of the log server."""
        return self.first

    def witness(self, number: int) -> int:
        """Port of a witness, from 1."""
        return self.first + number

    def url(self, port: int) -> str:
        """Base URL of what listens on a port."""
        return f"http://{HOST}:{port}"

    def require_free(self) -> None:
        """Raise UsageError naming the first port that somebody listens on."""
        for port in range(self.first, self.first + 1 + len(WITNESSES)):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    raise UsageError(
                        f"port {port} of {HOST} is taken ({error.strerror}): does "
                        "another tallystick demo or server run? find it with "
                        f"'ss -ltnp' or 'lsof -i :{port}', or choose --port"
                    ) from error


@dataclass(frozen=True, slots=True)
class Setup:
    """Made once: the public keys of the logs and of the witnesses, and the ports."""

    log: VerifierKey
    events: VerifierKey
    witnesses: tuple[VerifierKey, ...]
    first_port: int


class Place:
    """The demo's directory."""

    def __init__(self, path: Path) -> None:
        """Name the directory; nothing is made yet."""
        self.path = path
        self.server = path / "server"
        self.server_config = path / "server.toml"
        self.policy = path / f"{LOG_NAME}.policy"
        self.token = path / "token"
        self.client_config = path / "client.toml"
        self.events_policy = path / f"{EVENTS_NAME}.policy"
        self.events_token = path / f"{EVENTS_NAME}.token"
        self.events_config = path / f"{EVENTS_NAME}.toml"
        self.evidence = path / "one-record.evidence"
        self.sample = path / SAMPLE
        self.state = path / "state"
        self.logs = path / "logs"
        self.example = path / "receipt-of-line-1.tlog-proof"

    def witness(self, name: str) -> Path:
        """Give the data directory of a witness."""
        return self.path / name

    def open(self, *, reset: bool) -> Setup | None:
        """Claim the directory; give its setup, or None where one has to be made.

        A directory without our marker is never touched; a setup that was cut short
        holds nothing of worth and is made again.
        """
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise UsageError(f"{self.path} is not a directory: choose another --dir")
        has_marker = (self.path / _MARKER).is_file()
        is_used = self.path.is_dir() and any(self.path.iterdir())
        if is_used and not has_marker:
            raise UsageError(
                f"{self.path} was not made by the demo and is left alone: "
                "choose another --dir"
            )
        setup = None if reset or not is_used else self._read_setup()
        if is_used and setup is None:
            self._clear()
        write_files(self.path, {_MARKER: b"tallystick demo; safe to delete\n"})
        return setup

    def write(self, setup: Setup, *, token: str, events_token: str) -> None:
        """Write the files around the processes' own; the setup is whole at the end."""
        ports = Ports(setup.first_port)
        write_files(
            self.path,
            {
                self.policy.name: format_demo_policy(setup, setup.log),
                self.events_policy.name: format_demo_policy(setup, setup.events),
                self.token.name: f"{token}\n".encode(),
                self.events_token.name: f"{events_token}\n".encode(),
                self.server_config.name: _server_config(self).encode(),
                self.client_config.name: _client_config(
                    ports, LOG_NAME, self.policy, self.token, self.state
                ).encode(),
                self.events_config.name: _client_config(
                    ports,
                    EVENTS_NAME,
                    self.events_policy,
                    self.events_token,
                    self.state,
                ).encode(),
                SAMPLE: sample_records(),
            },
        )
        document = {
            "log": format_vkey(setup.log),
            "events": format_vkey(setup.events),
            "witnesses": [format_vkey(key) for key in setup.witnesses],
            "first_port": setup.first_port,
        }
        write_files(self.path, {_SETUP: json.dumps(document).encode() + b"\n"})

    def _read_setup(self) -> Setup | None:
        data = read_small(self.path / _SETUP, limit=_MOST)
        if data is None:
            return None
        try:
            document = json.loads(data)
            first, second = document["witnesses"]
            return Setup(
                parse_vkey(document["log"]),
                parse_vkey(document["events"]),
                (parse_vkey(first), parse_vkey(second)),
                int(document["first_port"]),
            )
        except (
            ValueError,
            KeyError,
            TypeError,
            OverflowError,
            RecursionError,
            MalformedError,
        ) as error:
            raise UsageError(
                f"{self.path / _SETUP} is damaged or of another version: "
                "start over with --reset"
            ) from error

    def _clear(self) -> None:
        """Delete all but the marker, which goes on saying whose directory this is."""
        for entry in self.path.iterdir():
            if entry.name == _MARKER:
                continue
            try:
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            except OSError as error:
                raise UsageError(f"cannot delete {entry}: {error.strerror}") from error


def format_demo_policy(setup: Setup, log: VerifierKey) -> bytes:
    """Write the policy of a log: both witnesses must have cosigned."""
    ports = Ports(setup.first_port)
    lines = [
        "# Whom to believe about a log of the demo. Server and clients read this file.",
        f"log {format_vkey(log)}",
    ]
    names = [name for name, _ in WITNESSES]
    for number, (name, key) in enumerate(zip(names, setup.witnesses, strict=True), 1):
        url = ports.url(ports.witness(number))
        lines.append(f"witness {name} {format_vkey(key)} {url}")
    lines += [f"group both all {' '.join(names)}", "quorum both", ""]
    policy = "\n".join(lines).encode()
    parse_policy(policy)
    return policy


def sample_records() -> bytes:
    """Give the records that come with the package, one JSON object a line."""
    return files("tallystick_client.samples").joinpath(SAMPLE).read_bytes()


def _server_config(place: Place) -> str:
    """Say which policy each log asks its witnesses by."""
    policies = {LOG_NAME: place.policy, EVENTS_NAME: place.events_policy}
    return "\n".join(
        f"[logs.{name}]\npolicy = {json.dumps(str(policy.resolve()))}\n"
        for name, policy in policies.items()
    )


def _client_config(
    ports: Ports, log: str, policy: Path, token: Path, state: Path
) -> str:
    """Say what the client's commands need to know; paths are relative to the file."""
    values = {
        "server": ports.url(ports.server),
        "log": log,
        "policy": policy.name,
        "token_file": token.name,
        "state": state.name,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join(["[client]", *lines, ""])
