"""The leaf of an event: 80 bytes, one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.leaf import (
    MAX_TIME_MS,
    MIN_TIME_MS,
    SIZE,
    EventLeaf,
    format_leaf,
    is_event_leaf,
    parse_leaf,
)
from tests.reference import ev1
from tests.unit.merkle.hostile import HASHES, check_parser, hostile

TIMES = st.integers(MIN_TIME_MS, MAX_TIME_MS)
GOOD = EventLeaf(1_795_435_200_123, bytes(range(32)), bytes(range(32, 64)))


@given(TIMES, HASHES, HASHES)
def test_a_leaf_is_that_of_the_reference(
    time_ms: int, commitment: bytes, index_digest: bytes
) -> None:
    leaf = EventLeaf(time_ms, commitment, index_digest)

    data = format_leaf(leaf)

    assert data == ev1.leaf(time_ms, commitment, index_digest)
    assert len(data) == SIZE
    assert parse_leaf(data) == leaf
    assert is_event_leaf(data)


@given(hostile(format_leaf(GOOD)))
def test_any_leaf_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_leaf, format_leaf)


@pytest.mark.parametrize(
    "leaf",
    [
        GOOD._replace(time_ms=MIN_TIME_MS - 1),
        GOOD._replace(time_ms=MAX_TIME_MS + 1),
        GOOD._replace(commitment=bytes(31)),
        GOOD._replace(index_digest=bytes(33)),
    ],
    ids=["early", "late", "short", "long"],
)
def test_a_leaf_that_would_not_be_read_is_not_written(leaf: EventLeaf) -> None:
    with pytest.raises(MalformedError, match="event leaf"):
        format_leaf(leaf)


def test_another_entry_is_no_leaf_of_an_event() -> None:
    data = format_leaf(GOOD)

    assert not is_event_leaf(data[:-1])
    assert not is_event_leaf(data + b"\x00")
    assert not is_event_leaf(b"\x01\x84\x03" + data[3:])
