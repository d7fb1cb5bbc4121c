from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_client.cli.inputs import Line
from tallystick_client.cli.sending import BATCH_BYTES, BATCH_ENTRIES, batches_of
from tallystick_client.errors import UsageError
from tallystick_merkle.exchange.appending import encode_batch


def lines_of(lengths: list[int]) -> list[Line]:
    return [Line(number, b"x" * length, 0) for number, length in enumerate(lengths, 1)]


@given(st.lists(st.integers(1, 65_535), max_size=200))
def test_batches_hold_all_lines_in_order_and_fit(lengths: list[int]) -> None:
    lines = lines_of(lengths)

    batches = list(batches_of(iter(lines)))

    assert [line for batch in batches for line in batch] == lines
    assert all(batch for batch in batches)
    for batch in batches:
        assert len(encode_batch([line.entry for line in batch])) <= BATCH_BYTES


def test_a_batch_is_as_large_as_it_may_be() -> None:
    batches = list(batches_of(iter(lines_of([1] * (BATCH_ENTRIES + 1)))))

    assert [len(batch) for batch in batches] == [BATCH_ENTRIES, 1]


def test_what_was_read_before_an_error_is_sent_first() -> None:
    def failing() -> Iterator[Line]:
        yield from lines_of([1, 1])
        raise UsageError("line 3 is too long")

    batches = batches_of(failing())

    assert len(next(batches)) == 2
    with pytest.raises(UsageError):
        next(batches)
