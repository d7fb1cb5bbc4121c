"""Placing events: what the log adds to them, and what becomes of an id used again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.leaf import EventLeaf, parse_leaf
from tallystick_merkle.sealing import parse_record, record_commitment
from tallystick_merkle.tags import EPOCH, index_digest, parse_index_entry
from tallystick_server.errors import IntegrityError
from tallystick_server.log.commit import (
    LogState,
    Placed,
    Planned,
    Submission,
    check,
    complete,
    plan,
)
from tallystick_server.log.events import (
    EventPlace,
    EventSubmission,
    IdTaken,
    KnownEvent,
    PlacedEvents,
    newest_mark,
)
from tallystick_server.storage.base import Head, UsedId, VaultMark
from tests.fakes.sealed import OWNER, VAULT, event_id, events, sealed

NOW_MS = 1_700_000_000_000
OTHER = "another principal"


def state_of(size: int, vault: VaultMark | None = None) -> LogState:
    growth = grow(EMPTY_EDGE, leaf_hashes([b"entry %d" % at for at in range(size)]))
    head = Head(growth.edge.size, growth.root, b"note", NOW_MS - 10)
    return LogState("example.com/log", growth.edge, head, vault)


def planned_of(
    *submissions: EventSubmission | Submission,
    known: dict[bytes, KnownEvent] | None = None,
    state: LogState | None = None,
) -> Planned:
    return plan(
        state or state_of(5),
        submissions,
        known={},
        known_events=known or {},
        now_ms=NOW_MS,
    )


def placed_of(planned: Planned) -> list[PlacedEvents]:
    return [one for one in planned.outcomes if isinstance(one, PlacedEvents)]


def places_of(planned: Planned) -> list[EventPlace | IdTaken]:
    return [place for one in placed_of(planned) for place in one.places]


def test_the_log_adds_time_epoch_index_entry_leaf_and_record() -> None:
    event = sealed(1)

    planned = planned_of(events([1]))

    (side,) = planned.sides
    (leaf,) = planned.entries
    digest = index_digest(side.index_entry)
    record = parse_record(side.record)
    assert parse_index_entry(side.index_entry) == (EPOCH, event.tags, event.blind)
    assert parse_leaf(leaf) == EventLeaf(NOW_MS, event.commitment, digest)
    assert (side.index, side.event_id, side.owner) == (5, event.event_id, OWNER)
    assert (record.event_id, record.time_ms) == (event.event_id, NOW_MS)
    assert record_commitment(record) == event.commitment
    assert places_of(planned) == [EventPlace(5, NOW_MS, leaf, is_repeat=False)]


def test_the_time_of_an_event_never_goes_back_before_the_last_head() -> None:
    state = state_of(5)

    planned = plan(state, [events([1])], known={}, now_ms=NOW_MS - 5_000)

    assert parse_leaf(planned.entries[0]).time_ms == state.head.time_ms
    assert planned.time_ms == state.head.time_ms


def test_events_and_entries_of_the_servers_own_share_a_commit() -> None:
    own = Submission(b"\0own", bytes(32), (b"an entry of the server",))

    planned = planned_of(events([1, 2]), own, events([3]))

    counts = [(one.first, one.count) for one in placed_of(planned)]
    assert counts == [(5, 2), (8, 1)]
    assert planned.outcomes[1] == Placed(7, 1, NOW_MS, is_repeat=False)
    assert planned.entries[2] == b"an entry of the server"
    assert [side.index for side in planned.sides] == [5, 6, 8]


def test_an_id_that_is_stored_is_a_repeat_for_its_owner() -> None:
    known = {event_id(1): KnownEvent(UsedId(3, OWNER, 99), b"leaf of 3")}

    planned = planned_of(events([1]), known=known)

    assert places_of(planned) == [EventPlace(3, 99, b"leaf of 3", is_repeat=True)]
    assert (planned.growth, planned.entries, planned.sides) == (None, (), ())


def test_an_id_that_is_stored_is_taken_for_anybody_else() -> None:
    known = {event_id(1): KnownEvent(UsedId(3, OTHER, 99), b"leaf of 3")}

    planned = planned_of(events([1, 2]), known=known)

    refused, placed = places_of(planned)
    assert refused == IdTaken()
    assert isinstance(placed, EventPlace)
    assert (placed.index, placed.is_repeat) == (5, False)
    assert planned.outcomes == (PlacedEvents((refused, placed), 5, 1),)


def test_an_id_earlier_in_the_batch_is_a_repeat_for_its_owner_alone() -> None:
    planned = planned_of(
        events([1, 2]), events([2, 3]), events([2], owner=OTHER), events([4])
    )

    one, two, again, three, refused, four = places_of(planned)
    assert isinstance(two, EventPlace)
    assert again == replace(two, is_repeat=True)
    assert refused == IdTaken()
    assert [getattr(place, "index", None) for place in (one, three, four)] == [5, 7, 8]
    counts = [(one.first, one.count) for one in placed_of(planned)]
    assert counts == [(5, 2), (7, 1), (8, 0), (8, 1)]


def test_an_id_twice_in_one_submission_is_stored_once() -> None:
    other = sealed(1, reason="something else")
    twice = EventSubmission(OWNER, (sealed(1), other, sealed(1)), VAULT)

    planned = planned_of(twice)

    first, *repeats = places_of(planned)
    assert isinstance(first, EventPlace)
    assert repeats == [replace(first, is_repeat=True)] * 2
    assert parse_leaf(planned.entries[0]).commitment == sealed(1).commitment
    assert len(planned.sides) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from([OWNER, OTHER]), st.lists(st.integers(0, 6))),
        max_size=6,
    )
)
def test_whatever_is_submitted_an_id_is_stored_once_and_belongs_to_its_first_user(
    drawn: list[tuple[str, list[int]]],
) -> None:
    state = state_of(5)
    planned = planned_of(
        *(events(numbers, owner=owner) for owner, numbers in drawn), state=state
    )

    first: dict[int, tuple[str, int]] = {}
    places = iter(places_of(planned))
    for owner, numbers in drawn:
        for number in numbers:
            place = next(places)
            user, index = first.setdefault(number, (owner, 5 + len(first)))
            if user != owner:
                assert place == IdTaken()
                continue
            assert isinstance(place, EventPlace)
            assert place.index == index
            assert place.leaf == planned.entries[index - 5]
    assert [side.event_id for side in planned.sides] == list(map(event_id, first))
    if planned.growth is not None:
        check(state, planned, planned.growth)


def test_the_mark_of_the_vault_follows_the_newest_submission() -> None:
    newer, older = replace(VAULT, count=9), replace(VAULT, count=8)
    state = state_of(5, replace(VAULT, count=8))

    planned = planned_of(
        events([1], vault=newer), events([2], vault=older), state=state
    )

    assert planned.growth is not None
    step, after = complete(state, planned, planned.growth, b"note")
    assert step.vault == after.vault == newer
    assert step.sides == planned.sides


def test_a_submission_that_was_overtaken_does_not_take_the_mark_back() -> None:
    state = state_of(5, replace(VAULT, count=9))

    planned = planned_of(events([1], vault=VAULT), state=state)

    assert planned.vault == state.vault


def test_repeats_alone_leave_the_mark_as_it_is() -> None:
    known = {event_id(1): KnownEvent(UsedId(3, OWNER, 99), b"leaf of 3")}
    own = Submission(b"\0own", bytes(32), (b"an entry of the server",))
    state = state_of(5, VAULT)

    planned = planned_of(
        events([1], vault=replace(VAULT, count=99)), own, known=known, state=state
    )

    assert planned.vault == VAULT


def test_events_of_another_vault_are_refused() -> None:
    other = VaultMark(b"w" * 16, 99, bytes(16))

    with pytest.raises(IntegrityError, match=r"depend on vault 7676.* ones on 7777"):
        newest_mark(VAULT, [events([1], vault=other)])


def test_events_of_two_branches_of_a_vault_are_refused() -> None:
    """Two copies of a vault that went on may have made as many keys."""
    other = replace(VAULT, chain=b"d" * 16)

    assert newest_mark(VAULT, [events([1], vault=VAULT)]) == VAULT
    with pytest.raises(
        IntegrityError, match=r"two branches of vault 7676.* 7 keys each"
    ):
        newest_mark(VAULT, [events([1], vault=other)])


def test_an_event_counts_its_groups_and_its_leaf_in_the_queue() -> None:
    submission = events([1, 2])

    assert submission.bytes == 160 + sum(len(one.groups) for one in submission.events)
