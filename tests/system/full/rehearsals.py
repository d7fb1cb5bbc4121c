"""What happens on a disk that is full, rehearsed on filesystems of 64 MB and less.

    python -m tests.system.full.rehearsals SCRATCH NAME

To be run by `loops.alone`.  Each rehearsal asserts what it finds, and prints one JSON
object: how many entries or heads were acked and held against what is stored.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

from tallystick_merkle.errors import RefusedError
from tallystick_merkle.exchange.base import Request, Response
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.keys import format_vkey
from tallystick_merkle.policy import judge, parse_policy
from tests.system.drive import drive, fetch
from tests.system.full.served import Served
from tests.system.patience import until
from tests.system.power.loops import make_ext4, make_file, mounted
from tests.system.stack import Daemon, run
from tests.unit.witness.world import LogTwin, ask

MIB = 1 << 20
DISK = 64 * MIB
ANCHOR_DISK = MIB
SMALL = 200
"""Bytes of an entry of a rehearsal that does not fill the disk by entries."""


def ballast(disk: Path, count: int) -> Path:
    """Take space away."""
    path = disk / "ballast"
    path.write_bytes(b"b" * count)
    return path


def fill_up(disk: Path) -> Path:
    """Take all the space away."""
    path = disk / "ballast"
    with path.open("ab", buffering=0) as file:
        for piece in (MIB, 4096, 512, 1):
            try:
                while file.write(b"b" * piece) == piece:
                    pass
            except OSError:
                continue
    return path


def floor(scratch: Path) -> int:
    """At the floor 507 comes before a promise; with space again, entries are taken."""
    image = make_file(scratch / "image", DISK)
    make_ext4(image)
    with mounted(image, scratch / "disk") as disk:
        served = Served(scratch, disk / "data")
        with closing(served):
            served.configure(f"disk_margin_bytes = {24 * MIB}")
            freed = ballast(disk, 20 * MIB)
            assert served.start()
            error = served.fill()
            assert isinstance(error, RefusedError)
            assert error.status == HTTPStatus.INSUFFICIENT_STORAGE, error
            assert "disk-full" in error.code, error.code
            assert error.retry_after_s
            size = served.check_served()  # reads go on
            assert size == len(served.acked) + 1  # and what was refused is not there
            assert not served.try_append(SMALL)
            freed.unlink()
            assert until(lambda: served.try_append(SMALL))
            assert served.check_served() == size + 1
            assert served.stop() == 0
        served.fsck()
        return len(served.acked)


def commit(scratch: Path) -> int:
    """The disk fills in a commit: the process ends; nothing that was acked is lost."""
    image = make_file(scratch / "image", DISK)
    make_ext4(image)
    with mounted(image, scratch / "disk") as disk:
        served = Served(scratch, disk / "data")
        with closing(served):
            served.configure("disk_margin_bytes = 0")
            freed = ballast(disk, 30 * MIB)
            assert served.start()
            served.fill()
            assert served.wait() == 5
            reason = served.reason("signing stopped")
            assert reason.startswith("the commit of size "), reason
            assert reason.endswith("bytes free"), reason
            acked = len(served.acked)
            assert served.fsck() == acked + 1  # beside nobody, on the full disk
            assert served.start()  # and so does a start, which reads
            assert served.check_served() == acked + 1
            served.fill()
            assert served.wait() == 5
            freed.unlink()
            assert served.start()
            assert served.check_served() == len(served.acked) + 1
            served.append()
            assert served.stop() == 0
        served.fsck()
        return len(served.acked)


def anchor(scratch: Path) -> int:
    """The anchor's disk is full: no head is released, and none is lost."""
    image = make_file(scratch / "image", ANCHOR_DISK)
    make_ext4(image, "-b", "1024", "-O", "^has_journal")
    with mounted(image, scratch / "disk") as disk:
        served = Served(scratch, scratch / "data")
        with closing(served):
            served.configure(log=[f'anchor = "{disk}/anchor"'])
            assert served.start()
            served.append(SMALL)
            freed = fill_up(disk)
            served.fill(SMALL)
            assert served.wait() == 5
            assert "anchor" in served.reason("signing stopped")
            acked = len(served.acked)
            assert not served.start()  # the anchor must be written before anything
            code = served.wait()
            assert code in (2, 5), served.last_line()
            assert served.last_line().startswith("tallystick server: cannot use the")
            freed.unlink()
            assert served.start()
            size = served.check_served()  # at most the one head that was not released
            assert size in (acked + 1, acked + 2)
            head = judge(
                drive(TileReader(served.address.read_url).checkpoint()),
                parse_policy(served.policy_text.encode()),
            )
            assert head.opened.checkpoint.size <= size
            served.append(SMALL)
            assert served.stop() == 0
        served.fsck()
        return len(served.acked)


def witness(scratch: Path) -> int:
    """Below its floor a witness signs nothing; with space again it goes on alone."""
    image = make_file(scratch / "image", DISK)
    make_ext4(image)
    with mounted(image, scratch / "disk") as disk:
        data = disk / "w"
        run("witness", "init", "--data", str(data), "--name", "full.example/w")
        log = LogTwin("full.example/log", size=64)
        run("witness", "add-log", "--data", str(data), "--vkey", format_vkey(log.vkey))
        config = scratch / "witness.toml"
        config.write_text(
            f'[witness]\ndata = "{data}"\nmin_free_mib = 24\nlisten = "127.0.0.1:0"\n',
            encoding="utf-8",
        )
        daemon = Daemon(
            ["witness", "serve", "--config", str(config)], scratch / "errors"
        )

        def cosigns(old: int, new: int) -> bool:
            body = ask(old, log.proof(old, new), log.note(new))
            reply = fetch(Request("POST", f"{daemon.url}/add-checkpoint", body))
            assert isinstance(reply, Response), reply
            assert reply.status in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE)
            return reply.status == HTTPStatus.OK

        try:
            assert cosigns(0, 1)
            freed = fill_up(disk)
            assert not cosigns(1, 2)
            assert not cosigns(1, 1)
            page = fetch(Request("GET", f"{daemon.url}/{log.place}/checkpoint"))
            assert isinstance(page, Response)
            assert b"\n1\n" in page.body
            freed.unlink()
            assert cosigns(1, 2)
            assert daemon.stop() == 0
        finally:
            if daemon.is_alive:
                daemon.kill()
        return 2


REHEARSALS: dict[str, Callable[[Path], int]] = {
    one.__name__: one for one in (floor, commit, anchor, witness)
}


if __name__ == "__main__":
    done = REHEARSALS[sys.argv[2]](Path(sys.argv[1]))
    sys.stdout.write(json.dumps(done) + "\n")
