"""Whoever keeps a log of events sees what is missing, and takes up the refused."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle import canonical
from tallystick_merkle.exchange.base import Request, Response
from tallystick_server.ingest.followed import MAC_SIZE
from tests.fakes.intakes import event_json
from tests.system.drive import fetch
from tests.system.one_log import API, OneLog
from tests.system.stack import LOG, Daemon, run

pytestmark = [pytest.mark.system, pytest.mark.slow]

REFUSE = 'unknown_actions = "refuse"'


class Keeper:
    """Somebody with a token that may administer the log, and one that may emit."""

    def __init__(self, log: OneLog) -> None:
        self.log = log
        self.token = log.directory / "admin"
        self.token.write_text(log.add_token("admin"), encoding="utf-8")

    def submit(self, number: int, **members: Any) -> Response:  # noqa: ANN401 -- any
        """Submit an event as its producer."""
        body = event_json(number, **members)
        body["producer"] = {"instance": "web-1", "sequence": number}
        reply = fetch(
            Request(
                "POST",
                f"{self.log.url}{API}/events",
                json.dumps(body).encode(),
                {
                    "Authorization": f"Bearer {self.log.token}",
                    "Content-Type": "application/json",
                },
            )
        )
        assert isinstance(reply, Response), reply
        return reply

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of his commands."""
        place = ["--server", self.log.url, "--log", LOG]
        return run(*words, *place, "--token-file", str(self.token), check=False)

    def told(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a command that ends with a code; give its object."""
        done = self.run("--json", *words)
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with OneLog(tmp_path, kind="events", log=(REFUSE,)) as log:
        keeper = Keeper(log)
        log.start()
        yield keeper


def test_a_refused_event_is_taken_up_again_after_a_restart(keeper: Keeper) -> None:
    refused = keeper.submit(0)
    listed = keeper.told("dlq", "list")
    shown = keeper.told("dlq", "show", "1")
    raw = keeper.run("dlq", "show", "1", "--raw")
    again = keeper.told("dlq", "redrive", "1", code=2)
    assert keeper.log.daemon is not None
    keeper.log.daemon.stop()
    keeper.log.configure()
    keeper.log.start()
    done = keeper.told("dlq", "redrive", "--all")
    left = keeper.told("dlq", "list")

    assert refused.status == 422
    assert [letter["id"] for letter in listed["letters"]] == [1]
    assert json.loads(b64decode(shown["body"]))["event_id"] == event_json(0)["event_id"]
    assert raw.stdout.encode() == b64decode(shown["body"])
    assert again["refused"][0]["status"] == 422
    assert done["redriven"][0]["event_id"] == event_json(0)["event_id"]
    assert left["count"] == 0


def test_several_are_dropped_only_by_whoever_is_sure(keeper: Keeper) -> None:
    for number in range(3):
        keeper.submit(number)

    asked = keeper.run("dlq", "drop", "--all")
    one = keeper.told("dlq", "drop", "2")
    rest = keeper.told("dlq", "drop", "--all", "--yes")
    gone = keeper.run("dlq", "drop", "2")
    none = keeper.run("dlq", "list")

    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    assert one == {"dropped": [2]}
    assert rest == {"dropped": [1, 3]}
    assert (gone.returncode, "404" in gone.stderr) == (2, True)
    assert none.stdout == "no dead letters\n"


def test_producers_are_shown_and_a_token_that_may_not_is_refused(
    keeper: Keeper,
) -> None:
    assert keeper.log.daemon is not None
    keeper.log.daemon.stop()
    keeper.log.configure()
    keeper.log.start()
    for number in (0, 1, 4):
        assert keeper.submit(number).status == 201

    told = keeper.told("producers")
    table = keeper.run("producers", "--recent", "1")
    keeper.token.write_text(keeper.log.add_token("emit", "read"), encoding="utf-8")
    refused = keeper.run("producers")

    rows = [one for one in told["producers"] if one["instance"] == "web-1"]
    assert [(one["events"], one["missing"], one["overdue"]) for one in rows] == [
        (3, 2, 0)
    ]
    assert "web-1" in table.stdout
    assert (refused.returncode, "401" in refused.stderr) == (2, True)


def test_a_command_without_a_token_says_what_to_name(keeper: Keeper) -> None:
    done = run("dlq", "list", "--server", keeper.log.url, "--log", LOG, check=False)

    assert done.returncode == 2
    assert "--token-file" in done.stderr


def test_a_read_only_server_shows_letters_and_leaves_them_to_their_owner(
    keeper: Keeper,
) -> None:
    owner = keeper.log
    keeper.submit(0)
    reading = OneLog.__new__(OneLog)
    reading.__dict__ |= owner.__dict__
    reading.daemon = Daemon(
        owner.words("--read-only"), owner.directory / "read-only.log"
    )
    with reading:
        keeper.log = reading
        refused = keeper.submit(1, bogus=1)
        dropped = keeper.run("dlq", "drop", "1")
        redriven = keeper.run("dlq", "redrive", "1")
        shown = keeper.told("dlq", "list")
    keeper.log = owner
    keeper.submit(2)
    left = keeper.told("dlq", "list")

    assert refused.status == 503
    assert "503" in dropped.stderr
    assert "503" in redriven.stderr
    assert (shown["count"], shown["not_kept"]) == (1, 0)
    assert [letter["id"] for letter in left["letters"]] == [2, 1]


def test_a_snapshot_that_somebody_has_emptied_is_not_believed(keeper: Keeper) -> None:
    path = keeper.log.data / "derived" / LOG / "followed.cbor"
    assert keeper.log.daemon is not None
    keeper.log.daemon.stop()
    keeper.log.configure()
    keeper.log.start()
    for number in range(3):
        assert keeper.submit(number).status == 201
    keeper.log.daemon.stop()
    data = path.read_bytes()
    mac, body = data[:MAC_SIZE], canonical.decode(data[MAC_SIZE:])
    assert isinstance(body, dict)
    emptied = {**body["state"], "producers": [body["position"], []]}
    path.write_bytes(mac + canonical.pack({**body, "state": emptied}))
    keeper.log.start()

    told = keeper.told("producers")
    warned = [one for one in keeper.log.logged() if one["event"] == "snapshot not used"]

    (row,) = [one for one in told["producers"] if one["instance"] == "web-1"]
    assert row["events"] == 3
    assert [one["why"] for one in warned] == ["not written by this server"]
