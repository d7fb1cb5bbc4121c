"""A real server applies the schemas that were registered by commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.evidence import Found, check_evidence, parse_evidence
from tallystick_merkle.exchange.base import Request, Response
from tallystick_server.ingest.sealers import WORTH
from tests.fakes.intakes import event_json
from tests.system.drive import fetch
from tests.system.events.real import User
from tests.system.one_log import API, OneLog
from tests.system.stack import LOG, run, run_json
from tests.unit.merkle.schemas import document

pytestmark = [pytest.mark.system, pytest.mark.slow]

ACTION = "user.role.updated"
MAILBOX = "bob's mailbox"
TEXT = {"type": "string", "maxLength": 20}
DETAILS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "mailbox": {
            **TEXT,
            "x-tallystick": {"subject": "target/0", "sensitive": True},
        },
        "ticket": TEXT,
    },
}
FITS = {"mailbox": MAILBOX, "ticket": "OPS-1"}


@dataclass
class Team:
    """A log of events, and who keeps it, who emits into it and who reads it."""

    log: OneLog
    user: User
    admin: Path

    def place(self) -> tuple[str, ...]:
        """Where the keeper's commands go."""
        server = ("--server", self.log.url, "--log", LOG)
        return (*server, "--token-file", str(self.admin))

    def register(self, version: int, details: dict[str, Any]) -> dict[str, Any]:
        """Register a schema by the command."""
        file = self.log.directory / f"role-{version}.json"
        body = document(version, properties={"details": details})
        file.write_text(json.dumps(body), encoding="utf-8")
        return run_json("schema", "register", str(file), *self.place())

    def emit(self, number: int, **members: object) -> tuple[int, dict[str, Any]]:
        """Submit an event; give the status and the answer."""
        body = event_json(number, **members)
        body["producer"] = {"instance": "web-1", "sequence": number}
        headers = {
            "Authorization": f"Bearer {self.log.token}",
            "Content-Type": "application/json",
        }
        url = f"{self.log.url}{API}/events"
        reply = fetch(Request("POST", url, json.dumps(body).encode(), headers))
        assert isinstance(reply, Response), reply
        answer: dict[str, Any] = json.loads(reply.body)
        return reply.status, answer

    def proven(self, number: int, *fields: str) -> Found:
        """Disclose fields of an event by the command, and check the evidence."""
        file = self.log.directory / f"{number}.evidence"
        place = self.log.directory / "user"
        done = run(
            "disclose", name_of(number), "--fields", ",".join(fields),
            "--out", str(file), "--server", self.log.url, "--log", LOG,
            "--policy", str(place / "policy"), "--token-file", str(place / "token"),
            "--state", str(place / "state"), check=False,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr  # there are no witnesses
        evidence = parse_evidence(file.read_bytes())
        return check_evidence(evidence, policy=self.log.policy)

    def letters(self) -> list[dict[str, Any]]:
        """List the dead letters by the command."""
        found: list[dict[str, Any]] = run_json("dlq", "list", *self.place())["letters"]
        return found

    def restart(self, *log: str) -> None:
        """Stop the server, and start it with another configuration of the log."""
        assert self.log.daemon is not None
        assert self.log.daemon.stop() == 0
        self.log.configure(log=log)
        self.log.start()


def name_of(number: int) -> str:
    name: str = event_json(number)["event_id"]
    return name


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with OneLog(tmp_path, kind="events") as log:
        admin = tmp_path / "admin"
        admin.write_text(log.add_token("admin"), encoding="utf-8")
        log.start()
        yield Team(log, User(log), admin)


def test_an_event_is_held_against_its_schema_and_a_bad_one_laid_aside(
    team: Team,
) -> None:
    made = team.register(1, DETAILS)
    good, taken = team.emit(1, details=FITS)
    bad, refused = team.emit(2, details={"ticket": "a very secret ticket of somebody"})

    assert (made["version"], made["is_new"]) == (1, True)
    assert (good, taken["opening"]["schema"]) == (201, {"id": ACTION, "version": 1})
    assert (bad, refused["type"]) == (
        422,
        "https://tallystick.dev/problems/invalid-event",
    )
    (error,) = refused["errors"]
    assert error["pointer"] == "/details/ticket"
    assert error["detail"].startswith("expected maxLength 20")
    assert "secret" not in json.dumps(refused)
    assert [letter["pointer"] for letter in team.letters()] == ["/details/ticket"]


def test_a_sensitive_field_shows_only_to_whoever_asks(team: Team) -> None:
    team.register(1, DETAILS)
    team.emit(1, details=FITS)

    shown = team.user.run("event", "show", name_of(1))
    asked = team.user.run("event", "show", name_of(1), "--sensitive")

    assert shown["event"]["details"] == {"ticket": "OPS-1"}
    assert shown["hidden"] == ["details/mailbox"]
    assert MAILBOX not in json.dumps(shown)
    assert asked["event"]["details"] == FITS


def test_a_field_lies_in_the_group_of_the_person_it_was_given_to(team: Team) -> None:
    team.emit(1, details=FITS)
    team.register(1, DETAILS)
    team.emit(2, details=FITS)

    fields = ("targets", "target", "details/mailbox", "details/ticket")
    before = team.proven(1, *fields).disclosed.groups
    after = team.proven(2, *fields).disclosed.groups

    assert before[1] is not None
    assert before[1]["details/mailbox"] == MAILBOX  # the actor's, who has the rest
    actor, target = after[1], after[2]
    assert actor is not None
    assert target is not None
    assert target["details/mailbox"] == MAILBOX
    assert target["target"] == ["user", "bob@example.com"]
    assert "details/mailbox" not in actor
    assert actor["details/ticket"] == "OPS-1"


def test_schemas_are_known_after_a_restart_and_only_grow(team: Team) -> None:
    team.register(1, DETAILS)
    team.restart()
    again = team.register(1, DETAILS)
    bad, _ = team.emit(1, details={"other": 1})
    wider = {**DETAILS, "properties": {**DETAILS["properties"], "other": TEXT}}
    second = team.register(2, wider)
    assert team.log.daemon is not None
    team.log.daemon.kill()
    team.log.start()
    good, taken = team.emit(2, details={"other": "x"})
    listed = run_json("schema", "list", *team.place())["schemas"]

    assert (again["is_new"], bad) == (False, 422)
    assert (second["is_new"], good, taken["opening"]["schema"]) == (
        True, 201, {"id": ACTION, "version": 2},
    )  # fmt: skip
    assert [one["version"] for one in listed] == [1, 2]


def test_actions_that_no_schema_knows_are_what_the_configuration_says(
    team: Team,
) -> None:
    team.register(1, DETAILS)
    allowed, taken = team.emit(1, action="a.b")
    team.restart('unknown_actions = "warn"')
    warned, told = team.emit(2, action="a.b")
    team.restart('unknown_actions = "refuse"')
    refused, why = team.emit(3, action="a.b")
    known, _ = team.emit(4, details=FITS)

    assert (allowed, "warning" in taken) == (201, False)
    assert warned == 201
    assert "no schema is registered for a.b" in json.dumps(told)
    assert (refused, why["errors"][0]["pointer"]) == (422, "/action")
    assert known == 201
    (line,) = (one for one in team.log.logged() if one["event"] == "unknown action")
    assert (line["log"], line["action"], line["count"]) == (LOG, "a.b", 1)


def test_a_process_that_seals_says_of_which_log_an_action_is_unknown(
    team: Team,
) -> None:
    team.restart('unknown_actions = "warn"')
    bodies = [event_json(number, action="c.d") for number in range(WORTH)]
    for number, body in enumerate(bodies):
        body["producer"] = {"instance": "web-1", "sequence": number}
    headers = {
        "Authorization": f"Bearer {team.log.token}",
        "Content-Type": "application/json",
    }
    url = f"{team.log.url}{API}/events:batch"
    reply = fetch(Request("POST", url, json.dumps(bodies).encode(), headers))

    assert isinstance(reply, Response)
    assert {one["status"] for one in json.loads(reply.body)["results"]} == {201}
    logged = team.log.logged()
    assert "sealing process started" in {one["event"] for one in logged}
    told = [one for one in logged if one["event"] == "unknown action"]
    assert [(one["log"], one["action"], one["count"]) for one in told] == [
        (LOG, "c.d", 1),
        (LOG, "c.d", 10),
    ]


def test_a_schema_that_may_not_follow_is_exit_code_2(team: Team) -> None:
    team.register(1, DETAILS)
    narrower = {**DETAILS, "required": ["ticket"]}
    file = team.log.directory / "narrower.json"
    body = document(2, properties={"details": narrower})
    file.write_text(json.dumps(body), encoding="utf-8")

    said = run("schema", "register", str(file), *team.place(), check=False)

    assert said.returncode == 2
    assert "version 1 took more" in said.stderr
