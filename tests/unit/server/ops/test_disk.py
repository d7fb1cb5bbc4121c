"""A filesystem that another machine serves is refused, a local one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_server.errors import StoreError, UsageError
from tallystick_server.ops.disk import (
    check_filesystem,
    filesystem_of,
    free_bytes,
    share_filesystem,
)


def mounts(tmp_path: Path, *entries: tuple[str, str]) -> Path:
    """Write a table of mounts in the format of proc(5): (point, type)."""
    file = tmp_path / "mountinfo"
    lines = [
        f"{36 + at} 35 98:{at} / {point} rw,noatime shared:1 - {kind} /dev/x rw\n"
        for at, (point, kind) in enumerate(entries)
    ]
    file.write_text("".join(lines))
    return file


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse", "fuse.sshfs", "fuse.s3fs"],
)
def test_a_filesystem_from_elsewhere_is_refused(tmp_path: Path, kind: str) -> None:
    table = mounts(tmp_path, ("/", "ext4"), (str(tmp_path), kind))

    with pytest.raises(UsageError, match=f"lies on {kind}, .*use a local disk"):
        check_filesystem(tmp_path / "data", mounts=table)


@pytest.mark.parametrize(
    "kind",
    ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuse.fuse-overlayfs"],
)
def test_a_local_filesystem_is_taken(tmp_path: Path, kind: str) -> None:
    table = mounts(tmp_path, ("/", "nfs"), (str(tmp_path), kind))

    check_filesystem(tmp_path / "data", mounts=table)


def test_the_deepest_mount_counts_whatever_the_order(tmp_path: Path) -> None:
    table = mounts(
        tmp_path,
        (str(tmp_path / "a" / "b"), "nfs"),
        (str(tmp_path), "xfs"),
        ("/", "9p"),
    )

    assert filesystem_of(tmp_path / "a" / "b" / "c", mounts=table) == "nfs"
    assert filesystem_of(tmp_path / "a" / "bc", mounts=table) == "xfs"


def test_of_two_mounts_on_one_place_the_last_one_counts(tmp_path: Path) -> None:
    table = mounts(tmp_path, (str(tmp_path), "nfs"), (str(tmp_path), "ext4"))

    assert filesystem_of(tmp_path, mounts=table) == "ext4"


def test_a_place_with_a_space_is_found(tmp_path: Path) -> None:
    table = mounts(tmp_path, ("/", "ext4"), (f"{tmp_path}/my\\040disk", "nfs"))

    assert filesystem_of(tmp_path / "my disk" / "data", mounts=table) == "nfs"


def test_a_link_is_followed_to_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to("share")
    table = mounts(tmp_path, ("/", "ext4"), (str(tmp_path / "share"), "nfs"))

    assert filesystem_of(tmp_path / "link", mounts=table) == "nfs"


def test_where_nothing_is_known_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text("a line of another kind\n")

    check_filesystem(tmp_path, mounts=tmp_path / "missing")
    check_filesystem(tmp_path, mounts=tmp_path / "mountinfo")
    assert filesystem_of(tmp_path, mounts=tmp_path / "mountinfo") == ""


def test_free_bytes_are_those_of_the_disk(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0


def test_the_disk_of_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot look at"):
        free_bytes(tmp_path / "missing")


def test_two_files_of_one_folder_share_a_filesystem(tmp_path: Path) -> None:
    (tmp_path / "anchor").touch()

    assert share_filesystem(tmp_path / "anchor", tmp_path)


def test_two_filesystems_are_told_apart(tmp_path: Path) -> None:
    assert not share_filesystem(tmp_path, Path("/proc"))


def test_a_file_that_is_gone_has_no_filesystem(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot look at"):
        share_filesystem(tmp_path, tmp_path / "gone")
