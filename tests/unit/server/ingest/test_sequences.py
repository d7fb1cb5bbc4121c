"""The numbers of one start, held against a set that forgets nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.ingest.sequences import (
    GRACE_MS,
    MAX_RANGES,
    REACH,
    Sequence,
    begin,
)


def taken(*numbers: int, received_ms: int = 0) -> Sequence:
    """Have numbers come at one time."""
    first, *rest = numbers
    sequence = begin(first, received_ms)
    for number in rest:
        sequence.take(number, received_ms)
    return sequence


def holes(sequence: Sequence) -> list[tuple[int, int]]:
    return [
        (one.start, one.stop) for run in sequence.runs for one in run.missing.ranges
    ]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=120))
def test_what_is_missing_is_what_a_set_lacks(numbers: list[int]) -> None:
    seen: set[int] = set()
    repeated = 0
    for number in numbers:
        repeated += number in seen
        seen.add(number)

    sequence = taken(*numbers)

    lacking = {n for low, high in holes(sequence) for n in range(low, high)}
    assert lacking == set(range(min(seen), max(seen) + 1)) - seen
    assert sequence.missing == len(lacking)
    assert sequence.duplicates == repeated
    assert sequence.events == len(numbers)
    assert sequence.resets == 0


@given(st.permutations(range(40)))
def test_any_order_leaves_no_gap_when_all_have_come(order: list[int]) -> None:
    sequence = taken(*order)

    assert (sequence.missing, sequence.duplicates, sequence.resets) == (0, 0, 0)


def test_a_start_out_of_order_is_no_reset_within_the_grace() -> None:
    sequence = begin(5000, 0)

    sequence.take(4990, GRACE_MS)

    assert holes(sequence) == [(4991, 5000)]
    assert sequence.resets == 0


def test_a_lower_number_than_the_first_is_a_reset_after_the_grace() -> None:
    sequence = begin(5000, 0)

    sequence.take(4990, GRACE_MS + 1)
    sequence.take(4991, GRACE_MS + 1)

    assert sequence.resets == 1
    assert sequence.missing == 0


def test_a_number_far_below_is_a_reset_and_the_new_run_has_no_gap() -> None:
    sequence = taken(*range(2000))

    for number in range(50):
        sequence.take(number, 1)

    assert (sequence.resets, sequence.duplicates, sequence.missing) == (1, 0, 0)


def test_a_number_used_a_short_while_ago_is_a_duplicate() -> None:
    sequence = taken(*range(2000))

    sequence.take(2000 - REACH, 1)

    assert (sequence.resets, sequence.duplicates) == (0, 1)


def test_one_stray_old_number_makes_no_gap_of_thousands() -> None:
    sequence = taken(*range(5000))

    for number in (3, 5000, 5001):
        sequence.take(number, 1)

    assert (sequence.resets, sequence.missing, sequence.duplicates) == (1, 0, 0)


def test_two_that_count_under_one_name_are_one_reset_and_no_gap() -> None:
    sequence = taken(*range(5000))

    for step in range(20):
        sequence.take(step, 1)
        sequence.take(5000 + step, 1)

    assert (sequence.resets, sequence.missing) == (1, 0)


def test_what_comes_late_closes_a_gap_of_the_run_before() -> None:
    sequence = taken(*range(10), *range(2500, 3000))

    sequence.take(0, 1)
    sequence.take(2000, 1)

    assert sequence.resets == 1
    assert holes(sequence) == [(10, 2000), (2001, 2500)]


def test_a_second_reset_counts_what_the_run_before_lacked_as_lost() -> None:
    sequence = taken(*range(9000, 9010), 9011, received_ms=0)
    late = GRACE_MS + 1
    for number in (5000, 5002, 1000):
        sequence.take(number, late)
        late += GRACE_MS + 1

    assert sequence.resets == 2
    assert sequence.lost == 1
    assert sequence.missing == 1


def test_a_jump_is_a_gap_however_far() -> None:
    sequence = taken(0, 2**53 - 1)

    assert holes(sequence) == [(1, 2**53 - 1)]


def test_the_ranges_are_bounded_and_the_count_stays_right() -> None:
    numbers = range(0, 20 * MAX_RANGES, 2)

    sequence = taken(*numbers)

    assert len(holes(sequence)) == MAX_RANGES
    assert sequence.missing == len(numbers) - 1
