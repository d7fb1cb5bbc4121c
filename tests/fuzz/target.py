"""What a fuzz target is: one parser, the errors it may raise, and its promises.

A target is a function of bytes.  It returns when the bytes were refused with a typed
error of the house, or taken with all promises kept: the values hold what they say, and
where one spelling is promised, formatting gives the bytes back.  Whatever else comes
out of it is a finding.
"""

from __future__ import annotations

from collections.abc import Callable

Target = Callable[[bytes], None]


class SpellingError(AssertionError):
    """Bytes were taken that formatting would not have written."""


def check_spelling(data: bytes, written: bytes) -> None:
    """Raise unless what was read is, formatted again, the same bytes."""
    if written != data:
        raise SpellingError(f"took {data[:200]!r}, would write {written[:200]!r}")
