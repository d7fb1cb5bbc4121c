"""A server process over a rotten file, and fsck on a copy that nobody can write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.rot.children import Died, in_child
from tests.rot.flips import Flip
from tests.rot.place import NAME, Place, make_place
from tests.rows.report import Figures
from tests.system.stack import Daemon, run

SIZE = 900


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = in_child(lambda: make_place(tmp_path / "data", size=SIZE))
    assert not isinstance(made, Died)
    return made


def get(daemon: Daemon, path: str) -> tuple[int, bytes]:
    """Ask once; give status and body, whatever the status is."""
    connection = HTTPConnection(daemon.listen, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def hit(place: Place, wanted: bytes) -> None:
    """Flip a bit in the middle of each copy of some bytes of the file."""
    file = place.file.read_bytes()
    places = []
    at = file.find(wanted)
    while at >= 0:
        places.append(at + len(wanted) // 2)
        at = file.find(wanted, at + 1)
    assert places
    Flip(b"entries", b"", tuple(places), 1).apply(place.file)


@pytest.mark.row("R6")
def test_a_server_over_a_rotten_entry_serves_all_but_it_and_says_so(
    place: Place, tmp_path: Path, figures: Figures
) -> None:
    hit(place, place.entries[300])
    words = ["server", "serve", "--data", str(place.data), "--listen", "127.0.0.1:0"]
    alone = ["--sign-unproven", NAME]  # what is published is cosigned; nobody is asked
    daemon = Daemon([*words, *alone], tmp_path / "server.log")
    try:
        bad_status, bad = get(daemon, f"/t/{NAME}/tile/entries/001")
        good_status, _ = get(daemon, f"/t/{NAME}/tile/entries/000")
        ready_status, ready = get(daemon, "/readyz")
    finally:
        code = daemon.stop()
    fsck = run("server", "fsck", "--data", str(place.data), "--json", check=False)
    (log,) = json.loads(fsck.stdout)["logs"]
    said = (tmp_path / "server.log").read_text(encoding="utf-8")

    figures.record("a server process over a rotten entry", tried=1, bad=0)
    assert (bad_status, good_status, ready_status, code) == (500, 200, 503, 0)
    assert json.loads(bad)["type"].endswith("/internal")
    reason = "entry 300 does not lead to the signed root"
    assert reason in json.loads(ready)["reasons"][0]
    assert "stored data are wrong" in said
    assert reason in said
    assert fsck.returncode == 1
    assert [problem["index"] for problem in log["problems"]] == [300]


@contextmanager
def mounted_read_only(folder: Path, at: Path) -> Iterator[Path]:
    """Mount a folder once more, so that nothing below it can be written."""
    at.mkdir()
    subprocess.run(["mount", "--bind", str(folder), str(at)], check=True)
    try:
        options = "remount,bind,ro"
        subprocess.run(["mount", "-o", options, str(at)], check=True)
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting needs root"
)
def test_a_copy_that_nobody_can_write_is_checked_like_any_other(
    place: Place, tmp_path: Path
) -> None:
    with mounted_read_only(place.data, tmp_path / "ro") as copy:
        sound = run("server", "fsck", "--data", str(copy), check=False)
    os.truncate(place.file, place.file.stat().st_size // 2)
    with mounted_read_only(place.data, tmp_path / "cut") as copy:
        cut = run("server", "fsck", "--data", str(copy), check=False)

    assert (sound.returncode, sound.stderr) == (0, "")
    assert f"sound: {SIZE + 1} entries" in sound.stdout
    assert cut.returncode == 1
    assert "beyond EOF" in cut.stdout
