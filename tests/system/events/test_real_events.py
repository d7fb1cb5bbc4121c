"""Recorded events of other systems go through a real server, and come back whole."""

from __future__ import annotations

from itertools import islice

import pytest

from tallystick_merkle.errors import ProofError
from tallystick_merkle.event import is_event_id
from tallystick_merkle.evidence import check_evidence, parse_evidence
from tallystick_merkle.exchange.eventreading import get_event, get_evidence
from tests.system.drive import drive
from tests.system.events.conftest import Grown
from tests.system.events.real import SOURCES, read_events

pytestmark = [pytest.mark.system, pytest.mark.slow]

COUNT = sum(source.count for source in SOURCES)
EVERY = 40
"""Of so many events one is asked for by its id."""


def test_every_record_becomes_one_entry(grown: Grown) -> None:
    counted = [
        (said["read"], said["added"], said["repeated"], said["refused"])
        for said in grown.emitted
    ]

    assert counted == [(source.count, source.count, 0, []) for source in SOURCES]
    assert COUNT == 1853
    assert len({event["event_id"] for event in grown.events}) == COUNT


def test_emitted_again_nothing_is_added(grown: Grown) -> None:
    counted = [
        (said["added"], said["repeated"], said["first_index"], said["last_index"])
        for said in grown.again
    ]

    places = [(one["first_index"], one["last_index"]) for one in grown.emitted]
    assert counted == [
        (0, source.count, first, last)
        for source, (first, last) in zip(SOURCES, places, strict=True)
    ]


def test_the_log_grows_by_the_events_and_nothing_else(grown: Grown) -> None:
    after = [1]
    for source in SOURCES:
        after.append(after[-1] + source.count)

    assert grown.sizes == after[1:] + [after[-1]] * len(SOURCES)


@pytest.mark.parametrize("limit", [7, 250, 1000])
def test_page_by_page_every_event_is_read_as_it_was_sent(
    grown: Grown, limit: int
) -> None:
    read = list(islice(read_events(grown.log, limit=limit), COUNT))

    assert [one.event for one in read] == grown.events
    assert [one.index for one in read] == list(range(1, COUNT + 1))
    assert all(not one.hidden and not one.erased for one in read)


def test_an_event_is_found_by_its_id_with_a_receipt_that_verifies(grown: Grown) -> None:
    policy = grown.log.policy
    for at in range(0, COUNT, EVERY):
        event = grown.events[at]
        assert is_event_id(event["event_id"])

        found = drive(get_event(grown.log.address, event["event_id"], policy=policy))

        assert found.read.event == event
        assert found.receipt.index == at + 1


@pytest.mark.parametrize("number", range(len(SOURCES)))
def test_three_fields_of_a_record_are_proven_and_the_rest_stays_hidden(
    grown: Grown, number: int
) -> None:
    policy = grown.log.policy
    event = grown.events[sum(source.count for source in SOURCES[:number])]
    fields = ("action", "actor", "event_id")

    proof = drive(
        get_evidence(grown.log.address, event["event_id"], fields, policy=policy)
    )

    shown = proof.found.disclosed.fields
    assert set(shown) == set(fields)
    assert shown["actor"] == [event["actor"]["type"], event["actor"]["id"]]
    assert shown["action"] == event["action"]
    other = event["action"].encode()
    edited = proof.data.replace(other, other[::-1])
    assert edited != proof.data
    with pytest.raises(ProofError):
        check_evidence(parse_evidence(edited), policy=policy)
