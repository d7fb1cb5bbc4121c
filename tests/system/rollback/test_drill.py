"""Bad starts of a log: each refuses to sign, with one line and its exit code (R8)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import cosign, sign_checkpoint
from tallystick_merkle.exchange.base import Request, Response
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.keys import KeyType, format_vkey, make_signing_key
from tallystick_merkle.note import format_note
from tallystick_server.clock import SetClock, SystemClock
from tallystick_server.config.model import LogSettings
from tallystick_server.log.anchor import format_mark
from tallystick_server.log.commit import Submission
from tallystick_server.log.create import create_log
from tallystick_server.log.digests import entry_digest
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import Published
from tallystick_server.storage.lmdb import open_store
from tallystick_server.wiring.opening import open_for_writing
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.drive import fetch
from tests.system.loopback import Asked, Loopback, answer
from tests.system.stack import LOG, ORIGIN, Daemon, run

pytestmark = [pytest.mark.system, pytest.mark.slow]

KEY = make_signing_key(name=ORIGIN, type=KeyType.ED25519, seed=b"k" * 32)
WITNESS = make_signing_key(name="w.example", type=KeyType.COSIGNATURE, seed=b"w" * 32)
OTHER_ROOT = b"o" * 32
HOUR_MS = 3_600_000


@dataclass
class Bench:
    """A log of three entries, and a witness that shows `shown`."""

    place: Path
    shown: bytes = b""
    has_witness: bool = False
    closing: ExitStack = field(default_factory=ExitStack)
    size: int = 1
    root: bytes = b""

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def store(self) -> Path:
        return self.data / "logs" / LOG / "log.lmdb" / "data.mdb"

    @property
    def anchor(self) -> Path:
        return self.place / "anchor"

    @property
    def config(self) -> Path:
        return self.place / "server.toml"

    def make(self) -> None:
        seeds = iter([b"k" * 32, b"n" * 32, b"r" * 32])
        create_log(
            self.data,
            name=LOG,
            origin=ORIGIN,
            recovery=None,
            clock=SystemClock(),
            draw_seed=lambda: next(seeds),
        )
        self.grow(2)
        self.configure()

    def grow(self, count: int, *, ahead_ms: int = 0) -> None:
        """Append entries, as a server whose clock is ahead would."""
        clock = SetClock(SystemClock().now_ms() + ahead_ms)
        opened = open_for_writing(self.data, LOG, LogSettings(), clock=clock)
        try:
            assert opened.signer is not None
            writer = Writer(
                store=opened.store,
                signer=opened.signer,
                state=opened.state,
                clock=clock,
                anchor=None,
            )
            for _ in range(count):
                entry = b"entry %d" % writer.state.head.size
                writer.commit([Submission(entry, entry_digest(entry), (entry,))])
            self.size, self.root = writer.state.head.size, writer.state.head.root
        finally:
            opened.close()

    def configure(self, *log: str) -> None:
        lines = ["[server]", f'data = "{self.data}"', f"[logs.{LOG}]", *log, ""]
        self.config.write_text("\n".join(lines), encoding="utf-8")

    def ask_witness(self, url: str) -> None:
        policy = self.place / "policy"
        policy.write_text(
            f"log {format_vkey(KEY.verifier)}\n"
            f"witness w {format_vkey(WITNESS.verifier)} {url}\nquorum w\n",
            encoding="utf-8",
        )
        self.configure(f'policy = "{policy}"')

    def witness_shows(self, size: int, root: bytes) -> None:
        """Let a witness show a head under our key, cosigned by itself."""
        checkpoint = Checkpoint(ORIGIN, size, root)
        line = cosign(checkpoint, WITNESS, time_s=SystemClock().now_ms() // 1000)
        self.shown = format_note(
            sign_checkpoint(checkpoint, KEY).with_signatures([line])
        )
        self.ask_witness(self.closing.enter_context(Loopback(self._script)).url)

    async def _script(self, asked: Asked) -> AsyncIterator[bytes]:
        assert asked.method == "GET"  # nothing is submitted
        yield answer(self.shown)

    def words(self, *extra: str) -> list[str]:
        listen = ("--listen", "127.0.0.1:0")
        return ["server", "serve", "--config", str(self.config), *listen, *extra]


def empty(bench: Bench) -> None:
    bench.store.write_bytes(b"")


def missing(bench: Bench) -> None:
    bench.store.unlink()


def wrong_key(bench: Bench) -> None:
    other = Bench(bench.place / "other")
    seeds = iter([b"x" * 32, b"y" * 32, b"z" * 32])
    create_log(
        other.data,
        name=LOG,
        origin=ORIGIN,
        recovery=None,
        clock=SystemClock(),
        draw_seed=lambda: next(seeds),
    )
    key = f"{LOG}.skey"
    shutil.copy(other.data / "keys" / key, bench.data / "keys" / key)


def older_copy(bench: Bench) -> None:
    shutil.copytree(bench.data, bench.place / "older")
    bench.grow(1)
    size, root = bench.size, bench.root
    shutil.rmtree(bench.data)
    shutil.move(bench.place / "older", bench.data)
    bench.witness_shows(size, root)


def witness_ahead(bench: Bench) -> None:
    bench.witness_shows(9, OTHER_ROOT)


def witness_elsewhere(bench: Bench) -> None:
    bench.witness_shows(3, OTHER_ROOT)


def witness_behind(bench: Bench) -> None:
    """Let a witness show less than it gave us for what is published."""
    bench.witness_shows(bench.size, bench.root)
    store = open_store(bench.store.parent)
    first = leaf_hash(store.read_entries(0, 1)[0])
    store.publish(Published(bench.size, bench.shown, SystemClock().now_ms()))
    store.close()
    bench.witness_shows(1, first)


def silent(bench: Bench) -> None:
    bench.ask_witness("http://127.0.0.1:1")


def anchored(size: int, root: bytes) -> Callable[[Bench], None]:
    def prepare(bench: Bench) -> None:
        bench.anchor.write_bytes(format_mark(ORIGIN, (size, root)))
        bench.configure(f'anchor = "{bench.anchor}"')

    return prepare


def clock_back(bench: Bench) -> None:
    bench.grow(1, ahead_ms=HOUR_MS)


# What is wrong, how it is prepared, the exit code (None: it serves reads and waits),
# what the line says, and whether `--read-only` serves the log.
CASES: list[tuple[str, Callable[[Bench], None], int | None, str, bool]] = [
    ("an older copy", older_copy, 1, "under our key, we hold only 3", True),
    ("witnesses silent", silent, None, "no quorum of witnesses has confirmed", True),
    ("a witness behind", witness_behind, None, "but cosigned our published size", True),
    ("data.mdb empty", empty, 1, "it is no log; restore a backup", False),
    ("data.mdb missing", missing, 1, "the log's data are gone", False),
    ("another key", wrong_key, 2, "the log was not made with this key", True),
    ("a witness ahead", witness_ahead, 1, "size 9 under our key", True),
    ("a witness at another root", witness_elsewhere, 1, "our root there is", True),
    ("the anchor ahead", anchored(4, OTHER_ROOT), 1, "it was set back", True),
    ("the anchor at another root", anchored(3, OTHER_ROOT), 1, "another history", True),
    ("the clock set back", clock_back, 4, "behind the log's last head", True),
]
QUICK = 2


def faults(case: int, place: Path) -> list[str]:
    """Start on one bad state; say what was wrong with how it was refused."""
    name, prepare, code, line, is_readable = CASES[case]
    bench = Bench(place)
    place.mkdir()
    bench.make()
    found = []
    with bench.closing:
        prepare(bench)
        if code is None:
            found += waits(bench, line)
        else:
            done = run(*bench.words(), check=False)
            if done.returncode != code or line not in done.stderr:
                found.append(f"{name}: {done.returncode} {done.stderr}")
            if len([one for one in done.stderr.splitlines() if one[:1] != "{"]) != 1:
                found.append(f"{name}: more than one line: {done.stderr}")
            if done.stdout:
                found.append(f"{name}: it listened")
        if is_readable:
            daemon = Daemon(bench.words("--read-only"), place / "read-only.log")
            tile = fetch(Request("GET", f"{daemon.url}/t/{LOG}/tile/0/000.p/3"))
            if not isinstance(tile, Response) or tile.status != 200:
                found.append(f"{name}: reads are not served: {tile}")
            daemon.stop()
    return found


def waits(bench: Bench, line: str) -> list[str]:
    """Start a server that must serve reads and sign nothing."""
    daemon = Daemon(bench.words(), bench.place / "server.log")
    health = fetch(Request("GET", f"{daemon.url}/healthz"))
    ready = fetch(Request("GET", f"{daemon.url}/readyz"))
    tile = fetch(Request("GET", f"{daemon.url}/t/{LOG}/tile/0/000.p/3"))
    daemon.stop()
    assert isinstance(health, Response)
    assert isinstance(ready, Response)
    assert isinstance(tile, Response)
    if (ready.status, tile.status) == (503, 200) and line.encode() in health.body:
        return []
    return [f"it signs, or says another thing: {ready.status} {health.body!r}"]


@pytest.mark.row("R8")
@pytest.mark.timeout(300)
def test_every_bad_start_of_a_log_is_refused(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    cases = range(form.pick(quick=QUICK, ci=len(CASES), long=len(CASES)))
    found = {CASES[case][0]: faults(case, tmp_path / str(case)) for case in cases}
    bad = {name: said for name, said in found.items() if said}

    figures.record("bad starts of a log, refused", tried=len(found), bad=len(bad))
    assert bad == {}


@pytest.mark.row("R19")
def test_a_start_up_check_that_is_skipped_is_caught(
    tmp_path: Path, figures: Figures
) -> None:
    bench = Bench(tmp_path)
    bench.make()
    with bench.closing:
        older_copy(bench)
        program = [sys.executable, "-m", "tests.system.rollback.unchecked_server"]
        server = subprocess.Popen(
            [*program, str(bench.config)], stdout=subprocess.PIPE, text=True
        )
        with server:
            assert server.stdout is not None
            line = server.stdout.readline()
            server.kill()

    is_caught = line.startswith("listening on ")  # the drill wants exit code 1
    figures.record(
        "planted: the start-up check is skipped",
        tried=1,
        bad=int(not is_caught),
        note="caught by the older copy of the rollback drill",
    )
    assert is_caught
