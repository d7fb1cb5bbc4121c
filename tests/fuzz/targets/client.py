"""Targets: what a client reads from its state directory and from its user."""

from __future__ import annotations

import json
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from tallystick_client.address import check_url, is_in_the_clear
from tallystick_client.cli.inputs import read_lines, read_policy, read_token
from tallystick_client.cli.settings import load_settings
from tallystick_client.demo.place import Place
from tallystick_client.errors import ClientError, StateError, UsageError
from tallystick_client.stored import (
    format_edge,
    format_held,
    parse_held,
    read_checkpoint,
    read_edge,
)
from tallystick_merkle.errors import KernelError
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.keys import format_vkey
from tallystick_merkle.policy import format_policy
from tallystick_merkle.receipt import parse_receipt
from tests.fuzz.place import put
from tests.fuzz.target import Target, check_spelling
from tests.fuzz.targets.server import parse_environment
from tests.unit.merkle.people import FULL_NOTE, two_of_two
from tests.vectors.known import answers

_PATH = Path("stored")
_SETUP = "setup.json"


def held_receipt(data: bytes) -> None:
    """A stored receipt with its leaf hash."""
    with suppress(StateError):
        check_spelling(data, format_held(parse_held(data, _PATH)))


def edge(data: bytes) -> None:
    """Where an audit stopped."""
    with suppress(StateError):
        found = read_edge(data, _PATH)
        check_spelling(data, format_edge(found))
        found.root()
        grow(found, [bytes(32)] * 3)


def believed(data: bytes) -> None:
    """The believed checkpoint."""
    with suppress(StateError):
        assert read_checkpoint(data, _PATH).size >= 0


def client_config(data: bytes) -> None:
    """A client's TOML file."""
    with suppress(ClientError):
        load_settings({}, put("client.toml", data))


def client_environment(data: bytes) -> None:
    """A client's environment over an empty file."""
    environment = parse_environment(data, "TALLYSTICK_CLIENT__")
    with suppress(ClientError):
        load_settings(environment, put("empty.toml", b""))


def url(data: bytes) -> None:
    """A server's URL."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(UsageError):
        base = check_url(text)
        assert check_url(base) == base
        is_in_the_clear(base)


def entry_lines(data: bytes) -> None:
    """A file of entries, one a line: every byte is accounted for."""
    with suppress(UsageError):
        lines = list(read_lines(BytesIO(data), "entries"))
        assert all(0 < len(line.entry) <= 65_535 for line in lines)
        assert lines == sorted(lines, key=lambda line: line.number)
        assert sum(len(line.entry) for line in lines) <= len(data)


def user_files(data: bytes) -> None:
    """A policy and a token that a user names."""
    path = put("given", data)
    with suppress(UsageError):
        read_policy(path)
    with suppress(UsageError, KernelError):
        assert read_token(path).isprintable() or True
    assert str(path)


def demo_setup(data: bytes) -> None:
    """What the demo wrote down about itself."""
    path = put(_SETUP, data)
    with suppress(ClientError):
        Place(path.parent)._read_setup()


TARGETS: dict[str, Target] = {
    "held-receipt": held_receipt,
    "edge": edge,
    "believed": believed,
    "client-config": client_config,
    "client-environment": client_environment,
    "url": url,
    "entry-lines": entry_lines,
    "user-files": user_files,
    "demo-setup": demo_setup,
}


def seeds() -> dict[str, list[bytes]]:
    """Good inputs."""
    receipt = parse_receipt(answers()["tlog_proof"].encode())
    grown = grow(EMPTY_EDGE, [leaf_hash(b"%d" % at) for at in range(11)]).edge
    keys = two_of_two()
    setup = json.dumps(
        {
            "log": format_vkey(keys.logs[0].key),
            "witnesses": [format_vkey(one.key) for one in keys.witnesses],
            "first_port": 8440,
        }
    )
    return {
        "held-receipt": [format_held(Held(receipt, bytes(range(32))))],
        "edge": [format_edge(EMPTY_EDGE), format_edge(grown)],
        "believed": [FULL_NOTE],
        "client-config": [
            b'[client]\nserver = "https://log.example"\npolicy = "p"\nstate = "~/s"\n'
        ],
        "client-environment": [b"SERVER=https://log.example\0STATE=~/s\0LOG=a"],
        "url": [b"https://log.example:8440/base/", b"http://[::1]:1"],
        "entry-lines": [b"one\r\n\ntwo\nthree", b"\n\r\n"],
        "user-files": [format_policy(keys), b"tally_token\n"],
        "demo-setup": [setup.encode()],
    }
