"""What the log is told about its producers: once, in time, and not forgotten."""

from __future__ import annotations

from tallystick_merkle.canonical import encode
from tallystick_merkle.event import MAX_FIELD, Value
from tallystick_server.ingest.own import OwnEvent
from tallystick_server.ingest.producers import (
    EVERY_MS,
    GAP,
    MAX_FINDINGS,
    Producers,
)
from tallystick_server.ingest.sequences import GRACE_MS
from tests.unit.server.ingest.producing import MINUTE_MS, START_MS, Life, event


def test_a_gap_is_told_after_the_grace_and_once() -> None:
    life = Life()
    life.see(0, 1, 4)

    life.wait(GRACE_MS - 1)
    early = life.findings()
    life.wait(1)
    told = life.findings()
    life.wait(10 * MINUTE_MS)

    assert early == []
    assert told == [
        {
            "kind": "gap",
            "instance": "web-1",
            "epoch": 0,
            "ranges": [[2, 4, 2]],
            "missing": 2,
            "lost": 0,
        }
    ]
    assert life.findings() == []


def test_a_gap_that_is_filled_within_the_grace_is_none() -> None:
    life = Life()
    life.see(0, 1, 4)
    life.wait(GRACE_MS - 1)
    life.see(3, 2)
    life.wait(MINUTE_MS)

    assert life.findings() == []
    assert life.state().stream.sequence.filled == 2


def test_what_comes_late_closes_the_gap_in_the_state() -> None:
    life = Life()
    life.see(0, 2)
    life.wait(GRACE_MS)
    life.findings()
    was_open = life.state().open
    life.see(1)

    assert (was_open, life.state().open) == (1, 0)


def test_duplicates_and_resets_are_told_with_their_counts() -> None:
    life = Life()
    life.see(*range(2000))
    life.see(1999, 1998)
    life.see(0)

    assert life.findings() == [
        {"kind": "duplicate", "instance": "web-1", "epoch": 0, "count": 2},
        {"kind": "reset", "instance": "web-1", "epoch": 0, "count": 1},
    ]


def test_a_producer_is_told_of_at_most_once_a_minute() -> None:
    life = Life()
    life.see(0, 0)
    first = life.findings()
    life.see(0, instance="web-2")
    life.see(0, instance="web-2")
    life.wait(EVERY_MS - 1)
    between = life.findings()
    life.wait(1)

    assert len(first) == 1
    assert between == []
    assert [one["instance"] for one in life.findings()] == ["web-2"]


def test_another_producer_does_not_wait_for_the_first() -> None:
    life = Life()
    life.see(0, 0)
    life.findings()
    life.see(0, 0, principal="shop")

    assert [own.details["principal"] for own in life.due()] == ["shop"]


def test_a_new_epoch_is_a_clean_restart() -> None:
    life = Life()
    life.see(0, 1, 2, epoch=100)
    life.see(0, 1, epoch=200)
    life.wait(MINUTE_MS)

    assert life.findings() == []
    assert life.state(100).stream.is_over
    assert not life.state(200).stream.is_over


def test_an_epoch_between_two_that_were_seen_is_over() -> None:
    life = Life()
    for epoch in (200, 100, 150):
        life.see(0, epoch=epoch)

    over = {epoch: life.state(epoch).stream.is_over for epoch in (100, 150, 200)}
    assert over == {100: True, 150: True, 200: False}


def test_an_event_of_an_earlier_epoch_does_not_end_the_later_one() -> None:
    life = Life()
    life.see(0, epoch=200)
    life.see(7, epoch=100)

    assert life.state(100).stream.is_over
    assert not life.state(200).stream.is_over


def test_silence_is_told_after_three_heartbeats_and_once_each_time() -> None:
    life = Life()
    life.beat(0, 30)
    life.wait(90_000)
    early = life.findings()
    life.wait(1)
    told = life.findings()
    life.wait(MINUTE_MS)
    again = life.findings()
    life.see(1)
    life.wait(90_001)

    assert early == []
    assert [one["kind"] for one in told] == ["silence"]
    assert told[0]["last_received_ms"] == START_MS
    assert again == []
    assert [one["kind"] for one in life.findings()] == ["silence"]


def test_any_event_is_a_sign_of_life() -> None:
    life = Life()
    life.beat(0, 30)
    life.wait(80_000)
    life.see(1)
    life.wait(80_000)

    assert life.findings() == []
    assert not life.state().is_silent


def test_a_heartbeat_of_zero_ends_the_watch() -> None:
    life = Life()
    life.beat(0, 30)
    life.beat(1, 0)
    life.wait(10 * MINUTE_MS)

    assert life.findings() == []


def test_a_start_that_is_over_is_not_silent() -> None:
    life = Life()
    life.beat(0, 30, epoch=1)
    life.see(0, epoch=2)
    life.wait(10 * MINUTE_MS)

    assert life.findings() == []


def test_an_announcement_of_nonsense_changes_nothing() -> None:
    life = Life()
    life.beat(0, 30)
    for number, nonsense in enumerate([-1, True, "30", None, 10**9], start=1):
        life.beat(number, nonsense)

    assert life.state().stream.heartbeat_s == 30


def test_nobody_is_silent_or_late_because_the_server_was_away() -> None:
    life = Life()
    life.beat(0, 30)
    life.see(2)
    producers = Producers()
    for one in life.seen:
        producers.observe(*one)
    back_ms = START_MS + 1_000 * MINUTE_MS

    assert producers.due(back_ms) == []
    assert producers.due(back_ms + GRACE_MS - 1) == []
    (gap,) = producers.due(back_ms + GRACE_MS)
    assert gap.details["kinds"] == ["gap"]
    (both,) = producers.due(back_ms + 90_001)
    assert both.details["kinds"] == ["gap", "silence"]


