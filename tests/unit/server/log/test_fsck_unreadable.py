"""What cannot be read is named; what is committed meanwhile is no problem."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import iter_unpack, unpack_from

import pytest

from tallystick_server.clock import SetClock
from tallystick_server.log.findings import Kind
from tallystick_server.log.fsck import check_log
from tallystick_server.storage.environment import open_environment
from tallystick_server.storage.lmdb import MAP_BYTES, LmdbStore
from tallystick_server.storage.records import (
    HEADS,
    PUBLISHED,
    pack_index,
    pack_row_key,
)
from tests.unit.server.log.stored_logs import (
    SIZE,
    StoredLog,
    grow_log,
    opened,
)


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        (b"principal\0key 1", {Kind.STORE, Kind.KEY}),
        (pack_row_key(0, 0), {Kind.STORE, Kind.ROW}),
        (pack_index(SIZE), {Kind.STORE, Kind.HEAD, Kind.ENTRY}),
        (pack_index(0), {Kind.ENTRY}),
        (PUBLISHED, {Kind.STORE, Kind.PUBLISHED}),
    ],
    ids=["keys", "rows", "heads", "entries", "meta"],
)
def test_pages_that_cannot_be_read_are_named_and_the_check_goes_on(
    log: StoredLog, key: bytes, kinds: set[Kind]
) -> None:
    with opened(log.place) as store:  # what is read at opening is still whole
        zero_leaf_pages(log.place / "data.mdb", key)
        report = check_log(store, log.known)

    assert kinds <= set(report.counts)


def zero_leaf_pages(file: Path, key: bytes) -> None:
    """Overwrite each leaf page that holds a key."""
    data = file.read_bytes()
    with file.open("r+b") as target:
        for start in range(2 * 4096, len(data), 4096):
            if key in keys_of_leaf(data[start : start + 4096]):
                target.seek(start)
                target.write(bytes(4096))


def keys_of_leaf(page: bytes) -> list[bytes]:
    """Read the keys of a leaf page of LMDB 0.9; of another page none."""
    _, _, flags, lower, _ = unpack_from("<QHHHH", page)
    if flags != 2:
        return []
    keys = []
    for (at,) in iter_unpack("<H", page[16:lower]):
        (size,) = unpack_from("<H", page, at + 6)
        keys.append(page[at + 8 : at + 8 + size])
    return keys


def test_what_is_committed_at_any_moment_is_no_problem(log: StoredLog) -> None:
    store = Growing(open_environment(log.place, read_only=False, map_bytes=MAP_BYTES))
    store.log = log

    report = check_log(store, log.known)

    assert report.problems == ()
    assert (report.size, store.load().head.size) == (SIZE, 2 * SIZE - 1)
    store.close()


class Growing(LmdbStore):
    """A store that grows when its heads are read for the second time."""

    log: StoredLog
    scans = 0

    def scan(
        self, table: bytes, *, start: bytes = b""
    ) -> Iterator[tuple[bytes, bytes]]:
        self.scans += table == HEADS
        if self.scans == 2 and table == HEADS:
            grow_log(self, self.log, SetClock(wall_ms=2_000_000_000_000), keys_from=100)
        return super().scan(table, start=start)


def test_what_is_committed_meanwhile_is_no_problem(log: StoredLog) -> None:
    with opened(log.place) as store:
        grown: list[int] = []

        def grow(done: int, size: int) -> None:
            grow_log(store, log, SetClock(wall_ms=2_000_000_000_000), keys_from=100)
            grown.append(store.load().head.size)

        report = check_log(store, log.known, on_progress=grow)

    assert grown == [2 * SIZE - 1]
    assert report.problems == ()
    assert (report.size, report.keys) == (SIZE, 8)
    assert log.check().problems == ()
