"""A backup taken beside a busy server is whole, and restores to the same root (R9)."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Self

import pytest

from tallystick_merkle.exchange.appending import append_batch
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.hashing import leaf_hashes
from tallystick_server.clock import SystemClock
from tallystick_server.errors import IntegrityError
from tallystick_server.log.manifest import read_manifest
from tallystick_server.wiring.restoring import RestoreOrder, restore
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.backup.copies import quiet, stored
from tests.system.drive import drive
from tests.system.one_log import OneLog
from tests.system.stack import LOG, Daemon, run, run_json

pytestmark = [pytest.mark.system, pytest.mark.slow]

BATCH = 50


class Load:
    """Appends batches until it is told to stop; `acked` is how far it was answered."""

    def __init__(self, one: OneLog) -> None:
        self._one = one
        self._stop = threading.Event()
        self.acked = 0
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._first.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            entries = [b"%d/%d " % (number, at) * 20 for at in range(BATCH)]
            answer = drive(
                append_batch(
                    self._one.address,
                    entries,
                    policy=self._one.policy,
                    key=f"batch-{number}",
                    retry=NO_RETRY,
                )
            )
            self.acked = answer.first + BATCH
            self._first.set()


@pytest.mark.row("R9")
@pytest.mark.timeout(600)
def test_backups_under_load_restore_to_the_root_of_their_size(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    wanted = form.pick(quick=2, ci=8, long=40)
    faults: list[str] = []
    sizes = []
    with OneLog(tmp_path, log=("publish_interval_s = 0.2",)) as one:
        one.start()
        with Load(one) as load:
            for number in range(wanted):
                least, place = load.acked, tmp_path / f"backup-{number}"
                made = run_json(
                    "server", "backup", "--data", str(one.data), "--to", str(place)
                )
                (row,) = made["logs"]
                sizes.append(row["size"])
                if row["size"] < least:
                    faults.append(f"{number}: holds {row['size']}, acked were {least}")
        _, entries = stored(one.data)
        for number, size in enumerate(sizes):
            place, data = tmp_path / f"backup-{number}", tmp_path / f"data-{number}"
            (saved,) = restore(RestoreOrder(place, data), SystemClock(), quiet)
            source = grow(EMPTY_EDGE, leaf_hashes(entries[:size])).root
            head, copied = stored(data)
            if not (saved.root == head.root == source and copied == entries[:size]):
                faults.append(f"{number}: the root of size {size} is another one")
            shutil.rmtree(data)

    figures.record(
        "backups beside a busy server, restored and compared",
        tried=wanted,
        bad=len(faults),
        note=f"sizes {sizes[0]:,} to {sizes[-1]:,}",
    )
    assert faults == []
    assert sizes == sorted(set(sizes))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A backup of a small log; its data directory lies beside it."""
    data = tmp_path / "data"
    run("server", "init", "--data", str(data), "--log", LOG, "--origin", "o.example")
    run("server", "backup", "--data", str(data), "--to", str(tmp_path / "b"), "--check")
    return tmp_path / "b"


def test_a_backup_holds_no_key_no_token_and_nothing_unlisted(made: Path) -> None:
    found = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}
    (log,) = read_manifest(made).logs

    assert found == {
        "manifest.json",
        f"logs/{LOG}/vkeys",
        f"logs/{LOG}/log.lmdb/data.mdb",
    }
    assert {f"logs/{LOG}/{file.path}" for file in log.files} | {
        "manifest.json"
    } == found
    for path in made.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_backup_is_never_overwritten_and_never_lies_in_the_data(made: Path) -> None:
    data = made.parent / "data"
    before = (made / "manifest.json").read_bytes()

    again = run("server", "backup", "--data", str(data), "--to", str(made), check=False)
    inside = run(
        "server", "backup", "--data", str(data), "--to", str(data / "b"), check=False
    )

    assert (again.returncode, inside.returncode) == (2, 2)
    assert "never overwritten" in again.stderr
    assert "would be lost with it" in inside.stderr
    assert (made / "manifest.json").read_bytes() == before


def test_a_backup_that_fails_leaves_nothing(made: Path) -> None:
    data, target = made.parent / "data", made.parent / "second"
    store = data / "logs" / LOG / "log.lmdb" / "data.mdb"
    store.write_bytes(store.read_bytes().replace(b"o.example", b"p.example"))

    done = run(
        "server", "backup", "--data", str(data), "--to", str(target), check=False
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert list(target.parent.glob("second*")) == []


@pytest.mark.parametrize("file", ["log.lmdb/data.mdb", "vkeys"])
def test_a_flipped_bit_in_a_backup_is_refused(made: Path, file: str) -> None:
    path = made / "logs" / LOG / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    fresh = made.parent / "fresh"

    done = run(
        "server", "restore", "--from", str(made), "--data", str(fresh), check=False
    )

    assert done.returncode == 1
    assert "is not what the manifest says" in done.stderr
    assert list((fresh / "logs").iterdir()) == []


def test_a_manifest_that_names_another_head_is_refused(made: Path) -> None:
    path = made / "manifest.json"
    body = json.loads(path.read_bytes())
    body["logs"][0]["size"] = 2
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")

    with pytest.raises(IntegrityError, match="the manifest says size 2"):
        restore(RestoreOrder(made, made.parent / "fresh"), SystemClock(), quiet)


def test_a_log_or_its_key_is_never_overwritten(made: Path) -> None:
    data = made.parent / "data"
    done = run(
        "server", "restore", "--from", str(made), "--data", str(data), check=False
    )
    shutil.rmtree(data / "logs" / LOG)
    with_key = run(
        "server", "restore", "--from", str(made), "--data", str(data), check=False
    )
    (data / "keys" / f"{LOG}.skey").unlink()
    without = run(
        "server", "restore", "--from", str(made), "--data", str(data), check=False
    )

    assert [done.returncode, with_key.returncode, without.returncode] == [2, 2, 0]
    assert "a log is never overwritten" in done.stderr
    assert "move the key away" in with_key.stderr


def test_a_restored_log_serves_reads_and_takes_nothing(made: Path) -> None:
    data = made.parent / "fresh"
    run("server", "restore", "--from", str(made), "--data", str(data))
    words = ["server", "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    flagged = run(*words, "--sign-unproven", LOG, check=False)
    daemon = Daemon(words, made.parent / "server.log")
    told = (made.parent / "server.log").read_text(encoding="utf-8")
    code = daemon.stop()

    assert code == 0
    assert "restored, read-only" in told
    assert flagged.returncode == 2
    assert "read-only until it is promoted" in flagged.stderr


def test_an_interrupted_backup_is_named_and_not_taken_for_one(made: Path) -> None:
    data, fresh = made.parent / "data", made.parent / "c.new"
    fresh.mkdir()

    done: subprocess.CompletedProcess[str] = run(
        "server", "backup", "--data", str(data), "--to", str(made.parent / "c"),
        check=False,
    )  # fmt: skip
    tried = run("server", "restore", "--from", str(fresh), "--data", "x", check=False)

    assert (done.returncode, tried.returncode) == (2, 2)
    assert "did not end" in done.stderr
    assert "is no whole backup" in tried.stderr
