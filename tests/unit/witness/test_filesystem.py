"""Network file systems are told from local ones by the list of mounts."""

from pathlib import Path, PurePosixPath

import pytest

from tallystick_witness.errors import StoreError, UsageError
from tallystick_witness.filesystem import (
    check_local,
    drop_cache,
    find_type,
    is_remote,
    make_folder,
    sync_file,
    sync_folder,
)

MOUNTINFO = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:40 / /srv rw,relatime shared:2 master:7 - nfs4 host:/export rw
23 22 8:2 / /srv/local rw - xfs /dev/sdb1 rw
24 21 0:41 / /mnt/with\\040space rw - cifs //host/share rw
25 21 0:42 / /over rw - nfs host:/a rw
26 21 0:43 / /over rw - tmpfs tmpfs rw
not a line of mountinfo
27 21 0:44 - fuse.sshfs cut short
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/data/store", "nfs4"),
        ("/srvdata", "ext4"),
        ("/srv/local/store", "xfs"),
        ("/mnt/with space/x", "cifs"),
        ("/over/x", "tmpfs"),
    ],
)
def test_the_nearest_latest_mount_decides(path: str, kind: str) -> None:
    assert find_type(MOUNTINFO, PurePosixPath(path)) == kind


def test_without_mounts_nothing_is_known() -> None:
    assert find_type("", PurePosixPath("/srv")) == ""


@pytest.mark.parametrize(
    ("kind", "remote"),
    [
        ("nfs", True),
        ("nfs4", True),
        ("cifs", True),
        ("smb3", True),
        ("fuse.sshfs", True),
        ("fuse", True),
        ("fuseblk", False),
        ("ext4", False),
        ("overlay", False),
        ("", False),
    ],
)
def test_network_file_systems_are_known(kind: str, remote: bool) -> None:
    assert is_remote(kind) is remote


def test_a_local_folder_passes(tmp_path: Path) -> None:
    check_local(tmp_path)


def test_a_folder_on_a_network_is_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("21 1 0:40 / / rw - nfs4 host:/ rw\n", encoding="utf-8")

    with pytest.raises(UsageError, match="nfs4"):
        check_local(tmp_path, mounts=mounts)


def test_where_no_mounts_are_listed_nothing_is_refused(tmp_path: Path) -> None:
    check_local(tmp_path, mounts=tmp_path / "nothing")


def test_syncing_and_dropping_keep_the_bytes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"kept")

    sync_file(file)
    sync_folder(tmp_path)
    drop_cache(file)

    assert file.read_bytes() == b"kept"


def test_what_cannot_be_written_out_is_a_store_error() -> None:
    with pytest.raises(StoreError, match="written out"):
        drop_cache(Path("/dev/null"))


def test_a_folder_is_made_with_what_is_missing_above_it(tmp_path: Path) -> None:
    place = tmp_path / "one" / "two"

    make_folder(place, mode=0o700)
    make_folder(place, mode=0o755)

    assert place.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="exists"):
        make_folder(tmp_path / "file", mode=0o700)
