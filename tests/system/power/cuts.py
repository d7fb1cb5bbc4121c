"""Cut the power of a whole machine, again and again, and have judged what is left.

    python -m tests.system.power.cuts SCRATCH WAY EPOCHS SNAPSHOTS SEED

A filesystem lies in a file on an XFS that can share blocks.  A server, a witness and
their anchors write into it; at random moments a random part of the dirty pages is
written back and the file is cloned, which is one moment of the disk.  The clone is
mounted, so that the journal is replayed, and everything is opened as a start would.

WAY is `server`, or how a program of the test commits to a store (see `program`).  An
epoch is the life of one machine from an empty disk on; they take turns with ext4, ext4
that writes data after their names, and XFS.  To be run by `loops.alone`; prints one
JSON object: how many verdicts of each kind, and those that are bad.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.system.power.judge import SOUND
from tests.system.power.judging import Judge
from tests.system.power.living import ServerLoad
from tests.system.power.loops import clone, make_ext4, make_file, make_xfs, mounted
from tests.system.power.recorded import PROGRAM

XFS_BYTES = 4 << 30
DISK_BYTES = 320 << 20
DISKS = (("ext4", ""), ("ext4", "data=writeback"), ("xfs", "nouuid"))
"""Kinds of filesystems, and with what options they are mounted."""


_PIPE_SIZE = 4096
_SET_PIPE_SIZE = 1031
_WRITE_NOW = 2  # SYNC_FILE_RANGE_WRITE: begin, and do not wait
_JUDGES = 2

Jobs = Callable[[], list[dict[str, Any]]]
"""Gives what has been promised by now, for the judge, without the place."""


class ProgramLoad:
    """The program of the test, which commits as fast as it is listened to."""

    def __init__(self, place: Path, way: str) -> None:
        """Start it on an empty folder, and wait for its first commit."""
        store = place / "store"
        store.mkdir()
        command = [sys.executable, "-m", PROGRAM, str(store), "1000000", way]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        fcntl.fcntl(self._lines, _SET_PIPE_SIZE, _PIPE_SIZE)
        self._size = 0
        self.wait(1)

    def wait(self, acks: int) -> None:
        """Listen to some more acks."""
        for _ in range(acks):
            self._size = int(self._lines.readline())

    def jobs(self) -> list[dict[str, Any]]:
        """What has been promised."""
        return [{"kind": "store", "size": self._size}]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._lines.close()


class Cuts:
    """Takes snapshots of one disk and has them judged while the load goes on."""

    def __init__(self, xfs: Path, chance: random.Random) -> None:
        """Work on a mounted XFS."""
        self._xfs = xfs
        self._chance = chance
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._pool = ThreadPoolExecutor(_JUDGES)
        self._free: SimpleQueue[Judge] = SimpleQueue()
        self._room = threading.Semaphore(2 * _JUDGES)
        for _ in range(_JUDGES):
            self._free.put(Judge())
        self.verdicts: Counter[str] = Counter()
        self.bad: list[str] = []

    def close(self) -> None:
        """End the judges."""
        self._pool.shutdown()
        for _ in range(_JUDGES):
            self._free.get().close()

    def epoch(self, number: int, snapshots: int, way: str) -> None:
        """Take snapshots of one machine from its beginning on."""
        kind, options = DISKS[number % len(DISKS)]
        image = make_file(self._xfs / f"disk-{number}", DISK_BYTES)
        (make_ext4 if kind == "ext4" else make_xfs)(image)
        waiting: list[Future[None]] = []
        submit = self._pool.submit
        machine = self._xfs / f"machine-{number}"
        with mounted(image, machine, options=options) as disk:
            load = ServerLoad(disk) if way == "server" else ProgramLoad(disk, way)
            try:
                for turn in range(snapshots):
                    load.wait(self._chance.randrange(12))
                    self._write_back(disk)
                    self._room.acquire()
                    jobs = load.jobs()  # before the moment, so all of it must be held
                    snapshot = self._xfs / f"snapshot-{number}-{turn}"
                    clone(image, snapshot)
                    waiting.append(submit(self._judge, snapshot, options, jobs))
            finally:
                load.close()
        for future in waiting:
            future.result()
        image.unlink()

    def _write_back(self, disk: Path) -> None:
        """Have random ranges of random files written, in no order that they ask for."""
        files = [file for file in disk.rglob("*") if file.is_file()]
        for file in self._chance.choices(files, k=self._chance.randrange(4)):
            with file.open("rb") as opened:
                size = os.fstat(opened.fileno()).st_size
                start = self._chance.randrange(size + 1) & ~4095
                count = self._chance.randrange(1, size + 4096)
                self._libc.sync_file_range(
                    opened.fileno(),
                    ctypes.c_int64(start),
                    ctypes.c_int64(count),
                    ctypes.c_uint(_WRITE_NOW),
                )

    def _judge(self, snapshot: Path, options: str, jobs: list[dict[str, Any]]) -> None:
        """Mount a snapshot, which replays its journal, and have it judged."""
        judge = self._free.get()
        try:
            folder = snapshot.with_name(f"{snapshot.name}.d")
            with mounted(snapshot, folder, options=options) as place:
                found = [judge.ask({**job, "place": str(place)}) for job in jobs]
        finally:
            self._free.put(judge)
            self._room.release()
        snapshot.unlink()
        for job, verdict in zip(jobs, found, strict=True):
            self.verdicts[f"{job['kind']}: {verdict.partition(':')[0]}"] += 1
            if verdict != SOUND:
                self.bad.append(f"{snapshot.name}, {job['kind']}: {verdict}")


@contextmanager
def cutting(scratch: Path, seed: int) -> Iterator[Cuts]:
    """Make the XFS, and clear it away."""
    image = make_file(scratch / "xfs", XFS_BYTES)
    make_xfs(image)
    with ExitStack() as stack:
        stack.callback(image.unlink)
        xfs = stack.enter_context(mounted(image, scratch / "xfs.d"))
        cuts = Cuts(xfs, random.Random(seed))
        stack.callback(cuts.close)
        yield cuts


def main(scratch: Path, way: str, epochs: int, snapshots: int, seed: int) -> None:
    """Run the epochs, one after the other, and report."""
    with cutting(scratch, seed) as cuts:
        for number in range(epochs):
            cuts.epoch(number, snapshots, way)
        report = {"verdicts": dict(cuts.verdicts), "bad": cuts.bad}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6]))
