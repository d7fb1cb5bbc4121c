"""The probes of a disk: this one passes, and what is amiss is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_server.selftest.disk import (
    judge_filesystem,
    judge_space,
    look_at_disk,
    probe_locks,
    probe_map,
    probe_replace,
)
from tallystick_server.selftest.report import Check, Result
from tallystick_server.selftest.second import EXCLUDED, main

MIB = 1024 * 1024


@pytest.mark.slow
def test_this_disk_does_what_it_must(tmp_path: Path) -> None:
    found = {check.check: check for check in look_at_disk(tmp_path)}

    assert list(found) == [
        "file system", "free space", "barriers", "write cache", "durable write",
        "O_DSYNC write", "locks", "memory map", "replace",
    ]  # fmt: skip
    assert Result.FAILED not in {check.result for check in found.values()}


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("ext4", Result.OK),
        ("xfs", Result.OK),
        ("tmpfs", Result.SUSPICIOUS),
        ("overlay", Result.SUSPICIOUS),
        ("", Result.NOT_TRIED),
    ],
)
def test_what_only_looks_like_a_disk_is_suspicious(kind: str, result: Result) -> None:
    assert judge_filesystem(kind).result is result


def test_little_free_space_is_suspicious() -> None:
    assert judge_space(600 * MIB, margin=256 * MIB).result is Result.OK
    assert judge_space(300 * MIB, margin=256 * MIB).result is Result.SUSPICIOUS


@pytest.mark.parametrize("kind", ["flock", "fcntl"])
def test_a_lock_that_nobody_holds_is_taken(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "lock"
    file.touch()

    assert main(kind, file) != EXCLUDED


def test_a_folder_that_is_not_there_is_a_failed_check(tmp_path: Path) -> None:
    found = {check.check: check.result for check in look_at_disk_without_room(tmp_path)}

    assert found["durable write"] is Result.FAILED
    assert found["locks"] is Result.FAILED


def look_at_disk_without_room(tmp_path: Path) -> list[Check]:
    """Probe a folder in which no file can be made: each name is taken by a folder."""
    for name in ("blocks", "lock", "map", "replaced.new"):
        (tmp_path / name).mkdir()
    return list(look_at_disk(tmp_path))


def test_each_probe_passes_here(tmp_path: Path) -> None:
    assert probe_map(tmp_path / "map").result is Result.OK
    assert probe_replace(tmp_path).result is Result.OK
    assert probe_locks(tmp_path / "lock").result is Result.OK
