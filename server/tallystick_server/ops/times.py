"""Times as text: RFC 3339 in UTC with milliseconds, the one spelling we write."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

_MAX_MS = 253_402_300_799_999  # the last millisecond of the year 9999


@lru_cache(maxsize=256)
def format_time(time_ms: int) -> str:
    """Write POSIX milliseconds, such as 2026-01-31T12:00:00.123Z."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def parse_time(text: str) -> int:
    """Read an RFC 3339 time with a zone as POSIX milliseconds; raise ValueError.

    A time that `format_time` could not write, for its zone, is refused too.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone, such as Z")
    whole = moment.replace(microsecond=0)
    time_ms = int(whole.timestamp()) * 1000 + moment.microsecond // 1000
    if not 0 <= time_ms <= _MAX_MS:
        raise ValueError("a time is from 1970 to 9999")
    return time_ms
