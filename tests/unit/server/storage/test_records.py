"""Records are read as they were written, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.errors import IntegrityError, ServerError, UsageError
from tallystick_server.storage.base import FORMAT, Head, Published, UsedKey
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
    unpack_linked_head,
    unpack_published,
    unpack_row_key,
    unpack_used_key,
)

u64 = st.integers(0, 2**64 - 1)
u32 = st.integers(0, 2**32 - 1)
hashes = st.binary(min_size=32, max_size=32)
notes = st.binary(min_size=1, max_size=64)


@given(st.builds(Head, u64, hashes, notes, u64), u64)
def test_a_head_reads_as_written(head: Head, parent: int) -> None:
    value = pack_head(head, parent=parent)

    assert unpack_head(head.size, value) == head
    assert unpack_linked_head(head.size, value) == (head, parent)


@given(st.builds(Published, u64, notes, u64))
def test_a_published_checkpoint_reads_as_written(published: Published) -> None:
    assert unpack_published(pack_published(published)) == published


@given(st.binary(max_size=64), st.builds(UsedKey, hashes, u64, u32, u64))
def test_a_used_key_reads_as_written(key: bytes, used: UsedKey) -> None:
    assert unpack_used_key(key, pack_used_key(key, used)) == used


USED = UsedKey(bytes(range(32)), 7, 2, 1_700_000_000_000)
SEALED: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "head": (
        pack_head(Head(7, bytes(32), b"note\n", 9), parent=6),
        lambda value: unpack_head(7, value),
    ),
    "published": (pack_published(Published(7, b"note\n", 9)), unpack_published),
    "key": (pack_used_key(b"k", USED), lambda value: unpack_used_key(b"k", value)),
}


@pytest.mark.parametrize(("value", "unpack"), SEALED.values(), ids=SEALED)
def test_a_record_with_any_bit_flipped_is_refused(
    value: bytes, unpack: Callable[[bytes], object]
) -> None:
    unpack(value)
    for place in range(len(value) * 8):
        damaged = bytearray(value)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(IntegrityError, match="its seal does not fit"):
            unpack(bytes(damaged))


def test_a_record_under_another_key_is_refused() -> None:
    with pytest.raises(IntegrityError, match="seal"):
        unpack_used_key(b"l", pack_used_key(b"k", USED))
    with pytest.raises(IntegrityError, match=r"head of size 8: .*seal"):
        unpack_head(8, SEALED["head"][0])


def test_a_store_of_the_draft_format_is_no_damage() -> None:
    with pytest.raises(UsageError, match="format 1, a draft"):
        unpack_about({b"format": b"1"}.get)


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
        lambda value: unpack_used_key(b"key", value),
        unpack_row_key,
        lambda value: unpack_index(value, table=HEADS),
        lambda value: unpack_about({b"format": value}.get),
        lambda value: unpack_about({b"format": b"%d" % FORMAT, b"origin": value}.get),
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
        (lambda value: unpack_head(7, value), 56),
        (unpack_published, 24),
        (lambda value: unpack_used_key(b"key", value), 59),
        (lambda value: unpack_used_key(b"key", value), 61),
        (unpack_row_key, 8),
        (lambda value: unpack_index(value, table=HEADS), 9),
    ],
)
def test_a_record_of_a_wrong_length_is_refused(
    unpack: Callable[[bytes], object], size: int
) -> None:
    with pytest.raises(IntegrityError, match=str(size)):
        unpack(bytes(size))
