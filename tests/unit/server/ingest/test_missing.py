"""Ranges of numbers that have not come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.ingest.missing import Missing, Range


def bounds(missing: Missing) -> list[tuple[int, int]]:
    return [(one.start, one.stop) for one in missing.ranges]


def test_a_number_that_comes_late_splits_its_range() -> None:
    missing = Missing()
    missing.add(3, 8, since_ms=1)

    assert missing.fill(5)
    assert bounds(missing) == [(3, 5), (6, 8)]
    assert missing.count == 4


def test_a_number_at_the_edge_shortens_its_range() -> None:
    missing = Missing([Range(3, 6, 3, 1)])

    assert missing.fill(3)
    assert missing.fill(5)
    assert bounds(missing) == [(4, 5)]
    assert missing.fill(4)
    assert bounds(missing) == []


def test_a_number_that_is_not_missing_fills_nothing() -> None:
    missing = Missing([Range(3, 6, 3, 1)])

    assert not missing.fill(2)
    assert not missing.fill(6)
    assert not missing.holds(6)
    assert missing.count == 3


def test_an_empty_range_is_none() -> None:
    missing = Missing()
    missing.add(4, 4, since_ms=1)

    assert len(missing) == 0


def test_the_two_closest_become_one_and_keep_their_count() -> None:
    missing = Missing([Range(0, 2, 2, 7), Range(9, 10, 1, 5), Range(11, 13, 2, 6)])

    missing.merge_closest()

    assert missing.ranges == (Range(0, 2, 2, 7), Range(9, 13, 3, 5))


def test_a_merged_range_counts_down_and_goes_when_all_have_come() -> None:
    missing = Missing([Range(9, 10, 1, 5), Range(11, 13, 2, 6)])
    missing.merge_closest()

    assert [missing.fill(number) for number in (9, 11, 12)] == [True, True, True]
    assert len(missing) == 0


def test_a_merged_range_is_told_only_if_both_were() -> None:
    missing = Missing(
        [Range(0, 1, 1, 5, True), Range(2, 3, 1, 5, True), Range(9, 10, 1, 5)]
    )

    missing.merge_closest()
    told = [one.is_told for one in missing.ranges]
    missing.merge_closest()

    assert told == [True, False]
    assert [one.is_told for one in missing.ranges] == [False]


def test_only_what_lies_within_is_told() -> None:
    missing = Missing([Range(0, 2, 2, 5), Range(4, 6, 2, 5)])

    missing.tell(1, 5)
    neither = [one.is_told for one in missing.ranges]
    missing.tell(1, 6)

    assert neither == [False, False]
    assert [one.is_told for one in missing.ranges] == [False, True]


@given(
    st.sets(st.integers(0, 60), min_size=1), st.lists(st.integers(0, 60), max_size=80)
)
def test_ranges_hold_what_a_set_holds(holes: set[int], late: list[int]) -> None:
    missing = Missing()
    for number in sorted(holes):
        missing.add(number, number + 1, since_ms=0)
    left = set(holes)

    for number in late:
        assert missing.fill(number) == (number in left)
        left.discard(number)

    spanned = {n for low, high in bounds(missing) for n in range(low, high)}
    assert spanned == left
    assert missing.count == len(left)
