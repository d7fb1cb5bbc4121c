"""A start compares the store with anchor and clock before it signs."""

from dataclasses import replace

import pytest

from tallystick_witness.anchor import Anchored, NoAnchor
from tallystick_witness.errors import ClockError, IntegrityError
from tallystick_witness.starting import catch_up, check_anchor, check_clock, check_heads
from tallystick_witness.state import FollowedLog, Head
from tests.unit.witness.world import NOW_S, OWN, LogTwin

LOG = LogTwin()
ROOT = b"\x08" * 32


def at(size: int, *, time_s: int = NOW_S) -> FollowedLog:
    return replace(LOG.followed(), head=Head(size, ROOT, time_s, b"note"))


@pytest.mark.parametrize(
    "anchored",
    [{}, {LOG.place: (8, ROOT)}, {LOG.place: (7, b"\x07" * 32)}],
    ids=["unknown", "equal", "ahead"],
)
def test_a_store_at_or_ahead_of_its_anchor_passes(anchored: Anchored) -> None:
    check_anchor([at(8)], anchored)


def test_a_store_behind_its_anchor_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"rolled back: size 9 .* has 8"):
        check_anchor([at(8)], {LOG.place: (9, ROOT)})


def test_a_store_without_the_anchored_head_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"rolled back: size 0 .* has nothing"):
        check_anchor([LOG.followed()], {LOG.place: (0, ROOT)})


def test_a_store_without_the_anchored_log_is_refused() -> None:
    with pytest.raises(IntegrityError, match=f"rolled back: size 9 .*{LOG.place}"):
        check_anchor([], {LOG.place: (9, ROOT)})


def test_another_root_at_the_anchored_size_is_refused() -> None:
    with pytest.raises(IntegrityError, match="forked"):
        check_anchor([at(8)], {LOG.place: (8, b"\x09" * 32)})


def test_what_a_crash_left_out_of_the_anchor_is_caught_up() -> None:
    class ListAnchor(NoAnchor):
        def __init__(self) -> None:
            self.records: list[tuple[str, int]] = []

        def record(self, origin_hash: str, size: int, root: bytes) -> None:
            self.records.append((origin_hash, size))

    anchor = ListAnchor()
    never = LogTwin("log.example/two").followed()

    catch_up([at(8), never], anchor)

    assert anchor.records == [(LOG.place, 8)]


@pytest.mark.parametrize("behind_s", [-100, 0, 1, 10])
def test_a_clock_at_most_ten_seconds_behind_passes(behind_s: int) -> None:
    check_clock([at(8), LOG.followed()], NOW_S - behind_s)


def test_a_clock_further_behind_is_refused() -> None:
    with pytest.raises(ClockError, match="11 s behind"):
        check_clock([at(8)], NOW_S - 11)


def test_a_log_without_a_head_has_nothing_to_verify() -> None:
    check_heads([LOG.followed()], OWN)
