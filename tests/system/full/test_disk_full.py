"""R10: on a full disk nothing is promised that is not kept, and nothing acked is lost.

With root, real filesystems are filled (see `rehearsals`); without it, a limit on the
size of files, or on memory, stops a commit in its middle.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tallystick_server.storage.lmdb import open_store
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.full.served import ENTRY, Served
from tests.system.power.judging import ROOT
from tests.system.power.loops import alone, missing
from tests.system.stack import run, tallystick

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]

NOWHERE = Path("/dev/full")
"""A file on a disk that is always full."""


@pytest.mark.row("R10")
@pytest.mark.parametrize("name", ["floor", "commit", "anchor", "witness"])
def test_a_full_disk_loses_nothing(
    tmp_path: Path, form: Form, figures: Figures, name: str
) -> None:
    form.needs(Form.CI, "fills a filesystem of its own")
    if why := missing("mkfs.ext4"):
        pytest.skip(why)
    module = "tests.system.full.rehearsals"
    command = [sys.executable, "-m", module, str(tmp_path), name]

    done = subprocess.run(
        alone(command), cwd=ROOT, capture_output=True, text=True, check=False
    )

    figures.record(
        f"acks before and after a full disk: {name}",
        tried=json.loads(done.stdout) if done.returncode == 0 else 1,
        bad=0 if done.returncode == 0 else 1,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.row("R10")
def test_a_commit_that_the_file_has_no_room_for_ends_the_process(
    tmp_path: Path, figures: Figures
) -> None:
    served = Served(tmp_path, tmp_path / "data")
    with closing(served):
        served.configure()
        assert served.start("prlimit", f"--fsize={20 * ENTRY}")
        served.fill()
        assert served.wait() == 5
        assert served.reason("signing stopped").startswith("the commit of size ")
        acked = len(served.acked)
        assert acked
        assert served.fsck() == acked + 1
        assert served.start()
        assert served.check_served() == acked + 1
        served.append()
        assert served.stop() == 0
    figures.record("acks before a file that may not grow", tried=acked)
    served.fsck()


@pytest.mark.row("R10")
def test_a_map_that_may_not_grow_stops_writes_and_reads_cleanly(
    tmp_path: Path, figures: Figures
) -> None:
    module = "tests.system.full.bounded_program"
    done = subprocess.run(
        [sys.executable, "-m", module, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    *acked, told = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert told.startswith("stopped: the write failed: "), told
    store = open_store(tmp_path)
    size = store.load().head.size
    entries = store.read_entries(0, size)
    store.close()
    figures.record("commits before a map that may not grow", tried=len(acked))
    assert len(acked) > 1
    assert size == len(entries) == int(acked[-1])


def test_logs_on_a_full_disk_are_lost_and_stop_nothing(tmp_path: Path) -> None:
    served = Served(tmp_path, tmp_path / "data")
    with closing(served):
        served.configure('log_level = "debug"', "access_log = true")
        assert served.start(errors=NOWHERE)
        for _ in range(20):
            served.append(100)
        assert served.check_served() == 21
        assert served.stop() == 0


@pytest.mark.parametrize("house", ["server", "witness"])
def test_an_address_that_nobody_can_hear_stops_nothing(
    tmp_path: Path, house: str
) -> None:
    data = ["--data", str(tmp_path / "data")]
    if house == "server":
        run("server", "init", *data, "--log", "events", "--origin", "full.example/l")
    else:
        run("witness", "init", *data, "--name", "full.example/w")
    command = tallystick(house, "serve", *data, "--listen", "127.0.0.1:0")

    with NOWHERE.open("ab") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=subprocess.PIPE)
    assert process.stderr is not None
    with process:
        told = next(line for line in process.stderr if b"stdout is lost" in line)
        process.terminate()
        process.stderr.read()

    assert json.loads(told)["url"].startswith("http://127.0.0.1:")
    assert process.returncode == 0


def test_the_tools_of_this_row_are_there() -> None:
    assert shutil.which("prlimit")
