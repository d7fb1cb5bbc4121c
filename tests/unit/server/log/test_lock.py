"""One process writes a log; the lock falls with its holder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick_server.errors import (
    LockedError,
    NotInitialisedError,
    SigningStoppedError,
    StoreError,
)
from tallystick_server.log.lock import LockedSigner, WriterLock
from tallystick_server.log.writer import Writer
from tests.fakes.logs import check_log, memory_log, submission


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"

    with (
        WriterLock(path),
        pytest.raises(LockedError, match=f"held by process {os.getpid()}"),
    ):
        WriterLock(path)


def test_a_lock_that_was_let_go_can_be_taken(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"
    first = WriterLock(path)

    first.close()
    first.close()

    with WriterLock(path):
        assert path.read_text().strip() == str(os.getpid())


def test_a_refusal_does_not_let_go_of_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"

    with WriterLock(path):
        for _ in range(2):
            with pytest.raises(LockedError):
                WriterLock(path)


@pytest.mark.parametrize("text", [b"", b"nobody\n", b"\xff\xfe"])
def test_a_holder_that_did_not_write_its_id_is_another_process(
    tmp_path: Path, text: bytes
) -> None:
    path = tmp_path / "writer.lock"
    lock = WriterLock(path)
    path.write_bytes(text)

    with pytest.raises(LockedError, match="held by another process"):
        WriterLock(path)

    lock.close()


def test_the_lock_of_a_missing_log_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="tallystick server init"):
        WriterLock(tmp_path / "nothing" / "writer.lock")

    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "writer.lock").mkdir()

    with pytest.raises(StoreError, match="cannot open"):
        WriterLock(tmp_path / "writer.lock")


def test_a_disk_that_takes_no_id_is_told_as_the_failure_of_a_disk(
    tmp_path: Path,
) -> None:
    (tmp_path / "writer.lock").symlink_to("/dev/full")

    with pytest.raises(StoreError, match="No space left"):
        WriterLock(tmp_path / "writer.lock")


def test_the_file_of_a_lock_does_not_grow_or_shrink_once_it_is_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "writer.lock"
    WriterLock(path).close()
    size = path.stat().st_size
    path.write_bytes(b"9" * size)

    with WriterLock(path):
        assert path.stat().st_size == size
        with pytest.raises(LockedError, match=f"held by process {os.getpid()};"):
            WriterLock(path)


def test_a_program_that_is_started_does_not_inherit_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"
    program = "print('started', flush=True); input()"
    with (
        WriterLock(path) as lock,
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        ) as sleeper,
    ):
        assert sleeper.stdout is not None
        assert sleeper.stdout.readline() == b"started\n"
        lock.close()

        WriterLock(path).close()

        sleeper.communicate(b"\n")


def moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.mkdir()


def removed(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    path.rename(path.with_name("old.lock"))
    path.touch()


@pytest.mark.parametrize("change", [moved, removed, replaced])
def test_without_the_lock_in_its_place_nothing_is_signed(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    (tmp_path / "log").mkdir()
    path = tmp_path / "log" / "writer.lock"
    log = memory_log()
    with WriterLock(path) as lock:
        signer = LockedSigner(log.signer, lock)
        writer = Writer(
            store=log.store,
            signer=signer,
            state=log.state,
            clock=log.clock,
            anchor=None,
        )
        writer.commit([submission("a", b"1")])
        change(path)

        with pytest.raises(SigningStoppedError, match="not the file that was locked"):
            writer.commit([submission("b", b"2")])

        assert writer.stopped is not None
        assert signer.key == log.signer.key
        assert check_log(log.store)[1:] == [b"1"]
