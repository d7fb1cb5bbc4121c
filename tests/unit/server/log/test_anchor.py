"""The anchor: what it keeps, what a crash may leave of it, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import MalformedError
from tallystick_server.errors import (
    IntegrityError,
    LockedError,
    StoreError,
    UsageError,
)
from tallystick_server.log.anchor import (
    Anchor,
    FileAnchor,
    MemoryAnchor,
    format_mark,
    open_anchor,
    parse_anchor,
    read_anchor,
)

ORIGIN = "example.com/log"
OTHER = "example.com/other"
MAX_LINE = 131


def root(size: int) -> bytes:
    return size.to_bytes(32, "big")


def line(size: int, origin: str = ORIGIN) -> bytes:
    return format_mark(origin, (size, root(size)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "anchor"


@pytest.fixture(params=["file", "memory"])
def anchor(request: pytest.FixtureRequest, path: Path) -> Anchor:
    if request.param == "file":
        return open_anchor(path, origin=ORIGIN, size=1)
    return MemoryAnchor()


def test_a_new_anchor_holds_nothing(anchor: Anchor) -> None:
    assert anchor.last() is None
    anchor.close()


def test_the_last_head_recorded_is_given_back(anchor: Anchor) -> None:
    anchor.record(1, root(1))
    anchor.record(5, root(5))

    assert anchor.last() == (5, root(5))
    anchor.close()


def test_recording_a_head_again_changes_nothing(anchor: Anchor) -> None:
    anchor.record(5, root(5))
    anchor.record(5, root(5))

    assert anchor.last() == (5, root(5))
    anchor.close()


@pytest.mark.parametrize(("size", "of"), [(4, 4), (5, 6)])
def test_a_head_that_goes_back_or_differs_is_refused(
    anchor: Anchor, size: int, of: int
) -> None:
    anchor.record(5, root(5))

    with pytest.raises(StoreError, match="holds size 5"):
        anchor.record(size, root(of))

    assert anchor.last() == (5, root(5))
    anchor.close()


def test_each_head_is_one_line(path: Path) -> None:
    anchor = open_anchor(path, origin=ORIGIN, size=1)

    anchor.record(1, root(1))
    anchor.record(7, root(7))

    assert path.read_bytes() == line(1) + line(7)
    anchor.close()


def test_an_anchor_outlives_its_process(path: Path) -> None:
    first = open_anchor(path, origin=ORIGIN, size=1)
    first.record(7, root(7))
    first.close()

    second = open_anchor(path, origin=ORIGIN, size=7)

    assert second.last() == (7, root(7))
    second.record(8, root(8))
    assert read_anchor(path, origin=ORIGIN) == (8, root(8))
    second.close()


def test_opening_keeps_only_the_last_line(path: Path) -> None:
    path.write_bytes(line(1) + line(7))

    open_anchor(path, origin=ORIGIN, size=7).close()

    assert path.read_bytes() == line(7)


def test_the_file_never_grows_over_its_bound(path: Path) -> None:
    anchor = FileAnchor(path, origin=ORIGIN, last=None, most=3 * MAX_LINE)

    for size in range(1, 50):
        anchor.record(size, root(size))

        assert path.stat().st_size <= 3 * MAX_LINE
        assert read_anchor(path, origin=ORIGIN) == (size, root(size))
    anchor.close()


def test_nobody_else_may_read_or_write_the_file(path: Path) -> None:
    open_anchor(path, origin=ORIGIN, size=1).close()

    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("data", [None, b"", line(3)[:40], b"\0" * 60])
def test_a_lost_anchor_of_a_log_that_is_not_new_is_refused(
    path: Path, data: bytes | None
) -> None:
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(UsageError, match=r"has 2 entries.*--new-anchor LOG"):
        open_anchor(path, origin=ORIGIN, size=2)

    assert path.exists() == (data is not None)


def test_a_lost_anchor_is_made_anew_when_that_is_allowed(path: Path) -> None:
    anchor = open_anchor(path, origin=ORIGIN, size=9, allow_new=True)

    assert anchor.last() is None
    assert path.read_bytes() == b""
    anchor.close()


def test_permission_for_a_new_anchor_does_not_drop_the_old_one(path: Path) -> None:
    path.write_bytes(line(7))

    anchor = open_anchor(path, origin=ORIGIN, size=9, allow_new=True)

    assert anchor.last() == (7, root(7))
    anchor.close()


@pytest.mark.parametrize("kept", range(len(line(8))))
def test_a_line_cut_short_by_a_crash_is_dropped(path: Path, kept: int) -> None:
    path.write_bytes(line(7) + line(8)[:kept])

    anchor = open_anchor(path, origin=ORIGIN, size=8)

    assert anchor.last() == (7, root(7))
    assert path.read_bytes() == line(7)
    anchor.close()


@pytest.mark.parametrize(
    "torn",
    [
        b"\0" * len(line(8)),
        b"\0" * 20 + line(8)[20:],
        line(8)[:20] + b"\0" * (len(line(8)) - 20),
        line(8)[:90] + b"\0" * 10 + line(8)[100:],
    ],
)
def test_a_line_of_which_a_block_was_never_written_is_dropped(
    path: Path, torn: bytes
) -> None:
    path.write_bytes(line(7) + torn)

    anchor = open_anchor(path, origin=ORIGIN, size=8)

    assert anchor.last() == (7, root(7))
    anchor.close()


@pytest.mark.parametrize(
    "data",
    [
        b"root:x:0:0\n",
        b"#!/bin/sh\necho",
        b"\x7fELF",
        line(7, OTHER),
        line(7) + line(8, OTHER),
        line(7) + line(7),
        line(7) + line(6),
        line(7) + b"\n",
        b"\n" + line(7),
        line(7)[:-2] + b"\n",
        line(7).replace(b" 7 ", b" 07 "),
        line(7).replace(b" 7 ", b" -7 "),
        line(7).replace(b" 7 ", b"  7 "),
        line(7).replace(b"\n", b" \n"),
        line(7).replace(b"\n", b"\r\n"),
        line(7).upper(),
        line(7)[:10] + b"\0" + line(7)[11:] + line(8),
        line(7) + line(8)[:10] + b"\0" + line(8)[11:] + line(9)[:5],
        line(7) + line(8)[:64] + b"x" * 100,
    ],
)
def test_a_file_that_is_no_anchor_of_the_log_is_refused_and_left_alone(
    path: Path, data: bytes
) -> None:
    path.write_bytes(data)

    with pytest.raises(IntegrityError, match="is no anchor of"):
        open_anchor(path, origin=ORIGIN, size=1, allow_new=True)

    assert path.read_bytes() == data


def test_an_anchor_that_cannot_be_read_is_refused(path: Path) -> None:
    path.mkdir()

    with pytest.raises(UsageError, match="cannot use the anchor"):
        open_anchor(path, origin=ORIGIN, size=1)


def test_an_anchor_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        open_anchor(tmp_path / "unmounted" / "anchor", origin=ORIGIN, size=1)


def test_an_anchor_whose_place_is_taken_while_replacing_is_refused(path: Path) -> None:
    path.with_name("anchor.new").mkdir()

    with pytest.raises(UsageError, match="cannot use the anchor"):
        open_anchor(path, origin=ORIGIN, size=1)


def test_a_failed_replacement_leaves_the_old_file(path: Path, tmp_path: Path) -> None:
    anchor = FileAnchor(path, origin=ORIGIN, last=(7, root(7)), most=MAX_LINE)
    path.unlink()
    path.mkdir()  # a file cannot take the place of a folder

    with pytest.raises(StoreError, match="Is a directory"):
        anchor.record(8, root(8))

    assert anchor.last() == (7, root(7))
    anchor.close()


def test_after_a_failed_write_nothing_more_is_recorded(path: Path) -> None:
    anchor = open_anchor(path, origin=ORIGIN, size=1)
    anchor.record(7, root(7))
    healthy = os.dup(anchor._file)
    os.close(anchor._file)  # the disk is gone

    with pytest.raises(StoreError, match="Bad file descriptor"):
        anchor.record(8, root(8))
    os.dup2(healthy, anchor._file)  # and here again, too late
    with pytest.raises(StoreError, match="failed"):
        anchor.record(8, root(8))

    assert anchor.last() == (7, root(7))
    assert read_anchor(path, origin=ORIGIN) == (7, root(7))
    anchor.close()
    os.close(healthy)


def test_an_anchor_in_use_is_refused_to_a_second_copy_of_the_log(path: Path) -> None:
    first = open_anchor(path, origin=ORIGIN, size=1)
    first.record(7, root(7))

    with pytest.raises(LockedError, match="in use by another process"):
        open_anchor(path, origin=ORIGIN, size=7)

    first.close()
    open_anchor(path, origin=ORIGIN, size=7).close()


def test_a_refused_anchor_is_not_left_locked(path: Path) -> None:
    with pytest.raises(UsageError, match="has 2 entries"):
        open_anchor(path, origin=ORIGIN, size=2)

    open_anchor(path, origin=ORIGIN, size=2, allow_new=True).close()


def test_a_head_is_not_recorded_in_an_anchor_that_was_replaced(path: Path) -> None:
    anchor = open_anchor(path, origin=ORIGIN, size=1)
    path.rename(path.with_name("moved"))
    path.write_bytes(line(7))

    with pytest.raises(StoreError, match="replaced while in use"):
        anchor.record(8, root(8))

    anchor.close()


def test_a_head_is_not_recorded_in_an_anchor_that_was_removed(path: Path) -> None:
    anchor = open_anchor(path, origin=ORIGIN, size=1)
    path.unlink()

    with pytest.raises(StoreError, match="No such file"):
        anchor.record(8, root(8))

    anchor.close()


def test_an_anchor_behind_a_link_stays_on_the_disk_it_leads_to(
    path: Path, tmp_path: Path
) -> None:
    other_disk = tmp_path / "other"
    other_disk.mkdir()
    path.symlink_to(other_disk / "anchor")

    anchor = open_anchor(path, origin=ORIGIN, size=1)
    anchor.record(7, root(7))
    anchor.close()

    assert path.is_symlink()
    assert (other_disk / "anchor").read_bytes() == line(7)


@given(st.lists(st.integers(1, 2**60), min_size=1, max_size=5, unique=True).map(sorted))
def test_what_is_written_is_read_back(sizes: list[int]) -> None:
    data = b"".join(line(size % 2**62) for size in sizes)

    assert parse_anchor(data, origin=ORIGIN) == (sizes[-1], root(sizes[-1]))


@given(st.binary(max_size=300))
def test_hostile_bytes_raise_our_own_error_only(data: bytes) -> None:
    try:
        mark = parse_anchor(data, origin=ORIGIN)
    except MalformedError:
        return

    assert mark is None or data.startswith(format_mark(ORIGIN, mark))


@given(st.binary(max_size=5), st.integers(0, 260))
def test_damage_never_yields_a_head_that_was_not_recorded(
    damage: bytes, place: int
) -> None:
    data = bytearray(line(7) + line(8))
    data[place : place + len(damage)] = damage

    try:
        mark = parse_anchor(bytes(data), origin=ORIGIN)
    except MalformedError:
        return

    whole = bytes(data)
    assert mark is None or format_mark(ORIGIN, mark) in whole


def test_an_anchor_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    """What was not read could be the newest mark, and an older one be believed."""
    path = tmp_path / "anchor"
    lines = (format_mark(ORIGIN, (size, bytes(32))) for size in range(1, 20_000))
    path.write_bytes(b"".join(lines))

    with pytest.raises(IntegrityError, match="longer than"):
        read_anchor(path, origin=ORIGIN)
