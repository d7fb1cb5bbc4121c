from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tallystick_client.idempotency import content_key, format_uuid7, new_key
from tallystick_merkle.exchange.appending import MAX_KEY

chance = st.binary(min_size=10, max_size=10)


def test_a_key_is_the_uuid7_of_the_rfc() -> None:
    # RFC 9562 §A.6: unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    drawn = 0xCC3 << 62 | 0x18C4DC0C0C07398F

    key = format_uuid7(0x017F22E279B0, drawn.to_bytes(10, "big"))

    assert key == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, 2**48 - 1), chance)
def test_every_key_is_a_uuid_of_version_7(time_ms: int, drawn: bytes) -> None:
    key = UUID(format_uuid7(time_ms, drawn))

    assert (key.version, key.variant) == (7, "specified in RFC 4122")
    assert key.int >> 80 == time_ms


@given(st.integers(0, 2**48 - 2), chance, chance)
def test_keys_are_ordered_by_time(time_ms: int, one: bytes, two: bytes) -> None:
    assert format_uuid7(time_ms, one) < format_uuid7(time_ms + 1, two)


def test_new_keys_differ() -> None:
    assert len({new_key() for _ in range(1000)}) == 1000


@given(st.text(max_size=20), st.integers(1, 10**9), st.binary(max_size=50))
def test_a_content_key_is_stable_and_fits_the_header(
    origin: str, line: int, entry: bytes
) -> None:
    key = content_key(origin, line, entry)

    assert key == content_key(origin, line, entry)
    assert len(key) <= MAX_KEY
    assert key.isascii()
    assert " " not in key


def test_origin_line_and_entry_all_make_the_key() -> None:
    keys = {
        content_key("a", 1, b"x"),
        content_key("b", 1, b"x"),
        content_key("a", 2, b"x"),
        content_key("a", 1, b"y"),
        content_key("a1", 1, b"x"),
        content_key("a", 11, b"x"),
        content_key("a", 1, b"1x"),
    }

    assert len(keys) == 7
