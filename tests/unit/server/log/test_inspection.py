"""A log is checked where it lies, however damaged its file is."""

from __future__ import annotations

import fcntl
import os
import random
from pathlib import Path

import pytest

from tallystick_server.errors import NotInitialisedError, UsageError
from tallystick_server.log.findings import Kind
from tallystick_server.log.inspection import inspect_log
from tallystick_server.log.lock import WriterLock
from tallystick_server.log.paths import lock_path
from tallystick_server.storage.records import META
from tests.unit.server.log.stored_logs import (
    NAME,
    SIZE,
    StoredLog,
)
from tests.unit.server.storage.lmdb_bench import raw

FLIPS = 60


def test_a_sound_log_is_sound_and_the_lock_is_free_afterwards(log: StoredLog) -> None:
    seen: list[tuple[int, int]] = []

    report = inspect_log(
        log.data, NAME, log.known, on_progress=lambda *step: seen.append(step)
    )

    assert report.is_sound
    assert (report.size, seen) == (SIZE, [(SIZE, SIZE)])
    WriterLock(lock_path(log.data, NAME)).close()


def test_a_log_that_a_server_holds_is_checked_too(log: StoredLog) -> None:
    with WriterLock(lock_path(log.data, NAME)):
        assert inspect_log(log.data, NAME, log.known).is_sound


def test_checking_changes_no_file_of_the_log_but_the_engines_own(
    log: StoredLog,
) -> None:
    with WriterLock(lock_path(log.data, NAME)):
        pass
    before = contents(log.data)

    inspect_log(log.data, NAME, log.known)

    assert contents(log.data) == before


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but the engine's lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock.mdb"
    }


def test_a_copy_without_the_lock_is_checked_and_two_checks_run_at_once(
    log: StoredLog,
) -> None:
    lock_path(log.data, NAME).unlink(missing_ok=True)

    inspect_log(log.data, NAME, log.known, on_progress=lambda *_: None)
    assert not lock_path(log.data, NAME).exists()
    WriterLock(lock_path(log.data, NAME)).close()
    with lock_path(log.data, NAME).open("rb") as shared:
        fcntl.flock(shared, fcntl.LOCK_SH)
        (log.place / "data.mdb").write_bytes(b"")

        report = inspect_log(log.data, NAME, log.known)

    assert "is not a log's file" in report.problems[0].text


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path, log: StoredLog) -> None:
    with pytest.raises(NotInitialisedError):
        inspect_log(tmp_path, NAME, log.known)

    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("size", [0, 4096, 30 * 4096])
def test_a_file_cut_short_is_reported_and_ends_no_process(
    log: StoredLog, size: int
) -> None:
    os.truncate(log.place / "data.mdb", size)

    report = inspect_log(log.data, NAME, log.known)

    assert set(report.counts) == {Kind.STORE}
    assert not report.is_sound


def test_a_store_that_does_not_open_is_reported(log: StoredLog) -> None:
    with raw(log.place, META) as cursor:
        cursor.put(b"origin", b"")

    (problem,) = inspect_log(log.data, NAME, log.known).problems

    assert problem.kind is Kind.STORE
    assert "table meta" in problem.text


def test_a_store_of_a_newer_format_is_no_damage(log: StoredLog) -> None:
    with raw(log.place, META) as cursor:
        cursor.put(b"format", b"99")

    with pytest.raises(UsageError, match="newer version"):
        inspect_log(log.data, NAME, log.known)


def test_a_flipped_bit_of_what_is_stored_is_never_taken_for_sound(
    log: StoredLog,
) -> None:
    file = log.place / "data.mdb"
    sound = file.read_bytes()
    chance = random.Random(7)
    for _ in range(FLIPS):
        value = chance.choice([b"entry 7 of request 2", b"entry 290 of request 4"])
        damaged = bytearray(value)
        damaged[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
        file.write_bytes(sound.replace(value, damaged))  # also in pages not in use

        report = inspect_log(log.data, NAME, log.known)

        assert report.counts == {Kind.ENTRY: 1}


def test_a_bit_flipped_anywhere_is_named_or_was_not_in_use(log: StoredLog) -> None:
    file = log.place / "data.mdb"
    sound = file.read_bytes()
    whole = inspect_log(log.data, NAME, log.known)
    chance = random.Random(11)
    named = 0
    for _ in range(2 * FLIPS):
        at = chance.randrange(len(sound))
        damaged = bytearray(sound)
        damaged[at] ^= 1 << chance.randrange(8)
        file.write_bytes(damaged)

        try:
            report = inspect_log(log.data, NAME, log.known)
        except UsageError:  # the number of the format was hit
            named += 1
            continue

        named += not report.is_sound
        if report.is_sound:
            assert (report.size, report.root) == (whole.size, whole.root)

    assert named > 0
