"""The anchor remembers what was released, and is believed over the store."""

import fcntl
import os
from pathlib import Path

import pytest

from tallystick_merkle.spelling import format_hash
from tallystick_witness import anchor as module
from tallystick_witness.anchor import FileAnchor, NoAnchor, create_anchor, new_anchor
from tallystick_witness.errors import (
    AnchorError,
    IntegrityError,
    LockedError,
    UsageError,
)

NAME = "witness.example/w1"
ONE = "1" * 64
TWO = "2" * 64
ROOT = b"\x01" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "anchor"
    new_anchor(place, name=NAME)
    return place


def reopen(path: Path) -> dict[str, tuple[int, bytes]]:
    anchor = FileAnchor(path, name=NAME)
    latest = anchor.latest
    anchor.close()
    return latest


def line(origin: str, size: int, root: bytes = ROOT) -> bytes:
    return b"%s %d %s\n" % (origin.encode(), size, format_hash(root))


def test_a_new_anchor_remembers_nothing(path: Path) -> None:
    assert reopen(path) == {}


def test_the_last_head_of_each_origin_is_remembered(path: Path) -> None:
    anchor = FileAnchor(path, name=NAME)
    anchor.record(ONE, 1, ROOT)
    anchor.record(TWO, 5, ROOT)
    anchor.record(ONE, 8, b"\x02" * 32)
    anchor.close()

    assert reopen(path) == {ONE: (8, b"\x02" * 32), TWO: (5, ROOT)}


def test_the_same_head_again_is_not_written_again(path: Path) -> None:
    anchor = FileAnchor(path, name=NAME)
    anchor.record(ONE, 1, ROOT)
    before = path.stat().st_size
    anchor.record(ONE, 1, ROOT)
    anchor.close()

    assert path.stat().st_size == before


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_line_that_was_cut_short_is_dropped(path: Path, cut: int) -> None:
    with path.open("ab") as file:
        file.write(line(ONE, 1) + line(ONE, 2)[:-cut])

    assert reopen(path) == {ONE: (1, ROOT)}
    assert path.read_bytes().endswith(line(ONE, 1))


@pytest.mark.parametrize(
    "damage",
    [
        b"\n",
        b"nonsense\n",
        line(ONE[:-1], 1),
        line(ONE, 1).replace(b" 1 ", b" 01 "),
        line(ONE, 1).replace(b"=", b""),
        line(ONE, 5) + line(ONE, 4),
        line(ONE, 5) + line(ONE, 5, b"\x09" * 32),
    ],
)
def test_a_damaged_anchor_is_refused(path: Path, damage: bytes) -> None:
    with path.open("ab") as file:
        file.write(damage)

    with pytest.raises(IntegrityError):
        FileAnchor(path, name=NAME)


def test_the_anchor_of_another_witness_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="not the anchor"):
        FileAnchor(path, name="witness.example/w2")


def test_a_missing_anchor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--new-anchor"):
        FileAnchor(tmp_path / "nothing", name=NAME)


def test_a_new_anchor_replaces_nothing(path: Path) -> None:
    with pytest.raises(UsageError, match="cannot make"):
        new_anchor(path, name=NAME)


def test_an_anchor_in_use_is_refused(path: Path) -> None:
    first = FileAnchor(path, name=NAME)

    with pytest.raises(LockedError, match="in use"):
        FileAnchor(path, name=NAME)
    first.close()


def test_a_write_that_fails_is_an_anchor_error(path: Path) -> None:
    anchor = FileAnchor(path, name=NAME)
    anchor.close()

    with pytest.raises(AnchorError, match="cannot be written"):
        anchor.record(ONE, 1, ROOT)


@pytest.mark.parametrize("is_news", [True, False])
def test_an_anchor_that_is_replaced_while_in_use_stops_the_witness(
    path: Path, is_news: bool
) -> None:
    anchor = FileAnchor(path, name=NAME)
    anchor.record(ONE, 1, ROOT)
    path.rename(path.with_name("moved"))
    new_anchor(path, name=NAME)

    with pytest.raises(AnchorError, match="replaced while in use"):
        anchor.record(ONE, 2 if is_news else 1, ROOT)
    anchor.close()


def test_an_anchor_that_is_removed_while_in_use_stops_the_witness(path: Path) -> None:
    anchor = FileAnchor(path, name=NAME)
    path.unlink()

    with pytest.raises(AnchorError, match="No such file"):
        anchor.record(ONE, 1, ROOT)
    anchor.close()


def test_an_anchor_behind_a_link_is_written_anew_where_the_link_leads(
    path: Path,
) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    anchor = FileAnchor(link, name=NAME)
    anchor._lines = module.MAX_LINES + 2
    anchor.record(ONE, 2, ROOT)
    anchor.close()

    assert link.is_symlink()
    assert reopen(path) == {ONE: (2, ROOT)}


def test_a_long_anchor_is_written_anew_and_stays_locked(path: Path) -> None:
    anchor = FileAnchor(path, name=NAME)
    anchor._lines = module.MAX_LINES + 1
    anchor.record(ONE, 1, ROOT)
    anchor._lines = module.MAX_LINES + 2
    anchor.record(ONE, 2, ROOT)
    anchor.record(ONE, 3, ROOT)
    anchor.record(TWO, 1, ROOT)

    other = os.open(path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
    anchor.close()
    assert path.read_bytes().count(b"\n") == 4
    assert reopen(path) == {ONE: (3, ROOT), TWO: (1, ROOT)}


def test_a_rewrite_that_was_cut_short_is_begun_anew(path: Path) -> None:
    create_anchor(path.with_name(".anchor.unfinished"), header=b"half")
    anchor = FileAnchor(path, name=NAME)
    anchor._lines = module.MAX_LINES + 2
    anchor.record(ONE, 2, ROOT)
    anchor.close()

    assert reopen(path) == {ONE: (2, ROOT)}


def test_no_anchor_remembers_nothing() -> None:
    anchor = NoAnchor()
    anchor.record(ONE, 1, ROOT)

    assert anchor.latest == {}
    anchor.close()


def test_a_carriage_return_is_not_the_end_of_a_line(path: Path) -> None:
    damaged = line(ONE, 1).replace(b"\n", b"\r") + line(TWO, 2)
    path.write_bytes(path.read_bytes() + damaged)

    with pytest.raises(IntegrityError, match="damaged at line 2"):
        FileAnchor(path, name=NAME)


def test_a_new_anchor_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    """Until it is whole it has another name, which nobody takes for an anchor."""
    place = tmp_path / "anchor"
    (tmp_path / ".anchor.new").write_bytes(b"tallystick-wit")

    new_anchor(place, name=NAME)

    assert reopen(place) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["anchor"]


def test_an_anchor_of_a_newer_format_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"anchor/1 ", b"anchor/2 "))

    with pytest.raises(UsageError, match=r"has format 2 .* knows 1"):
        FileAnchor(path, name=NAME)
