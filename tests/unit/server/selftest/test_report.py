from __future__ import annotations

import json
from pathlib import Path

import pytest

from tallystick_server.selftest.ledger import Fault, Kind
from tallystick_server.selftest.report import Check, Counts, Report, Result
from tallystick_server.selftest.summary import drill_checks

COUNTS = Counts(
    rounds=3, server_kills=4, start_kills=1, witness_kills=2, restarts=6, logs=1,
    acked=1234, receipts=1300, repeated=9, heads=80, fscks=3,
)  # fmt: skip
BOTH = ("anchor", "witness")


def checks(*faults: Fault, noticed: tuple[str, ...] = BOTH) -> tuple[Check, ...]:
    return tuple(drill_checks(COUNTS, faults, has_witness=True, noticed=noticed))


def report(*found: Check, kept: Path | None = None) -> Report:
    return Report(Path("disk"), 42, 12.34, COUNTS, found, kept)


def text(said: Report) -> str:
    return " ".join(" ".join(said.lines()).split())


def test_every_kind_of_fault_has_its_check() -> None:
    names = [check.check for check in checks()]

    assert names == [kind.value for kind in Kind]
    assert {check.result for check in checks()} == {Result.OK}


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_fails_its_own_check_alone(kind: Kind) -> None:
    found = checks(Fault(kind, "this is wrong"))

    failed = [check for check in found if check.result is Result.FAILED]
    assert [(check.check, check.why) for check in failed] == [
        (kind.value, "this is wrong")
    ]


def test_many_faults_of_a_kind_are_counted_and_the_first_ones_told() -> None:
    faults = [Fault(Kind.ACKED, f"fault {number}") for number in range(5)]

    (failed,) = [one for one in checks(*faults) if one.result is Result.FAILED]

    assert failed.why == "fault 0; fault 1; fault 2; and 2 more"


def test_what_was_not_reached_is_not_tried() -> None:
    found = tuple(drill_checks(Counts(), [], has_witness=False, noticed=()))

    assert {check.result for check in found} == {Result.NOT_TRIED}
    assert report(*found).is_good


def test_a_missing_witness_is_said() -> None:
    found = drill_checks(COUNTS, [], has_witness=False, noticed=("anchor",))

    (witness,) = [one for one in found if one.check == "witness"]
    assert witness.result is Result.NOT_TRIED
    assert "tallystick[witness]" in witness.figure


def test_a_good_report_says_what_was_done_and_what_it_cannot_show() -> None:
    said = text(report(*checks()))

    assert "1234 acked entries over 7 kills in 3 rounds, none lost or changed" in said
    assert "Power loss." in said
    assert "FAILED" not in said
    assert "suspicious" not in said


def test_what_is_suspicious_is_told_and_fails_nothing() -> None:
    said = report(Check("durable write", Result.SUSPICIOUS, "0.001 ms", "too fast"))

    assert said.is_good
    assert said.suspicious == 1
    assert "durable write: too fast" in text(said)
    assert "1 suspicious, see above" in text(said)


def test_a_failure_says_what_where_it_is_kept_and_what_to_do() -> None:
    found = checks(Fault(Kind.ACKED, "3 acked entries are gone"))
    said = text(report(*found, kept=Path("disk/tallystick-selftest-x")))

    assert "FAILED: acked entries" in said
    assert "3 acked entries are gone" in said
    assert "kept in disk/tallystick-selftest-x" in said
    assert "put no log here" in said
    assert "--seed 42" in said


def test_no_line_but_those_of_the_table_is_wider_than_a_terminal() -> None:
    found = checks(*[Fault(kind, "word " * 60) for kind in Kind])

    lines = list(report(*found, kept=Path("disk/x")).lines())

    assert max(map(len, lines)) <= 100


def test_the_document_is_json_and_names_every_check() -> None:
    document = report(*checks(), kept=Path("disk/x")).document()

    again = json.loads(json.dumps(document))
    assert again["good"] is True
    assert (again["seed"], again["seconds"], again["kept"]) == (42, 12.3, "disk/x")
    assert again["counts"]["acked"] == 1234
    assert [one["check"] for one in again["checks"]] == [kind.value for kind in Kind]
    assert {one["result"] for one in again["checks"]} == {"ok"}
