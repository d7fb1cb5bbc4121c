"""What the demo does, step by step; how it is shown is somebody else's business."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

from tallystick_client.address import log_address
from tallystick_client.auditing import Progress
from tallystick_client.blocking import Tallystick
from tallystick_client.cli.console import Meter, Shell
from tallystick_client.cli.drafts import Drafts
from tallystick_client.cli.emittally import EmitTally
from tallystick_client.cli.emitting import send_events
from tallystick_client.cli.evidence import judge_evidence
from tallystick_client.cli.inputs import Line, read_lines, read_policy, read_receipt
from tallystick_client.cli.network import Target
from tallystick_client.cli.sending import send_once
from tallystick_client.cli.tally import Tally
from tallystick_client.cli.verifying import judge_entry
from tallystick_client.demo.children import Family, call_json
from tallystick_client.demo.place import (
    EVENTS_NAME,
    EVENTS_ORIGIN,
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
from tallystick_client.idkey import keep_id_key
from tallystick_client.mapping.catalogue import shipped
from tallystick_client.results import Audited, Upgrade
from tallystick_client.session import Patience
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.evidence import Evidence, Found
from tallystick_merkle.keys import parse_vkey
from tallystick_merkle.policy import Policy

MAPPING = "cloudtrail"
"""How the records become events."""

DISCLOSED = "aws.s3.get-object"
"""The action of the event that is disclosed: the last one of it."""

SHOWN = ("action", "occurred_at", "details/requestParameters/key")
"""The fields of it that are shown; who did it stays hidden."""

WITNESS_S = 60
"""Seconds to wait for the witnesses."""


class Story:
    """One run of the demo in a directory."""

    def __init__(self, place: Place, setup: Setup) -> None:
        """Take a directory whose setup is whole."""
        self.place = place
        self.ports = Ports(setup.first_port)
        self.policy: Policy = read_policy(place.policy)
        self.target = self._target(LOG_NAME, ORIGIN, place.policy, place.token)
        self.events = self._target(
            EVENTS_NAME, EVENTS_ORIGIN, place.events_policy, place.events_token
        )
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

    def emit(self, shell: Shell) -> EmitTally:
        """Emit the same records as events, each once."""
        key, _ = keep_id_key(self.place.state)
        drafts = Drafts(shipped(MAPPING), key)
        tally = EmitTally(drafts)
        drafted = list(drafts.of(str(self.place.sample)))
        send_events(self.events, iter(drafted), tally, wait="durable", shell=shell)
        if tally.refused:
            raise ServiceError(
                f"the log refused {len(tally.refused)} of its own sample"
            )
        events = [one.event for one in drafted if one.event is not None]
        self._chosen = [event for event in events if event.action == DISCLOSED][-1]
        return tally

    def upgrade(self) -> tuple[Upgrade, Upgrade]:
        """Wait until both witnesses have cosigned heads that hold all records."""
        return self._upgrade(self.target), self._upgrade(self.events)

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

    def disclose(self) -> tuple[Evidence, Found]:
        """Prove some fields of one event, and check that as its reader would."""
        place = self.place
        with _client(self.events) as client:
            proof = client.disclose(self._chosen.event_id, *SHOWN)
        write_files(place.path, {place.evidence.name: proof.data})
        evidence, found = judge_evidence(place.evidence, self.events.policy)
        found.verdict.require_witnessed()
        return evidence, found

    def audit(self, progress: Progress) -> tuple[Audited, Audited]:
        """Hash both logs again from their tiles."""
        with _client(self.target) as client:
            raw = client.audit(progress)
        with _client(self.events) as client:
            return raw, client.audit(progress)

    def receipt_path(self, line: int) -> Path:
        """Give the file of the witnessed receipt of a line."""
        return self.trust.receipt_path(self._places[line])

    def _target(self, name: str, origin: str, policy: Path, token: Path) -> Target:
        log = log_address(
            self.ports.url(self.ports.server),
            name,
            origin=origin,
            token=token.read_text(encoding="ascii").strip(),
        )
        return Target(log, read_policy(policy), self.place.state)

    def _upgrade(self, target: Target) -> Upgrade:
        with _client(target) as client:
            done = client.upgrade(patience=Patience(4 * WITNESS_S, 0.25))
        if done.waiting:
            raise ServiceError(
                f"{len(done.waiting)} receipts are still not witnessed after "
                f"{WITNESS_S} seconds: see {self.place.logs}"
            )
        return done

    def _lines(self) -> list[Line]:
        name = str(self.place.sample)
        return list(read_lines(io.BytesIO(self.place.sample.read_bytes()), name))


def _client(target: Target) -> Tallystick:
    return Tallystick(target.log, target.policy, state=target.state)


def make_setup(place: Place, ports: Ports, tell: Callable[[str], object]) -> Setup:
    """Make the logs and two witnesses that follow them, and the files around them."""
    made = [
        _make_log(place, LOG_NAME, ORIGIN, "raw"),
        _make_log(place, EVENTS_NAME, EVENTS_ORIGIN, "events"),
    ]
    tell(f"made the log {ORIGIN}, of raw entries")
    tell(f"made the log {EVENTS_ORIGIN}, of events, and the vault of their keys")
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
        for log in made:
            vkey = str(log["vkey"])
            call_json("witness", "add-log", "--data", data, "--vkey", vkey)
        tell(f"made {name} ({kind})")
    keys = [parse_vkey(str(log["vkey"])) for log in made]
    setup = Setup(keys[0], keys[1], tuple(witnesses), ports.first)
    tokens = [str(log["token"]) for log in made]
    place.write(setup, token=tokens[0], events_token=tokens[1])
    return setup


def _make_log(place: Place, name: str, origin: str, kind: str) -> dict[str, object]:
    return call_json(
        *("server", "init", "--data", str(place.server)),
        *("--log", name, "--origin", origin, "--kind", kind),
    )