def test_late_events_and_those_ahead_of_their_time_are_counted() -> None:
    life = Life()
    life.see(0, ago_ms=300_000)
    life.see(1, ago_ms=300_001)
    life.see(2, ago_ms=-5_000)
    life.see(3, ago_ms=-9_000)

    stream = life.state().stream
    assert (stream.late, stream.max_late_ms) == (1, 300_001)
    assert (stream.ahead, stream.max_ahead_ms) == (1, 9_000)
    assert stream.last_occurred_ms == START_MS + 9_000
    assert stream.last_received_ms == START_MS
    assert stream.last_index == 3


def test_what_is_due_is_given_again_until_it_is_reported() -> None:
    life = Life()
    life.see(0, 0)
    first = life.due()
    again = life.due()
    life.producers.reported(first[0], life.now_ms)

    assert first == again
    assert life.due() == []


def test_reporting_and_observing_is_the_same_as_observing() -> None:
    one, other = Life(), Life()
    for life in (one, other):
        life.see(0, 0, 5)
        life.wait(GRACE_MS)
    (own,) = one.due()
    one.write(own)
    other.write(own)
    one.producers.reported(own, one.now_ms)

    assert one.producers.dump() == other.producers.dump()


def test_a_number_that_comes_while_its_gap_is_written_leaves_nothing_to_tell() -> None:
    life = Life()
    life.see(0, 4)
    life.wait(GRACE_MS)
    (own,) = life.due()
    life.see(2)
    life.write(own)
    life.wait(10 * MINUTE_MS)

    assert life.due() == []
    assert life.state().open == 2


def test_the_most_numerous_producer_is_folded_first_and_it_is_told() -> None:
    life = Life(most=4)
    life.see(0, 2, principal="shop")
    for number in range(5):
        life.see(0, 3, instance=f"web-{number}")
    life.wait(GRACE_MS)

    told = {own.details["principal"]: own.details for own in life.due()}

    assert told["shop"]["kinds"] == ["gap"]
    listed = told["billing"]["findings"]
    assert isinstance(listed, list)
    assert listed[0] == {"kind": "folded", "count": 2, "missing": 4}
    assert life.producers.folded == {"billing": (2, 4)}
    assert len(list(life.producers.states(life.now_ms))) == 4


def test_the_one_unheard_for_longest_is_folded_not_the_oldest() -> None:
    life = Life(most=2)
    life.see(0, instance="web-1")
    life.see(0, instance="web-2")
    life.see(1, instance="web-1")
    life.see(0, instance="web-3")

    left = {one.stream.instance for one in life.producers.states(life.now_ms)}
    assert left == {"web-1", "web-3"}


def test_what_was_lost_before_a_reset_is_told_once() -> None:
    life = Life()
    life.see(9000, 9002)
    for number in (5000, 1000):
        life.wait(2 * GRACE_MS)
        life.see(number)
    first = life.findings()
    life.wait(10 * MINUTE_MS)

    assert [(one["kind"], one.get("lost")) for one in first] == [
        ("gap", 1),
        ("reset", None),
    ]
    assert life.findings() == []


def test_what_was_folded_is_told_once() -> None:
    life = Life(most=2)
    for number in range(3):
        life.see(0, instance=f"web-{number}")
    (own,) = life.due()
    life.producers.reported(own, life.now_ms)
    life.wait(10 * MINUTE_MS)

    assert own.details["kinds"] == ["folded"]
    assert life.due() == []


def test_findings_beyond_the_most_wait_for_the_next_event() -> None:
    life = Life()
    for number in range(MAX_FINDINGS + 5):
        life.see(0, 0, instance=f"web-{number:02}")

    first = life.findings()
    life.wait(EVERY_MS)
    second = life.findings()

    assert (len(first), len(second)) == (MAX_FINDINGS, 5)
    assert len({str(one["instance"]) for one in first + second}) == MAX_FINDINGS + 5


def test_the_longest_event_fits_a_field() -> None:
    life = Life()
    high = 2**53 - 1
    for number in range(MAX_FINDINGS):
        instance = f"{number:0128}"
        life.see(*range(high - 100, high, 2), instance=instance, epoch=high)
    life.wait(GRACE_MS)

    (own,) = life.due()
    findings = own.details["findings"]
    assert isinstance(findings, list)
    assert len(findings) == MAX_FINDINGS
    assert len(encode(findings)) < MAX_FIELD


def test_states_stand_in_the_order_of_their_first_events() -> None:
    life = Life()
    life.see(0, principal="shop")
    life.see(0)
    life.see(1, principal="shop")

    names = [one.principal for one in life.producers.states(life.now_ms)]
    assert names == ["shop", "billing"]


def test_an_event_of_our_own_that_says_nonsense_is_passed_over() -> None:
    life = Life()
    life.see(0, 0)
    nonsense: list[dict[str, Value]] = [
        {},
        {"principal": "nobody", "findings": []},
        {"principal": "billing", "findings": [1, {"kind": "gap", "ranges": [[1], 2]}]},
        {
            "principal": "billing",
            "findings": [{"kind": "gap", "ranges": [["a", 1, 1]]}],
        },
        {"principal": "billing", "findings": [{"instance": "web-1", "epoch": 0}]},
        {"principal": "billing", "findings": "none"},
    ]
    for details in nonsense:
        life.write(OwnEvent(GAP, details))
    life.wait(EVERY_MS)

    assert [one["kind"] for one in life.findings()] == ["duplicate"]


def test_what_a_producer_says_about_itself_marks_nothing_as_told() -> None:
    life = Life()
    life.see(0, 0)
    (own,) = life.due()

    life.take(event(1, action=GAP, details=dict(own.details)))

    assert life.due() == [own]
