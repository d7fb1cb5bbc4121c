"""What a start checks before the first signature: keys, heads, anchor, clock.

If in doubt, the witness does not sign: each check raises a StartError whose exit code
and one line say what is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.witnessing import origin_hash
from tallystick_witness.anchor import Anchor, Anchored
from tallystick_witness.cosigning import check_followed
from tallystick_witness.errors import ClockError, IntegrityError
from tallystick_witness.rule import MAX_BEHIND_S
from tallystick_witness.state import FollowedLog

_log = logging.getLogger(__name__)


def check_heads(logs: Sequence[FollowedLog], own: Sequence[VerifierKey]) -> None:
    """Verify every head: the log's signature and each of our own."""
    for log in logs:
        check_followed(log, own)


def check_anchor(logs: Sequence[FollowedLog], anchored: Anchored) -> None:
    """Raise IntegrityError if the store is behind its anchor, or differs from it."""
    known = {origin_hash(log.origin): log for log in logs}
    for place, (size, root) in anchored.items():
        log = known.get(place)
        if log is None or log.head is None or log.head.size < size:
            name = repr(log.origin) if log else f"the log with origin hash {place}"
            stored = log.head.size if log and log.head else "nothing"
            raise IntegrityError(
                f"rolled back: size {size} of {name} was released, the store has "
                f"{stored}; restore the newest store, never an older one"
            )
        if log.head.size == size and log.head.root != root:
            raise IntegrityError(
                f"forked: the root of {log.origin!r} at size {size} is not the one "
                "that was released; the store is not the one of this anchor"
            )


def catch_up(logs: Sequence[FollowedLog], anchor: Anchor) -> None:
    """Record in the anchor what is stored, as a crash may have come in between."""
    for log in logs:
        if log.head is not None:
            anchor.record(origin_hash(log.origin), log.head.size, log.head.root)


def check_clock(logs: Sequence[FollowedLog], now_s: int) -> None:
    """Raise ClockError if a cosignature is more than 10 s ahead of the clock."""
    last_s = max((log.head.time_s for log in logs if log.head), default=0)
    behind_s = last_s - now_s
    if behind_s > MAX_BEHIND_S:
        raise ClockError(
            f"the clock is {behind_s} s behind the last cosignature; set it right"
        )
    if behind_s > 0:
        _log.warning(
            "clock behind, times are clamped", extra={"fields": {"s": behind_s}}
        )
