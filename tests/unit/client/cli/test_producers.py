"""The table of producers: one line a start, and what to worry about at its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tallystick_client.cli.producers import _is_recent, _remarks, _table
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.exchange.producers import (
    Folded,
    Gap,
    ProducerReport,
    ProducerRow,
)

ROW = ProducerRow(
    principal="billing",
    instance="web-1",
    epoch=7,
    is_over=False,
    events=3,
    first_sequence=0,
    last_sequence=40,
    missing=0,
    overdue=0,
    gaps=(),
    lost=0,
    filled=0,
    duplicates=0,
    resets=0,
    late=0,
    max_late_ms=0,
    ahead=0,
    max_ahead_ms=0,
    heartbeat_s=0,
    is_silent=False,
    first_index=1,
    last_index=9,
    last_occurred_at="2026-11-23T11:59:59.000Z",
    last_received_at="2026-11-23T12:00:00.000Z",
)


def test_a_row_says_its_numbers_and_when_it_was_heard() -> None:
    head, line = _table([ROW])

    assert head.split()[:4] == ["producer", "instance", "epoch", "last"]
    assert line.split() == [
        *("billing", "web-1", "7", "40", "0", "0", "0", "0"),
        "2026-11-23T12:00:00.000Z",
    ]


def test_columns_stand_below_each_other() -> None:
    longer = replace(ROW, instance="a-much-longer-name", last_sequence=123456789)

    lines = _table([ROW, longer])

    ends = {line.index("2026") for line in lines[1:]}
    assert ends == {lines[0].index("last received")}


def test_what_is_missing_is_named_and_cut() -> None:
    gaps = tuple(Gap(at, at + 1, 1) for at in range(1, 10, 2))
    row = replace(ROW, missing=7, overdue=7, gaps=(Gap(20, 22, 2), *gaps))

    _, line = _table([row])

    assert line.endswith("gaps 20-21, 1, 3, 5, …")


def test_everything_to_worry_about_stands_at_the_end() -> None:
    row = replace(
        ROW,
        is_silent=True,
        heartbeat_s=30,
        lost=2,
        ahead=1,
        max_ahead_ms=9000,
        is_over=True,
    )

    _, line = _table([row])

    for part in (
        "SILENT (heartbeat 30 s)",
        "2 lost before a reset",
        "clock ahead by 9 s",
        "over",
    ):
        assert part in line


def test_remarks_say_what_cannot_be_known() -> None:
    report = ProducerReport(ROW.last_received_at, (ROW,), (Folded("shop", 4, 9),))

    assert _remarks(report, [ROW]) == [
        "shop: 4 more starts are not followed; they lacked 9 events"
    ]
    assert "cannot be known" in _remarks(report, [replace(ROW, is_over=True)])[-1]


def test_no_producer_is_said_to_be_none() -> None:
    assert _table([]) == ["no producer was heard"]


@pytest.mark.parametrize(
    ("as_of", "is_recent"),
    [("2026-11-23T14:00:00.000Z", True), ("2026-11-23T14:00:00.001Z", False)],
)
def test_recent_is_by_the_clock_of_the_log(as_of: str, is_recent: bool) -> None:
    assert _is_recent(ROW, as_of, 2) is is_recent
    assert _is_recent(ROW, as_of, None)


@pytest.mark.parametrize("as_of", ["never", "2026-11-23T14:00:00"])
def test_a_time_that_is_none_is_the_logs_fault(as_of: str) -> None:
    with pytest.raises(MalformedError):
        _is_recent(ROW, as_of, 2)
