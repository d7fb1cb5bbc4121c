from __future__ import annotations

import json
from pathlib import Path

import pytest

from tallystick_client.auditing import Progress
from tallystick_client.blocking import Tallystick
from tallystick_client.cli.console import Meter, Shell
from tallystick_client.cli.drafts import Drafts
from tallystick_client.cli.emittally import EmitTally
from tallystick_client.cli.screen import Screen, commands_to_try
from tallystick_client.cli.tally import Tally
from tallystick_client.demo.place import Place, Ports
from tallystick_client.results import Audited, Head, Upgrade
from tallystick_merkle.evidence import Evidence, Found, parse_evidence
from tallystick_merkle.policy import judge
from tests.unit.client.fake_events import EventsLog, event_json
from tests.unit.client.fake_log import (
    LOG,
    POLICY,
    WITNESSES,
    FakeTransport,
    Tree,
    sign,
)

HEAD = Head(judge(sign(Tree([b"a", b"b"]), WITNESSES), POLICY), 2)


class Tale:
    """A story that has gone well."""

    def __init__(self, path: Path) -> None:
        self.place = Place(path)
        self.ports = Ports(9000)

    def append(self, meter: Meter) -> Tally:
        meter.show(1)
        return Tally(added=1)

    def emit(self, shell: Shell) -> EmitTally:
        return EmitTally(Drafts(None, b""), added=1)

    def upgrade(self) -> tuple[Upgrade, Upgrade]:
        return Upgrade(HEAD, (), ()), Upgrade(HEAD, (), ())

    def verify(self) -> int:
        return 1

    def disclose(self) -> tuple[Evidence, Found]:
        with Tallystick(LOG, POLICY, transport=FakeTransport(EventsLog())) as client:
            event = event_json()
            client.emit(event)
            proof = client.disclose(str(event["event_id"]), "action", "after/role")
        return parse_evidence(proof.data), proof.found

    def audit(self, progress: Progress) -> tuple[Audited, Audited]:
        progress(2, 2)
        return Audited(HEAD, 0), Audited(HEAD, 0)


@pytest.fixture
def tale(tmp_path: Path) -> Tale:
    return Tale(tmp_path / "my demo")


def test_the_story_is_told_in_steps(
    tale: Tale, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen(Shell(), stays=True)

    screen.begin(tale.place, is_new=False)
    screen.tell(tale)

    out = capsys.readouterr().out
    assert "going on with the log that is there" in out
    assert "ok  checked all 1 receipts offline" in out
    assert "http://127.0.0.1:9000/t/cloudtrail/checkpoint" in out
    assert "until you press Ctrl-C" in out
    assert 'shown   after/role  "auditor"' in out
    assert "hidden  tenant, " in out


def test_for_programs_the_story_is_one_object(
    tale: Tale, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen(Shell(is_json=True), stays=False)

    screen.begin(tale.place, is_new=True)
    screen.tell(tale)
    screen.stopping()

    document = json.loads(capsys.readouterr().out)
    assert (document["added"], document["size"], document["verified"]) == (1, 2, 1)
    assert document["events"]["verdict"] == "witnessed"
    assert document["events"]["shown"]["after/role"] == "auditor"


def test_commands_can_be_copied_whatever_the_path(tale: Tale) -> None:
    commands = [line for _, line in commands_to_try(tale.place, tale.ports, stays=True)]

    assert len(commands) == 9
    assert any(" audit --from-start --config " in line for line in commands)
    assert all("my demo/" not in line or "'" in line for line in commands)


def test_what_needs_the_server_is_not_proposed_when_it_is_gone(tale: Tale) -> None:
    commands = [
        line for _, line in commands_to_try(tale.place, tale.ports, stays=False)
    ]

    assert all("--config" not in line and "curl" not in line for line in commands)
