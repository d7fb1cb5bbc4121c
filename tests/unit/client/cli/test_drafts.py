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
from tallystick_client.results import SubmittedEvents, Unproven
from tests.unit.client.cli.desk import Run
from tests.unit.client.fake_events import event_json
from tests.unit.client.fake_log import POLICY
from tests.unit.client.mapping.samples import CLOUDTRAIL, KEY

RECORDS = CLOUDTRAIL.read_bytes().splitlines(keepends=True)


@pytest.fixture
def drafts() -> Drafts:
    return Drafts(shipped("cloudtrail"), KEY)


def write(path: Path, *lines: bytes) -> str:
    path.write_bytes(b"".join(lines))
    return str(path)


def numbers(drafted: list[Drafted]) -> list[int]:
    return [one.event.producer.sequence for one in drafted if one.event is not None]


def test_a_file_that_has_grown_keeps_its_instance_and_numbers(tmp_path: Path) -> None:
    short = write(tmp_path / "trail.json", *RECORDS[:2])
    long = write(tmp_path / "trail.json.1", *RECORDS[:4])

    first = list(Drafts(shipped("cloudtrail"), KEY).of(short))
    again = list(Drafts(shipped("cloudtrail"), KEY).of(long))

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
    drafts = Drafts(shipped("cloudtrail"), KEY, "trail:eu-1", 7)

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

    good, bad = Drafts(None, b"").of(name)

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
    (one,) = Drafts(None, b"").of(write(tmp_path / "a", json.dumps(body).encode()))

    batches = list(batches_of(iter([one] * 300), EmitTally(Drafts(None, b""))))

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


def test_what_is_derived_from_records_says_nothing_without_the_key(
    tmp_path: Path,
) -> None:
    name = write(tmp_path / "a", RECORDS[0])
    ids = set()
    for key in (KEY, KEY, b"another key of ids"):
        (one,) = Drafts(shipped("cloudtrail"), key).of(name)
        assert one.event is not None
        ids.add((one.event.event_id, one.event.producer.instance))

    assert len(ids) == 2
    assert len(set(dict(ids).values())) == 2


def test_a_key_of_ids_is_made_once_and_told(run: Run, tmp_path: Path) -> None:
    name = write(tmp_path / "a", RECORDS[0])
    emit = ("emit", "--from", "cloudtrail", name, "--dry-run")

    first, again = run(*emit), run(*emit)

    kept = tmp_path / "state" / "tallystick" / "id-key"
    assert f"made {kept}: keep it" in first.err
    assert again.err == ""
    assert first.out == again.out
    assert kept.stat().st_mode & 0o777 == 0o600


def test_machines_that_share_a_key_agree_on_ids(run: Run, tmp_path: Path) -> None:
    name = write(tmp_path / "a", RECORDS[0])
    key = write(tmp_path / "id.key", b"5a" * 32 + b"\n")
    emit = ("emit", "--from", "cloudtrail", name, "--dry-run", "--id-key", key)

    here = run("--state", tmp_path / "here", *emit)
    there = run("--state", tmp_path / "there", *emit)
    other = run("emit", "--from", "cloudtrail", name, "--dry-run")

    assert (here.code, here.err) == (0, "")
    assert here.out == there.out != other.out
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"5a" * 31, b"5A" * 32, b"5a" * 32 + b"\n\n"],
    ids=["empty", "short", "upper case", "two lines"],
)
def test_a_file_that_holds_no_key_is_refused(
    data: bytes, run: Run, tmp_path: Path
) -> None:
    key = write(tmp_path / "id.key", data)

    said = run(
        *("emit", "--from", "cloudtrail", CLOUDTRAIL, "--dry-run", "--id-key", key)
    )

    assert said.code == 2
    assert "openssl rand -hex 32" in said.err
    assert "5a5a" not in said.err


def test_where_no_key_can_be_kept_that_is_said(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "state", b"a file")

    said = run("emit", "--from", "cloudtrail", CLOUDTRAIL, "--dry-run")

    assert said.code == 2
    assert "--state DIR, or a secret with --id-key FILE" in said.err


def test_a_damaged_key_is_not_replaced(run: Run, tmp_path: Path) -> None:
    (tmp_path / "state" / "tallystick").mkdir(parents=True)
    kept = write(tmp_path / "state" / "tallystick" / "id-key", b"damaged")

    said = run("emit", "--from", "cloudtrail", CLOUDTRAIL, "--dry-run")

    assert (said.code, Path(kept).read_bytes()) == (2, b"damaged")
    assert "put it back from a backup" in said.err


def test_events_need_no_key(run: Run, tmp_path: Path) -> None:
    name = write(tmp_path / "events", json.dumps(event_json(5)).encode())

    assert run("emit", "--from", "events", name, "--dry-run").err == ""
    assert not (tmp_path / "state").exists()
    refused = run("emit", "--from", "events", name, "--dry-run", "--id-key", name)
    assert refused.code == 2
    assert "--id-key: records of --from events have ids already" in refused.err


def test_what_is_unproven_is_counted_apart(tmp_path: Path) -> None:
    drafts = Drafts(shipped("cloudtrail"), KEY)
    drafted = list(drafts.of(write(tmp_path / "a", RECORDS[0])))
    event = drafted[0].event
    assert event is not None
    claimed = Unproven(event.event_id, 7)
    tally = EmitTally(drafts)

    tally.take(drafted, SubmittedEvents({}, {}, {}, {}, {0: claimed}))

    assert tally.summary(POLICY) == (
        "1 record read, 1 unproven: the log says it erased it; nothing was logged"
    )
    assert tally.document("o")["unproven"] == [
        {
            "file": str(tmp_path / "a"),
            "record": 1,
            "line": 1,
            "event_id": event.event_id,
            "index": 7,
        }
    ]


def test_a_dry_run_prints_events_that_can_be_emitted(run: Run, tmp_path: Path) -> None:
    key = write(tmp_path / "id.key", b"5a" * 32)
    printed = run(
        *("emit", "--from", "cloudtrail", CLOUDTRAIL, "--dry-run", "--id-key", key)
    )
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
