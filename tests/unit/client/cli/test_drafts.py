"""Files become events: numbered, each once, and what is none is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tallystick_client.cli.drafts import Drafted, Drafts, choose_mapping
from tallystick_client.cli.emittally import EmitTally
from tallystick_client.cli.emitting import BATCH_EVENTS, batches_of
from tallystick_client.errors import UsageError
from tallystick_client.mapping.catalogue import shipped
from tests.unit.client.cli.desk import Run
from tests.unit.client.fake_events import event_json
from tests.unit.client.mapping.samples import CLOUDTRAIL

RECORDS = CLOUDTRAIL.read_bytes().splitlines(keepends=True)


@pytest.fixture
def drafts() -> Drafts:
    return Drafts(shipped("cloudtrail"))


def write(path: Path, *lines: bytes) -> str:
    path.write_bytes(b"".join(lines))
    return str(path)


def numbers(drafted: list[Drafted]) -> list[int]:
    return [one.event.producer.sequence for one in drafted if one.event is not None]


def test_a_file_that_has_grown_keeps_its_instance_and_numbers(tmp_path: Path) -> None:
    short = write(tmp_path / "trail.json", *RECORDS[:2])
    long = write(tmp_path / "trail.json.1", *RECORDS[:4])

    first = list(Drafts(shipped("cloudtrail")).of(short))
    again = list(Drafts(shipped("cloudtrail")).of(long))

    assert [one.event for one in first] == [one.event for one in again[:2]]
    assert numbers(again) == [1, 2, 3, 4]


def test_other_records_are_of_another_instance(drafts: Drafts, tmp_path: Path) -> None:
    one = list(drafts.of(write(tmp_path / "a", *RECORDS[:2])))
    other = list(drafts.of(write(tmp_path / "b", *RECORDS[2:4])))

    assert numbers(one) == numbers(other) == [1, 2]
    assert one[0].event is not None
    assert other[0].event is not None
    assert one[0].event.producer.instance != other[0].event.producer.instance


def test_a_named_instance_goes_on_from_file_to_file(tmp_path: Path) -> None:
    drafts = Drafts(shipped("cloudtrail"), "trail:eu-1", 7)

    list(drafts.of(write(tmp_path / "a", *RECORDS[:2])))
    (event,) = [one.event for one in drafts.of(write(tmp_path / "b", RECORDS[2]))]

    assert event is not None
    assert (event.producer.instance, event.producer.epoch) == ("trail:eu-1", 7)
    assert event.producer.sequence == 3


def test_a_record_that_is_there_twice_is_emitted_once(
    drafts: Drafts, tmp_path: Path
) -> None:
    name = write(tmp_path / "a", RECORDS[0], RECORDS[1], RECORDS[0])

    assert numbers(list(drafts.of(name))) == [1, 2]
    assert (drafts.read, drafts.duplicates) == (3, 1)


def test_a_record_that_cannot_be_an_event_keeps_its_number(
    drafts: Drafts, tmp_path: Path
) -> None:
    name = write(tmp_path / "a", RECORDS[0], b"{}\n", b"[\n", RECORDS[1])

    found = list(drafts.of(name))

    assert [(one.line, one.why) for one in found if one.event is None] == [
        (2, "no time that can be read at /eventTime or /@timestamp"),
        (3, "not JSON: Expecting value at character 1"),
    ]
    assert numbers(found) == [1, 4]


def test_records_that_are_events_already_are_taken_as_they_are(tmp_path: Path) -> None:
    body = json.dumps(event_json(5)).encode()
    wrong = json.dumps(event_json(6, action="x")).encode()
    name = write(tmp_path / "a", body, b"\n", wrong)

    good, bad = Drafts(None).of(name)

    assert numbers([good]) == [5]
    assert bad.why.startswith("/action: expected an action")


def test_events_are_cut_into_batches_and_what_is_none_is_counted(
    drafts: Drafts, tmp_path: Path
) -> None:
    (one,) = drafts.of(write(tmp_path / "a", RECORDS[0]))
    none = Drafted("a", 2, 2, None, "why")
    tally = EmitTally(drafts)

    batches = list(batches_of(iter([one] * BATCH_EVENTS + [none, one]), tally))

    assert [len(batch) for batch in batches] == [BATCH_EVENTS, 1]
    assert [drafted for drafted, _ in tally.refused] == [none]


def test_a_long_batch_is_cut_by_its_bytes(tmp_path: Path) -> None:
    body = event_json(1, details={"text": "x" * 16_000, "more": "y" * 16_000})
    (one,) = Drafts(None).of(write(tmp_path / "a", json.dumps(body).encode()))

    batches = list(batches_of(iter([one] * 300), EmitTally(Drafts(None))))

    assert sum(map(len, batches)) == 300
    assert len(batches) == 3


@pytest.mark.parametrize(
    ("source", "own", "why"),
    [
        (None, None, "--from is one of cloudtrail"),
        ("syslog", None, "--from is one of cloudtrail"),
        ("jsonl", None, "needs --mapping FILE"),
        ("windows", Path("own.toml"), "--mapping goes with --from jsonl"),
        ("jsonl", Path("no-such.toml"), "there is no file"),
    ],
    ids=["none", "unknown", "no mapping", "two mappings", "no file"],
)
def test_a_source_that_cannot_be_is_refused(
    source: str | None, own: Path | None, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        choose_mapping(source, own)


def test_a_dry_run_prints_events_that_can_be_emitted(run: Run, tmp_path: Path) -> None:
    printed = run("emit", "--from", "cloudtrail", CLOUDTRAIL, "--dry-run")
    name = write(tmp_path / "events", printed.out.encode())
    again = run("emit", "--from", "events", name, "--dry-run")

    assert (printed.code, printed.err) == (0, "")
    assert len(printed.out.splitlines()) == 103
    assert again.out == printed.out


def test_a_dry_run_for_programs_is_one_object(run: Run, tmp_path: Path) -> None:
    name = write(tmp_path / "a", RECORDS[0], b"{}\n")

    said = run("emit", "--from", "cloudtrail", name, "--dry-run", "--json")

    assert said.code == 2
    assert (said.document["read"], len(said.document["events"])) == (2, 1)
    assert said.document["refused"] == [
        {
            "file": name,
            "record": 2,
            "line": 2,
            "event_id": None,
            "status": None,
            "code": "unmapped",
            "detail": "no time that can be read at /eventTime or /@timestamp",
            "errors": [],
        }
    ]


def test_the_mapping_of_the_how_to_does_what_it_says(run: Run, tmp_path: Path) -> None:
    text = Path("docs/how-to/map-your-own.md").read_text("utf-8")
    mapping = text.split("```ini\n")[1].split("```")[0]
    record = next(
        line.split("`")[1] for line in text.splitlines() if line.startswith('`{"site"')
    )
    own = write(tmp_path / "door.toml", mapping.encode())
    name = write(tmp_path / "door.log", record.encode())

    said = run("emit", "--from", "jsonl", "--mapping", own, name, "--dry-run")

    event = json.loads(said.out)
    assert event["action"] == "door.open"
    assert event["actor"] == {"type": "employee", "id": "E-17"}
    assert event["targets"] == [{"type": "door", "id": "west"}]
    assert event["outcome"] == {"result": "denied"}
    assert event["occurred_at"] == "2026-09-21T14:13:20.000Z"


@pytest.mark.parametrize("name", ["", "a b", "x" * 129])
def test_an_instance_that_cannot_be_one_is_refused(name: str, run: Run) -> None:
    said = run(
        *("emit", "--from", "cloudtrail", CLOUDTRAIL, "--dry-run"),
        *("--instance", name),
    )

    assert said.code == 2
    assert "--instance: expected" in said.err
