"""Planning a commit: order, duplicates, time, and the second derivation."""

from __future__ import annotations

import dataclasses
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.proof import check_inclusion
from tallystick_server.errors import IntegrityError
from tallystick_server.log.commit import (
    LogState,
    Placed,
    Planned,
    Reused,
    Submission,
    check,
    checkpoint_of,
    complete,
    plan,
)
from tallystick_server.storage.base import Head, UsedKey
from tests.reference.rfc6962 import Tree, leaf

ORIGIN = "example.com/log"
GENESIS = b"genesis"


def state_of(entries: list[bytes], time_ms: int = 1_000) -> LogState:
    growth = grow(EMPTY_EDGE, leaf_hashes(entries))
    head = Head(growth.edge.size, growth.root, b"note", time_ms)
    return LogState(ORIGIN, growth.edge, head)


def submission(key: str, *entries: bytes) -> Submission:
    return Submission(key.encode(), sha256(b"|".join(entries)).digest(), entries)


def test_entries_take_neighbouring_indexes_in_the_order_of_arrival() -> None:
    state = state_of([GENESIS])

    planned = plan(
        state,
        [submission("a", b"1"), submission("b", b"2", b"3")],
        known={},
        now_ms=2_000,
    )

    assert planned.outcomes == (
        Placed(1, 1, 2_000, is_repeat=False),
        Placed(2, 2, 2_000, is_repeat=False),
    )
    assert planned.entries == (b"1", b"2", b"3")


def test_a_repeat_within_one_batch_is_committed_once() -> None:
    planned = plan(
        state_of([GENESIS]),
        [submission("a", b"1"), submission("a", b"1")],
        known={},
        now_ms=2_000,
    )

    assert planned.entries == (b"1",)
    assert planned.outcomes[1] == Placed(1, 1, 2_000, is_repeat=True)
    assert len(planned.keys) == 1


def test_a_key_with_another_body_is_refused_in_one_batch_and_later() -> None:
    first = submission("a", b"1")
    known = {b"k": UsedKey(b"d" * 32, 0, 1, 5)}

    planned = plan(
        state_of([GENESIS]),
        [first, submission("a", b"2"), submission("k", b"9")],
        known=known,
        now_ms=2_000,
    )

    assert planned.outcomes[1:] == (Reused(), Reused())
    assert planned.entries == (b"1",)


def test_a_stored_key_with_the_same_body_is_a_repeat_and_stores_nothing() -> None:
    item = submission("a", b"1")
    known = {item.key: UsedKey(item.digest, 7, 1, 123)}

    planned = plan(state_of([GENESIS]), [item], known=known, now_ms=2_000)

    assert planned.growth is None
    assert planned.keys == ()
    assert planned.outcomes == (Placed(7, 1, 123, is_repeat=True),)


def test_commit_time_never_goes_back() -> None:
    planned = plan(
        state_of([GENESIS], time_ms=5_000), [submission("a", b"1")], known={}, now_ms=10
    )

    assert planned.time_ms == 5_000


@given(
    st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=40),
    st.lists(
        st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=30),
        min_size=1,
        max_size=6,
    ),
)
def test_planned_root_is_the_reference_root_and_every_new_leaf_is_proven(
    before: list[bytes], batches: list[list[bytes]]
) -> None:
    state = state_of(before)
    items = [submission(str(at), *batch) for at, batch in enumerate(batches)]

    planned = plan(state, items, known={}, now_ms=2_000)
    growth = planned.growth
    assert growth is not None
    tree = check(state, planned, growth)

    whole = before + [entry for batch in batches for entry in batch]
    assert growth.root == Tree([leaf(entry) for entry in whole]).root(len(whole))
    for index in range(len(before), len(whole)):
        check_inclusion(
            index=index,
            size=len(whole),
            leaf=leaf_hashes([whole[index]])[0],
            path=tree.inclusion_path(index),
            root=growth.root,
        )


def planned_one(state: LogState) -> Planned:
    return plan(state, [submission("a", b"1", b"2")], known={}, now_ms=2_000)


def test_an_entry_changed_after_it_was_hashed_stops_the_log() -> None:
    state = state_of([GENESIS])
    planned = planned_one(state)
    assert planned.growth is not None
    flipped = dataclasses.replace(planned, entries=(b"1", b"3"))

    with pytest.raises(IntegrityError, match="came out differently"):
        check(state, flipped, planned.growth)


def test_an_edge_that_does_not_lead_to_the_stored_head_stops_the_log() -> None:
    state = state_of([GENESIS, b"x"])
    planned = planned_one(state)
    assert planned.growth is not None
    bad = dataclasses.replace(
        state, head=dataclasses.replace(state.head, root=b"\x00" * 32)
    )

    with pytest.raises(IntegrityError, match="edge in memory"):
        check(bad, planned, planned.growth)


def test_a_complete_commit_stands_on_the_head_it_was_planned_on() -> None:
    state = state_of([GENESIS])
    planned = planned_one(state)
    assert planned.growth is not None
    checkpoint = checkpoint_of(state, planned.growth)

    commit, after = complete(state, planned, planned.growth, b"signed")

    assert (commit.parent_size, commit.parent_root) == (1, state.head.root)
    assert after.head == Head(3, checkpoint.root, b"signed", 2_000)
    assert commit.head == after.head
    assert checkpoint.origin == ORIGIN
