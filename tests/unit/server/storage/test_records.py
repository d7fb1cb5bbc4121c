"""Records are read as they were written, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.errors import IntegrityError, ServerError
from tallystick_server.storage.base import Head, Published, UsedKey
from tallystick_server.storage.records import (
    HEADS,
    META_ITEMS,
    PUBLISHED,
    About,
    pack_about,
    pack_head,
    pack_index,
    pack_published,
    pack_row_key,
    pack_used_key,
    unpack_about,
    unpack_head,
    unpack_index,
    unpack_published,
    unpack_row_key,
    unpack_used_key,
)

u64 = st.integers(0, 2**64 - 1)
u32 = st.integers(0, 2**32 - 1)
hashes = st.binary(min_size=32, max_size=32)
notes = st.binary(min_size=1, max_size=64)


@given(st.builds(Head, u64, hashes, notes, u64))
def test_a_head_reads_as_written(head: Head) -> None:
    assert unpack_head(head.size, pack_head(head)) == head


@given(st.builds(Published, u64, notes, u64))
def test_a_published_checkpoint_reads_as_written(published: Published) -> None:
    assert unpack_published(pack_published(published)) == published


@given(st.builds(UsedKey, hashes, u64, u32, u64))
def test_a_used_key_reads_as_written(used: UsedKey) -> None:
    assert unpack_used_key(pack_used_key(used)) == used


@given(st.integers(0, 255), u64)
def test_the_key_of_a_row_reads_as_written(level: int, block: int) -> None:
    assert unpack_row_key(pack_row_key(level, block)) == (level, block)


@given(u64, u64)
def test_keys_sort_as_numbers(one: int, other: int) -> None:
    assert (pack_index(one) < pack_index(other)) == (one < other)
    assert unpack_index(pack_index(one), table=HEADS) == one


def test_what_a_store_is_reads_as_written() -> None:
    about = About("raw", "log.example/ä", 17)

    items = dict(pack_about(about))

    assert unpack_about(items.get) == about
    assert set(items) | {PUBLISHED} == META_ITEMS


@pytest.mark.parametrize(
    "unpack",
    [
        lambda value: unpack_head(7, value),
        unpack_published,
        unpack_used_key,
        unpack_row_key,
        lambda value: unpack_index(value, table=HEADS),
        lambda value: unpack_about({b"format": value}.get),
        lambda value: unpack_about({b"format": b"1", b"origin": value}.get),
    ],
)
@given(value=st.binary(max_size=60))
def test_bytes_of_any_kind_raise_only_our_own_errors(
    unpack: Callable[[bytes], object], value: bytes
) -> None:
    try:
        unpack(value)
    except ServerError:
        return


@pytest.mark.parametrize(
    ("unpack", "size"),
    [
        (lambda value: unpack_head(7, value), 40),
        (unpack_published, 16),
        (unpack_used_key, 51),
        (unpack_used_key, 53),
        (unpack_row_key, 8),
        (lambda value: unpack_index(value, table=HEADS), 9),
    ],
)
def test_a_record_of_a_wrong_length_is_refused(
    unpack: Callable[[bytes], object], size: int
) -> None:
    with pytest.raises(IntegrityError, match=str(size)):
        unpack(bytes(size))
