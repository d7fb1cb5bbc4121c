"""The model of a disk that lost its power, and the recording that feeds it."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.system.power.disk import SECTOR, Disk
from tests.system.power.recorded import Recorder
from tests.system.power.recording import (
    BlindError,
    Event,
    Made,
    Removed,
    Renamed,
    Resized,
    Synced,
    Wrote,
)

pytestmark = pytest.mark.system

ROOT = Path("/disk")
FILE = "/disk/file"
OLD, NEW = b"o" * (3 * SECTOR), b"n" * (3 * SECTOR)

WRITTEN: list[Event] = [
    Made(FILE, is_directory=False),
    Wrote(FILE, 0, OLD, is_synced=False),
]
KEPT: list[Event] = [*WRITTEN, Synced(FILE), Synced(str(ROOT))]


def drawn(events: list[Event], tmp_path: Path) -> list[dict[str, bytes]]:
    """What many states hold: the bytes of each file by its name."""
    disk = Disk(ROOT)
    for event in events:
        disk.take(event)
    found = []
    for seed in range(200):
        place = tmp_path / str(seed)
        place.mkdir(parents=True)
        disk.crashed(random.Random(seed), place)
        found.append({path.name: path.read_bytes() for path in place.iterdir()})
    return found


def contents(events: list[Event], tmp_path: Path) -> set[bytes | None]:
    return {held.get("file") for held in drawn(events, tmp_path)}


def test_what_was_synced_with_its_name_is_always_there(tmp_path: Path) -> None:
    assert contents(KEPT, tmp_path) == {OLD}


def test_a_synced_file_without_its_name_may_be_gone(tmp_path: Path) -> None:
    assert contents([*WRITTEN, Synced(FILE)], tmp_path) == {OLD, None}


def test_what_was_not_synced_may_be_there_in_part(tmp_path: Path) -> None:
    found = contents([*KEPT, Wrote(FILE, 0, NEW, is_synced=False)], tmp_path)

    assert {OLD, NEW} < found
    assert len(found) == 8  # each of the three sectors old or new
    for data in found:
        assert data is not None
        sectors = [data[at : at + SECTOR] for at in range(0, len(data), SECTOR)]
        assert all(len(set(sector)) == 1 for sector in sectors)


def test_a_write_that_syncs_itself_is_there_and_makes_no_other_durable(
    tmp_path: Path,
) -> None:
    events = [
        *KEPT,
        Wrote(FILE, 0, NEW[:SECTOR], is_synced=False),
        Wrote(FILE, SECTOR, NEW[:SECTOR], is_synced=True),
    ]

    found = contents(events, tmp_path)

    assert {data[SECTOR] for data in found if data} == {ord("n")}
    assert {data[0] for data in found if data} == {ord("o"), ord("n")}


def test_a_file_that_grew_may_be_short_or_empty_at_its_end(tmp_path: Path) -> None:
    events: list[Event] = [*KEPT, Wrote(FILE, len(OLD), NEW, is_synced=False)]

    found = contents(events, tmp_path)

    assert {OLD, OLD + bytes(len(NEW)), OLD + NEW} <= found


def test_a_rename_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    events: list[Event] = [
        *KEPT,
        Made("/disk/file.new", is_directory=False),
        Wrote("/disk/file.new", 0, NEW, is_synced=False),
        Synced("/disk/file.new"),
        Renamed("/disk/file.new", FILE),
    ]

    assert contents(events, tmp_path) == {OLD, NEW}
    assert contents([*events, Synced(str(ROOT))], tmp_path / "after") == {NEW}


def test_a_removed_or_cut_file_may_still_be_there(tmp_path: Path) -> None:
    removed = contents([*KEPT, Removed(FILE)], tmp_path)
    cut = contents([*KEPT, Resized(FILE, SECTOR)], tmp_path / "cut")

    assert removed == {OLD, None}
    assert cut == {OLD, OLD[:SECTOR]}


PROGRAMS = {
    "import mmap,os,sys; f=os.open(sys.argv[1],os.O_RDWR|os.O_CREAT);"
    "os.ftruncate(f,4096); mmap.mmap(f,4096)": "mapped for writing",
    "import os,sys; os.symlink('x',sys.argv[1])": "symlink",
    "import os,sys; f=os.open(sys.argv[1],os.O_RDWR|os.O_CREAT);"
    "os.posix_fallocate(f,0,9)": "fallocate",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_recording_cannot_see_is_an_error(tmp_path: Path, program: str) -> None:
    recorder = Recorder(tmp_path)
    recorder.run("blind", [sys.executable, "-c", program, f"{recorder.root}/file"])

    with pytest.raises(BlindError, match=PROGRAMS[program]):
        recorder.recording()


def test_a_recording_has_what_was_written_in_its_order(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    path = recorder.root / "file"
    program = (
        "import os,sys; f=os.open(sys.argv[1],os.O_WRONLY|os.O_CREAT|os.O_APPEND);"
        "os.write(f,b'one'); os.writev(f,[b'two',b'three']); os.fsync(f);"
        "g=os.open(sys.argv[1],os.O_WRONLY|os.O_DSYNC); os.pwrite(g,b'T',3)"
    )
    recorder.run("it", [sys.executable, "-c", program, str(path)])

    told = [one for one in recorder.recording().events if "file" in str(one)]

    assert told == [
        Made(str(path), is_directory=False),
        Wrote(str(path), 0, b"one", is_synced=False),
        Wrote(str(path), 3, b"twothree", is_synced=False),
        Synced(str(path)),
        Wrote(str(path), 3, b"T", is_synced=True),
    ]
