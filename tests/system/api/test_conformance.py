"""R12: a server with witnesses does what its description says, whatever it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.exchange.appending import append_batch
from tallystick_merkle.exchange.base import Request, Response
from tallystick_merkle.genesis import EVENTS as EVENTS_KIND
from tallystick_merkle.keys import format_vkey
from tallystick_merkle.policy import format_policy
from tests.fakes.intakes import event_json
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.api.eventjudging import REDRIVE
from tests.system.api.exercise import PRINCIPAL, Target, Verdict, event_of, exercise
from tests.system.api.judging import BATCH, ENTRIES, FILLED
from tests.system.drive import drive, fetch
from tests.system.one_log import OneLog
from tests.system.stack import LOG, ORIGIN, Stack, run_json
from tests.unit.merkle.schemas import document

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.row("R12")]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A server that has entries, and two witnesses."""
    with Stack(tmp_path, publish_interval_s=0.05) as made:
        configure(made, "wait_max_s = 1.0")
        made.start()
        entries = [b"entry %d" % number for number in range(1, FILLED)]
        drive(append_batch(made.address, entries, policy=made.policy, key="fill"))
        yield made


def configure(stack: Stack, *lines: str) -> None:
    """Put lines into the server's own section."""
    text = stack.config.read_text("utf-8")
    text = text.replace("[server]\n", "\n".join(["[server]", *lines, ""]))
    stack.config.write_text(text, encoding="utf-8")


def target(stack: Stack) -> Target:
    assert stack.server is not None
    return Target(stack.server.url, ORIGIN, stack.token, stack.policy_path)


REFUSING = {
    "a log that is read only": ("read_only = true", ("503",)),
    "a disk below its margin": (f"disk_margin_bytes = {2**60}", ("503", "507")),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("state", REFUSING)
def test_a_server_that_takes_nothing_says_so_as_the_description_says(
    tmp_path: Path, form: Form, figures: Figures, state: str
) -> None:
    form.needs(Form.CI, "a server that takes entries is what matters first")
    line, expected = REFUSING[state]
    with OneLog(tmp_path) as one:
        one.start()
        entries = [b"entry %d" % number for number in range(1, FILLED)]
        drive(append_batch(one.address, entries, policy=one.policy, key="fill"))
        assert one.daemon is not None
        one.daemon.stop()
        one.configure(line)
        one.start()
        (log,) = one.policy.logs
        policy = tmp_path / "policy"
        policy.write_text(f"log {format_vkey(log.key)}\nquorum none\n", "utf-8")

        verdict = exercise(
            Target(one.url, ORIGIN, one.token, policy),
            tmp_path,
            examples=form.pick(quick=0, ci=3, long=20),
            expected=expected,
        )

    figures.record(
        f"the same requests to {state}",
        tried=verdict.cases,
        bad=len(verdict.failures),
        note=f"{' and '.join(expected)} as described",
    )
    assert verdict.failures == [], verdict.said
    assert verdict.errors == [], verdict.said
    assert set(verdict.never_accepted) <= {ENTRIES, BATCH, "GET /readyz"}


def note(verdict: Verdict, phases: str) -> str:
    operations = verdict.report["operations"]["tested"]
    return f"{operations} operations; {phases}; all checks; answers verified"


@pytest.fixture
def events(tmp_path: Path) -> Iterator[OneLog]:
    """A server with a log of events that has a schema, events and refused ones."""
    with OneLog(tmp_path, "wait_max_s = 1.0", kind="events") as log:
        log.token = run_json(
            "server", "token", "add", "--data", str(log.data), "--log", LOG,
            "--principal", PRINCIPAL,
            "--scope", "emit", "--scope", "read", "--scope", "admin",
        )["token"]  # fmt: skip
        log.start()
        body = "\n".join([*(event_line(at) for at in range(1, FILLED)), *"x" * 20])
        answer = post(log, "events:batch", body, "application/x-ndjson")
        assert answer["count"] == FILLED - 1
        post(log, "schemas", json.dumps(document()), "application/schema+json")
        yield log


def event_line(number: int) -> str:
    """An event on one line; its action has no schema."""
    members = {"service": PRINCIPAL, "instance": "i-1", "sequence": number}
    return json.dumps(
        event_json(number, event_id=event_of(number), action="a.b", producer=members)
    )


def post(log: OneLog, path: str, body: str, kind: str) -> dict[str, Any]:
    """Submit something to a log of events, and read the answer."""
    headers = {"Authorization": f"Bearer {log.token}", "Content-Type": kind}
    url = f"{log.url}/v1/logs/{LOG}/{path}"
    reply = fetch(Request("POST", url, headers=headers, body=body.encode()))
    assert isinstance(reply, Response)
    assert reply.status in (200, 201), reply.body
    answer: dict[str, Any] = json.loads(reply.body)
    return answer


@pytest.mark.timeout(900)
def test_a_log_of_events_answers_as_the_description_says(
    events: OneLog, tmp_path: Path, form: Form, figures: Figures
) -> None:
    policy = tmp_path / "policy"
    policy.write_bytes(format_policy(events.policy))
    every = "examples,coverage,fuzzing,stateful"
    phases = form.pick(quick="examples,fuzzing", ci=every, long=every)

    verdict = exercise(
        Target(events.url, ORIGIN, events.token, policy, EVENTS_KIND),
        tmp_path,
        examples=form.pick(quick=3, ci=12, long=300),
        phases=phases,
    )

    figures.record(
        "the same of a log of events",
        tried=verdict.cases,
        bad=len(verdict.failures),
        note=note(verdict, phases),
    )
    assert verdict.failures == [], verdict.said
    assert verdict.errors == [], verdict.said
    assert verdict.is_complete, verdict.said
    assert set(verdict.never_accepted) <= {REDRIVE}
    assert verdict.cases >= form.pick(quick=40, ci=300, long=2_000)
    assert events.daemon is not None
    assert events.daemon.is_alive
    events.daemon.stop()
    assert run_json("server", "fsck", "--data", str(events.data))["sound"] is True


@pytest.mark.timeout(900)
def test_no_request_is_answered_in_another_way_than_the_description_says(
    stack: Stack, tmp_path: Path, form: Form, figures: Figures
) -> None:
    examples = form.pick(quick=3, ci=12, long=300)
    every = "examples,coverage,fuzzing,stateful"
    phases = form.pick(quick="examples,fuzzing", ci=every, long=every)

    verdict = exercise(target(stack), tmp_path, examples=examples, phases=phases)

    figures.record(
        "requests drawn from the OpenAPI document, good and bad",
        tried=verdict.cases,
        bad=len(verdict.failures),
        note=note(verdict, phases),
    )
    assert verdict.failures == [], verdict.said
    assert verdict.errors == [], verdict.said
    assert verdict.is_complete, verdict.said
    by_chance = form.pick(quick={ENTRIES, BATCH}, ci=set(), long=set())
    assert set(verdict.never_accepted) <= by_chance, verdict.said
    assert verdict.cases >= form.pick(quick=40, ci=300, long=2_000)
    assert stack.server is not None
    assert stack.server.is_alive
    stack.server.stop()
    assert stack.fsck()["sound"] is True
