from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_server.selftest.device import (
    Mount,
    find_mount,
    judge_cache,
    judge_mount,
    look_at_device,
)
from tallystick_server.selftest.report import Result

TABLE = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 254:16 / /srv rw - xfs /dev/vdb rw,nobarrier,attr2
not a line of the table
29 27 0:21 / /proc rw - proc proc rw
"""


def test_a_mount_is_found_by_its_device() -> None:
    assert find_mount(TABLE, "254:0") == Mount("/dev/vda", frozenset({"rw", "discard"}))
    assert find_mount(TABLE, "254:1") is None
    assert find_mount("", "254:0") is None


@pytest.mark.parametrize(
    ("number", "result"),
    [
        ("254:0", Result.OK),
        ("254:16", Result.SUSPICIOUS),
        ("9:9", Result.NOT_TRIED),
    ],
)
def test_a_mount_without_barriers_is_suspicious(number: str, result: Result) -> None:
    check = judge_mount(find_mount(TABLE, number))

    assert check.result is result
    assert ("nobarrier" in check.why) is (result is Result.SUSPICIOUS)


def test_the_kind_of_cache_is_told_as_far_as_it_is_known() -> None:
    assert judge_cache("write back").result is Result.OK
    assert judge_cache("write through").result is Result.OK
    assert judge_cache("").result is Result.NOT_TRIED


def test_looking_at_a_real_directory_tells_both(tmp_path: Path) -> None:
    names = [check.check for check in look_at_device(tmp_path)]

    assert names == ["barriers", "write cache"]
