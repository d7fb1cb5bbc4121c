"""`tallystick emit`, `event` and `disclose` over loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.bench import Bench, opened_bench
from tests.unit.client.fake_events import EventsLog, event_json
from tests.unit.client.fake_log import ORIGIN
from tests.unit.client.mapping.samples import CLOUDTRAIL

pytestmark = pytest.mark.system


@pytest.fixture
def log() -> EventsLog:
    return EventsLog()


@pytest.fixture
def bench(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], log: EventsLog
) -> Iterator[Bench]:
    with opened_bench(tmp_path, capfd, log) as bench:
        yield bench


def lines(*bodies: dict[str, object]) -> bytes:
    return b"".join(json.dumps(body).encode() + b"\n" for body in bodies)


def test_records_are_emitted_once_however_often_this_is_run(
    bench: Bench, log: EventsLog
) -> None:
    first = bench.run("emit", "--from", "cloudtrail", CLOUDTRAIL)
    again = bench.run("emit", "--from", "cloudtrail", CLOUDTRAIL, "--json")

    assert (first.code, again.code) == (0, 0)
    assert first.out == (
        "103 records read; 103 new in the log (entries 1 to 103), all checked; 103 "
        "promised, not yet witnessed (later: tallystick receipts upgrade)\n"
    )
    assert again.document == {
        "origin": ORIGIN,
        "read": 103,
        "skipped": 0,
        "duplicates": 0,
        "added": 0,
        "repeated": 103,
        "promised": 103,
        "witnessed": 0,
        "first_index": 1,
        "last_index": 103,
        "warnings": [],
        "unproven": [],
        "refused": [],
    }
    assert len(log.stored) == 103


def test_events_of_which_only_the_log_says_that_it_erased_them_are_exit_code_3(
    bench: Bench, log: EventsLog
) -> None:
    path = bench.write("events.jsonl", lines(event_json(1)))
    bench.run("emit", "--from", "events", path)
    log.erased = {str(event_json(1)["event_id"])}
    elsewhere = bench.path / "elsewhere"

    kept = bench.run("emit", "--from", "events", path)
    said = bench.run("emit", "--from", "events", path, "--state", elsewhere)

    assert (kept.code, said.code) == (0, 3)
    assert "1 unproven: the log says it erased it; nothing was logged" in said.out
    assert "record 1 (line 1) is unproven: the log says that it is entry 1" in said.err
    assert list(elsewhere.rglob("*.tlog-proof")) == []


def test_numbers_of_the_producer_follow_the_file(bench: Bench, log: EventsLog) -> None:
    bench.run("emit", "--from", "cloudtrail", CLOUDTRAIL)

    producers = [one.event.producer for one in log.stored.values()]
    assert [one.sequence for one in producers] == list(range(1, 104))
    assert len({one.instance for one in producers}) == 1


def test_witnessed_events_are_waited_for(bench: Bench) -> None:
    said = bench.run("emit", "--from", "cloudtrail", CLOUDTRAIL, "--wait", "witnessed")

    assert said.code == 0
    assert "all witnessed" in said.out
    assert len(bench.trust.witnessed_files()) == 103


def test_witnesses_that_do_not_come_are_exit_code_3(
    bench: Bench, log: EventsLog
) -> None:
    log.is_witnessing = False

    said = bench.run("emit", "--from", "cloudtrail", CLOUDTRAIL, "--wait", "witnessed")

    assert said.code == 3


def test_a_refused_event_is_told_and_keeps_none_of_the_others_out(
    bench: Bench, log: EventsLog
) -> None:
    log.refused = {"a.b"}
    path = bench.write(
        "events.jsonl",
        lines(event_json(1), event_json(2, action="a.b"), event_json(3)) + b"{\n",
    )

    said = bench.run("emit", "--from", "events", path)
    document = bench.run("emit", "--from", "events", path, "--json").document

    assert said.code == 2
    assert "record 2 (line 2) was refused: not allowed here; /action" in said.err
    assert "record 4 (line 4) was refused: not JSON" in said.err
    assert "4 records read, 2 refused; 2 new in the log" in said.out
    assert [item["record"] for item in document["refused"]] == [4, 2]
    assert document["refused"][1]["errors"] == [
        {"pointer": "/action", "detail": "not this one"}
    ]


def test_what_was_sent_before_an_error_is_told(bench: Bench, log: EventsLog) -> None:
    good = bench.write("good.jsonl", lines(event_json(1)))

    said = bench.run("emit", "--from", "events", good, bench.path / "none.jsonl")

    assert said.code == 2
    assert "before the error: 1 record read; 1 new in the log" in said.err
    assert len(log.stored) == 1


def test_a_log_that_commits_to_something_else_is_exit_code_1(
    bench: Bench, log: EventsLog
) -> None:
    log.swap = {"user.role.updated": "user.role.viewed"}
    path = bench.write("events.jsonl", lines(event_json(1)))

    said = bench.run("emit", "--from", "events", path)

    assert said.code == 1
    assert "commits to another event" in said.err


def test_events_are_shown_and_listed(bench: Bench) -> None:
    path = bench.write("events.jsonl", lines(event_json(1), event_json(2)))
    bench.run("emit", "--from", "events", path)
    name = event_json(2)["event_id"]

    shown = bench.run("event", "show", name)
    document = bench.run("event", "show", name, "--json").document
    listed = bench.run("event", "list", "--after", 1)
    page = bench.run("event", "list", "--limit", 1, "--json").document

    assert "entry 2 (witnessed), received at 2023-11-14T22:13:20.000Z" in shown.out
    assert '"id": "apollo"' in shown.out
    assert document["event"]["after"] == {"role": "auditor"}
    assert (document["index"], document["status"]) == (2, "witnessed")
    (line,) = listed.out.splitlines()
    assert line.split() == [
        *("2", name, "2023-11-14T22:13:20.000Z"),
        *("user.role.updated", "success", "user:alice"),
    ]
    assert (len(page["events"]), page["has_more"]) == (1, True)


def test_evidence_is_written_and_verified(bench: Bench) -> None:
    path = bench.write("events.jsonl", lines(event_json(1)))
    bench.run("emit", "--from", "events", path)
    name, out = event_json(1)["event_id"], bench.path / "one.evidence"

    said = bench.run("disclose", name, "--fields", "action,after/role", "-o", out)
    silent = bench.run("verify", out)
    told = bench.run("verify", out, "--verbose")
    document = bench.run("verify", out, "--json").document

    assert (said.code, silent.code, silent.out) == (0, 0, "")
    assert "3 fields of entry 1 are shown and proven (witnessed)" in said.out
    assert 'shown   after/role  "auditor"' in told.out
    assert "and fields that are not even named" in told.out
    assert document["event"] == {
        "event_id": name,
        "action": "user.role.updated",
        "after": {"role": "auditor"},
    }
    assert "details/ticket" in document["hidden"]
    assert (document["names_all"], document["is_single"]) == (False, False)


def test_evidence_with_the_names_of_all_fields_is_single(bench: Bench) -> None:
    path = bench.write("events.jsonl", lines(event_json(1)))
    bench.run("emit", "--from", "events", path)
    name, out = event_json(1)["event_id"], bench.path / "one.evidence"
    words = ("disclose", name, "--fields", "after/role", "-o", out)

    both = bench.run(*words, "--hide-names", "--all-names")
    said = bench.run(*words, "--all-names")
    document = bench.run("verify", out, "--json").document

    assert (both.code, said.code) == (2, 0)
    assert "name one of them" in both.err
    assert document["is_single"] is True
    assert "details/ticket" in document["hidden"]


def test_evidence_of_a_promised_event_is_exit_code_3(
    bench: Bench, log: EventsLog
) -> None:
    log.is_witnessing = False
    path = bench.write("events.jsonl", lines(event_json(1)))
    bench.run("emit", "--from", "events", path)
    name, out = event_json(1)["event_id"], bench.path / "one.evidence"

    codes = [
        bench.run("disclose", name, "--fields", "action", "-o", out).code,
        bench.run("verify", out).code,
        bench.run("verify", out, "--allow-promised").code,
    ]

    assert codes == [3, 3, 0]
