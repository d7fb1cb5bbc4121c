"""Ids of the server's own events are UUIDs of version 7, by time."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.event import is_event_id
from tallystick_server.ingest.eventids import draw_event_id

TIMES = st.integers(0, 2**48 - 1)
NOISE = st.binary(min_size=10, max_size=10)


@dataclass(frozen=True)
class Fixed:
    """Draws the same bytes each time."""

    noise: bytes

    def __call__(self, size: int) -> bytes:
        return self.noise[:size]


@given(TIMES, NOISE)
def test_an_id_is_a_uuid_of_version_7_with_its_time(time_ms: int, noise: bytes) -> None:
    drawn = draw_event_id(time_ms, Fixed(noise))

    uuid = UUID(drawn)
    assert is_event_id(drawn)
    assert (uuid.version, str(uuid)) == (7, drawn)
    assert uuid.int >> 80 == time_ms


@given(TIMES, NOISE, NOISE)
def test_all_other_bits_are_drawn(time_ms: int, one: bytes, other: bytes) -> None:
    free = bytes([0x0F, 0xFF, 0x3F, *[0xFF] * 7])
    differ = any((a ^ b) & mask for a, b, mask in zip(one, other, free, strict=True))

    ids = [draw_event_id(time_ms, Fixed(noise)) for noise in (one, other)]

    assert (ids[0] != ids[1]) == differ
