"""Counts of refused events: told once, by reason, and not more often than they may."""

from __future__ import annotations

from tallystick_merkle.event import Target
from tallystick_server.ingest.own import OwnEvent
from tallystick_server.ingest.producers import EVERY_MS, REFUSED
from tests.unit.server.ingest.producing import Life


def test_refusals_are_told_by_reason_and_once() -> None:
    life = Life()
    life.producers.refused("billing", "event")
    life.producers.refused("billing", "schema", 3)
    (own,) = life.due()
    life.producers.refused("billing", "schema")
    life.write(own)
    life.producers.reported(own, life.now_ms)
    life.wait(EVERY_MS - 1)
    between = life.due()
    life.wait(1)

    assert own == OwnEvent(
        REFUSED,
        {"principal": "billing", "counts": {"event": 1, "schema": 3}},
        (Target("producer", "billing", person=False),),
    )
    assert between == []
    assert [one.details["counts"] for one in life.due()] == [{"schema": 1}]


def test_before_a_stop_refusals_do_not_wait() -> None:
    life = Life()
    life.producers.refused("billing", "event")
    (own,) = life.due()
    life.producers.reported(own, life.now_ms)
    life.producers.refused("billing", "event")

    assert life.producers.due(life.now_ms) == []
    assert len(life.producers.due(life.now_ms, is_last=True)) == 1


def test_reasons_are_bounded() -> None:
    life = Life()
    for number in range(40):
        life.producers.refused("billing", f"reason-{number}")

    (own,) = life.due()
    counts = own.details["counts"]
    assert isinstance(counts, dict)
    assert len(counts) == 33
    assert counts["other"] == 8
