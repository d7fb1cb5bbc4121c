"""Draw the id of an event of the server's own: a UUIDv7 (RFC 9562 §5.7)."""

from __future__ import annotations

from collections.abc import Callable

from tallystick_merkle.event import id_text


def draw_event_id(time_ms: int, draw: Callable[[int], bytes]) -> str:
    """Make an event id of a time; `draw(n)` gives n random bytes."""
    noise = bytearray(draw(10))
    noise[0] = 0x70 | (noise[0] & 0x0F)
    noise[2] = 0x80 | (noise[2] & 0x3F)
    return id_text(time_ms.to_bytes(6, "big") + bytes(noise))
