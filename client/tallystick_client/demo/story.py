"""What the demo does, step by step; how it is shown is somebody else's business."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

from tallystick_client.address import log_address
from tallystick_client.auditing import Progress
from tallystick_client.blocking import Tallystick
from tallystick_client.cli.console import Meter
from tallystick_client.cli.inputs import Line, read_lines, read_policy, read_receipt
from tallystick_client.cli.network import Target
from tallystick_client.cli.sending import send_once
from tallystick_client.cli.tally import Tally
from tallystick_client.cli.verifying import judge_entry
from tallystick_client.demo.children import Family, call_json
from tallystick_client.demo.place import (
    HOST,
    LOG_NAME,
    ORIGIN,
    WITNESSES,
    Place,
    Ports,
    Setup,
)
from tallystick_client.errors import ServiceError
from tallystick_client.files import write_files
from tallystick_client.results import Audited, Upgrade
from tallystick_client.session import Patience
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.keys import parse_vkey
from tallystick_merkle.policy import Policy

WITNESS_S = 60
"""Seconds to wait for the witnesses."""


class Story:
    """One run of the demo in a directory."""

    def __init__(self, place: Place, setup: Setup) -> None:
        """Take a directory whose setup is whole."""
        self.place = place
        self.ports = Ports(setup.first_port)
        self.policy: Policy = read_policy(place.policy)
        token = place.token.read_text(encoding="ascii").strip()
        log = log_address(
            self.ports.url(self.ports.server), LOG_NAME, origin=ORIGIN, token=token
        )
        self.target = Target(log, self.policy, place.state)
        self.trust = DirectoryTrust(place.state, ORIGIN)
        self._places: dict[int, int] = {}
        self.tally = Tally(places=self._places)

    def start(self, family: Family, tell: Callable[[str], object]) -> None:
        """Start the witnesses, then the log that asks them."""
        self.ports.require_free()
        for number, (name, _) in enumerate(WITNESSES, 1):
            port = self.ports.witness(number)
            arguments = ["witness", "serve", "--data", str(self.place.witness(name))]
            family.start(name, [*arguments, "--listen", f"{HOST}:{port}"])
            tell(f"{name} listens on {self.ports.url(port)}")
        arguments = ["server", "serve", "--data", str(self.place.server)]
        arguments += ["--config", str(self.place.server_config)]
        port = self.ports.server
        family.start("server", [*arguments, "--listen", f"{HOST}:{port}"])
        tell(f"the log server listens on {self.ports.url(port)}")

    def append(self, meter: Meter) -> Tally:
        """Log each record of the sample once, however often the demo is run."""
        lines = iter(self._lines())
        asyncio.run(send_once(self.target, lines, "durable", self.tally, meter))
        return self.tally

    def upgrade(self) -> Upgrade:
        """Wait until both witnesses have cosigned a head that holds all records."""
        with self._client() as client:
            done = client.upgrade(patience=Patience(4 * WITNESS_S, 0.25))
        if done.waiting:
            raise ServiceError(
                f"{len(done.waiting)} receipts are still not witnessed after "
                f"{WITNESS_S} seconds: see {self.place.logs}"
            )
        return done

    def verify(self) -> int:
        """Check the receipt of every record, as `tallystick verify` does, offline."""
        for line in self._lines():
            path = self.receipt_path(line.number)
            verdict = judge_entry(
                read_receipt(path), line.entry, self.policy, name=str(path)
            )
            verdict.require_witnessed()
        first = self.receipt_path(1).read_bytes()
        write_files(self.place.path, {self.place.example.name: first})
        return len(self._places)

    def audit(self, progress: Progress) -> Audited:
        """Hash the whole log again from its tiles."""
        with self._client() as client:
            return client.audit(progress)

    def receipt_path(self, line: int) -> Path:
        """Give the file of the witnessed receipt of a line."""
        return self.trust.receipt_path(self._places[line])

    def _client(self) -> Tallystick:
        return Tallystick(self.target.log, self.policy, state=self.place.state)

    def _lines(self) -> list[Line]:
        name = str(self.place.sample)
        return list(read_lines(io.BytesIO(self.place.sample.read_bytes()), name))


def make_setup(place: Place, ports: Ports, tell: Callable[[str], object]) -> Setup:
    """Make a log and two witnesses that follow it, and write the files around them."""
    made = call_json(
        *("server", "init", "--data", str(place.server)),
        *("--log", LOG_NAME, "--origin", ORIGIN),
    )
    vkey = str(made["vkey"])
    tell(f"made the log {ORIGIN}")
    witnesses = []
    for name, kind in WITNESSES:
        data = str(place.witness(name))
        key_name = f"{name}.tallystick.example"
        about = call_json(
            *("witness", "init", "--data", data, "--name", key_name, "--type", kind)
        )
        vkeys = about["vkeys"]
        assert isinstance(vkeys, list)
        witnesses.append(parse_vkey(str(vkeys[0])))
        call_json("witness", "add-log", "--data", data, "--vkey", vkey)
        tell(f"made {name} ({kind})")
    setup = Setup(parse_vkey(vkey), tuple(witnesses), ports.first)
    place.write(setup, token=str(made["token"]))
    return setup
