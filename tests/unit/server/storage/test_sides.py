"""What a log of events stores beside its leaves reads as written, or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.errors import IntegrityError
from tallystick_server.storage.base import Side, StoredRecord, UsedId, VaultMark
from tallystick_server.storage.records import META, META_ITEMS, pack_index
from tallystick_server.storage.seals import seal
from tallystick_server.storage.sides import (
    IDS,
    RECORDS,
    VAULT,
    meta_items,
    pack_record,
    pack_used_id,
    pack_vault,
    unpack_record,
    unpack_used_id,
    unpack_vault,
)

u64 = st.integers(0, 2**64 - 1)
ids = st.binary(min_size=16, max_size=16)
some_bytes = st.binary(min_size=1, max_size=300)

ID = bytes(range(16))


@given(u64, some_bytes, some_bytes)
def test_a_record_reads_as_written(index: int, entry: bytes, record: bytes) -> None:
    value = pack_record(Side(index, ID, "producer", entry, record))

    assert unpack_record(index, value) == StoredRecord(index, entry, record)
    assert unpack_record(index, memoryview(value)) == StoredRecord(index, entry, record)


@given(ids, u64, st.text(min_size=1, max_size=60), u64)
def test_a_used_id_reads_as_written(
    event_id: bytes, index: int, owner: str, time_ms: int
) -> None:
    used = UsedId(index, owner, time_ms)

    assert unpack_used_id(event_id, pack_used_id(event_id, used)) == used


@given(ids, u64, ids)
def test_a_vault_mark_reads_as_written(
    vault_id: bytes, count: int, chain: bytes
) -> None:
    mark = VaultMark(vault_id, count, chain)

    assert unpack_vault(pack_vault(mark)) == mark


VALUES: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "record": (
        pack_record(Side(7, ID, "producer", b"entry", b"record")),
        lambda value: unpack_record(7, value),
    ),
    "id": (
        pack_used_id(ID, UsedId(7, "producer", 9)),
        lambda value: unpack_used_id(ID, value),
    ),
    "vault": (pack_vault(VaultMark(ID, 9, bytes(16))), unpack_vault),
}


@pytest.mark.parametrize(("value", "unpack"), VALUES.values(), ids=VALUES)
def test_a_value_with_any_bit_flipped_is_refused(
    value: bytes, unpack: Callable[[bytes], object]
) -> None:
    unpack(value)
    for place in range(len(value) * 8):
        damaged = bytearray(value)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(IntegrityError, match="its seal does not fit"):
            unpack(bytes(damaged))


def test_a_value_under_another_key_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"record 8: .*seal"):
        unpack_record(8, VALUES["record"][0])
    with pytest.raises(IntegrityError, match=r"event id 0{32}: .*seal"):
        unpack_used_id(bytes(16), VALUES["id"][0])


@pytest.mark.parametrize(
    ("body", "length"),
    [(b"\0\0record", 0), (b"\0\6record", 6), (b"\0\7record", 7), (b"\xff\xff-", 65535)],
)
def test_a_record_that_parts_wrongly_is_refused(body: bytes, length: int) -> None:
    value = seal(RECORDS, pack_index(7), body)

    with pytest.raises(IntegrityError, match=f"an index entry of {length} bytes"):
        unpack_record(7, value)


def test_an_owner_that_is_no_text_is_refused() -> None:
    with pytest.raises(IntegrityError, match="its owner is no text"):
        unpack_used_id(ID, seal(IDS, ID, bytes(16) + b"\xff"))


def test_values_of_a_wrong_length_are_refused() -> None:
    with pytest.raises(IntegrityError, match="24 bytes stored"):
        unpack_used_id(ID, seal(IDS, ID, bytes(16)))
    with pytest.raises(IntegrityError, match="33 bytes stored"):
        unpack_used_id(b"short", seal(IDS, b"short", bytes(25)))
    with pytest.raises(IntegrityError, match="31 bytes stored"):
        unpack_vault(seal(META, VAULT, bytes(23)))
    with pytest.raises(IntegrityError, match="10 bytes stored"):
        unpack_record(7, seal(RECORDS, pack_index(7), b"\0\1"))


@pytest.mark.parametrize(
    "unpack",
    [lambda value: unpack_record(7, value), lambda v: unpack_used_id(ID, v)],
    ids=["record", "id"],
)
@given(value=st.binary(max_size=60))
def test_bytes_of_any_kind_raise_only_our_own_error(
    unpack: Callable[[bytes], object], value: bytes
) -> None:
    with pytest.raises(IntegrityError):
        unpack(value)


def test_only_a_log_of_events_has_the_mark_of_a_vault() -> None:
    assert meta_items("raw") == META_ITEMS
    assert meta_items("events") == META_ITEMS | {VAULT}
