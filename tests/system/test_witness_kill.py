"""kill -9 under load: a witness is never behind what it answered, nor beside it."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tallystick_merkle.cosignature import open_checkpoint, verify_line
from tallystick_merkle.keys import VerifierKey, format_vkey, parse_vkey
from tallystick_merkle.witnessing import parse_cosignatures, parse_size
from tests.system.stack import Daemon, run, run_json
from tests.unit.witness.world import LogTwin, ask

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]

KILLS = 8
LOGS = 4
LEAVES = 3000


@dataclass
class Ledger:
    """What the witness released: the root of each size, the largest size."""

    roots: dict[tuple[str, int], bytes] = field(default_factory=dict)
    largest: dict[str, int] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: int = 0
    reached: threading.Event = field(default_factory=threading.Event)

    def expect(self, answers: int) -> None:
        with self.lock:
            self.until = answers
            self.reached.clear()

    def note(self, log: LogTwin, size: int) -> None:
        root = log.tree.root(size)
        with self.lock:
            known = self.roots.setdefault((log.origin, size), root)
            if known != root or size < self.largest.get(log.origin, 0):
                self.conflicts.append(f"{log.origin} {size}")
            self.largest[log.origin] = size
            self.until -= 1
            if self.until <= 0:
                self.reached.set()


def post(link: http.client.HTTPConnection, body: bytes) -> tuple[int, bytes]:
    link.request("POST", "/add-checkpoint", body)
    answer = link.getresponse()
    return answer.status, answer.read()


def grow(
    listen: str, log: LogTwin, rival: LogTwin, key: VerifierKey, ledger: Ledger
) -> None:
    """Grow one log until the witness is gone; now and then try another history."""
    dice = random.Random(log.origin)
    link = http.client.HTTPConnection(listen, timeout=30)
    with closing(link):
        try:
            _, body = post(link, log.request(1, 1))
            old = parse_size(body)
            while old < LEAVES - 8:
                twin = rival if dice.random() < 0.3 and old else log
                new = old + dice.randrange(0 if twin is log else 1, 4)
                status, body = post(
                    link, ask(old, twin.proof(old, new), twin.note(new))
                )
                if status == 200:
                    (line,) = parse_cosignatures(body)
                    verify_line(twin.head(new), key, line)
                    ledger.note(twin, new)
                    old = new
        except (OSError, http.client.HTTPException):
            return


@contextmanager
def load(
    daemon: Daemon, pairs: list[tuple[LogTwin, LogTwin]], key: VerifierKey, book: Ledger
) -> Iterator[None]:
    threads = [
        threading.Thread(target=grow, args=(daemon.listen, log, rival, key, book))
        for log, rival in pairs
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()


def read_page(daemon: Daemon, log: LogTwin) -> bytes:
    link = http.client.HTTPConnection(daemon.listen, timeout=30)
    with closing(link):
        link.request("GET", f"/{log.place}/checkpoint")
        return link.getresponse().read()


def check_pages(
    daemon: Daemon, logs: list[LogTwin], key: VerifierKey, book: Ledger
) -> None:
    """After a start, every page is at or ahead of what was answered before."""
    for log in logs:
        if log.origin in book.largest:
            page = open_checkpoint(read_page(daemon, log), (log.vkey, key))
            size = page.checkpoint.size
            assert size >= book.largest[log.origin]
            assert page.checkpoint == log.head(size)


@pytest.mark.parametrize("anchored", [False, True], ids=["store", "anchor"])
def test_a_killed_witness_is_never_behind_what_it_answered(
    tmp_path: Path, anchored: bool
) -> None:
    data = tmp_path / "w"
    made = run_json("witness", "init", "--data", str(data), "--name", "w.example/1")
    key = parse_vkey(made["vkeys"][0])
    pairs = []
    for number in range(LOGS):
        origin = f"log{number}.example/log"
        pairs.append(
            (LogTwin(origin, size=LEAVES), LogTwin(origin, size=LEAVES, salt=b"fork"))
        )
        vkey = format_vkey(pairs[-1][0].vkey)
        run("witness", "add-log", "--data", str(data), "--vkey", vkey)
    words = ["witness", "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    if anchored:
        words += ["--anchor", str(tmp_path / "anchor")]
    book = Ledger()
    dice = random.Random(7)

    for _ in range(KILLS):
        daemon = Daemon(words, tmp_path / "errors")
        try:
            check_pages(daemon, [log for log, _ in pairs], key, book)
            book.expect(dice.randrange(20, 120))
            with load(daemon, pairs, key, book):
                assert book.reached.wait(timeout=60)
                daemon.kill()
        finally:
            if daemon.is_alive:
                daemon.kill()

    assert book.conflicts == []
    assert len(book.largest) == LOGS
    last = Daemon(words, tmp_path / "errors")
    assert last.stop() == 0
