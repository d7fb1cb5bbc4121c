"""The real witness process over a copy of its data: asked, hit, started again, checked.

What runs is `tallystick witness serve` as it is installed, with two keys and an anchor.
A run has it cosign heads of two logs, refresh one, and refuse another history, of which
it keeps evidence; the calls of all that, the start and the stop are the points.

After the hit it is started again, untouched.  Before it is asked anything, it must hold
every head that it ever answered with.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tallystick_merkle.cosignature import open_checkpoint, verify_line
from tallystick_merkle.errors import KernelError
from tallystick_merkle.keys import VerifierKey, format_vkey, parse_vkey
from tallystick_merkle.witnessing import parse_cosignatures, parse_size
from tallystick_witness.anchor import FileAnchor
from tallystick_witness.operating import open_table
from tallystick_witness.store.files import check_structure
from tests.system.crash.calls import Call, Point
from tests.system.crash.ends import judge_end
from tests.system.crash.process import Traced
from tests.system.stack import run, run_json
from tests.unit.witness.world import LogTwin, ask

NAME = "witness.example/crash"
LEAVES = 64

FIRST = LogTwin("first.example/log", size=LEAVES)
SECOND = LogTwin("second.example/log", size=LEAVES)
RIVAL = LogTwin("first.example/log", size=LEAVES, salt=b"another history")
LOGS = (FIRST, SECOND)

_ANSWER_S = 30


@dataclass
class Told:
    """What the witness answered, by log and size, and all that is wrong.

    `sizes` is the size it was last seen at, from answers of any kind.
    """

    roots: dict[tuple[str, int], set[bytes]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def cosigned(self, twin: LogTwin, size: int) -> None:
        """Keep a head that was cosigned."""
        self.roots.setdefault((twin.origin, size), set()).add(twin.tree.root(size))
        self.sizes[twin.origin] = size

    def largest(self, twin: LogTwin) -> int:
        """The largest size of a log that was cosigned; -1 if none was."""
        return max(
            (size for name, size in self.roots if name == twin.origin), default=-1
        )


@dataclass
class Home:
    """One place with a witness, and what it told."""

    place: Path
    keys: tuple[VerifierKey, ...]
    told: Told = field(default_factory=Told)

    def copy(self, place: Path) -> Home:
        """Copy everything to another place."""
        shutil.copytree(self.place, place)
        told = Told({at: set(r) for at, r in self.told.roots.items()})
        told.sizes.update(self.told.sizes)
        return Home(place, self.keys, told)

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.place / "data"

    @property
    def anchor(self) -> Path:
        """Its anchor."""
        return self.place / "other" / "anchor"

    def serve(
        self,
        *,
        point: Point | None = None,
        listing: bool = False,
        program: Sequence[str] | None = None,
    ) -> Traced:
        """Start it here."""
        words = [
            "witness", "serve", "--data", str(self.data), "--listen", "127.0.0.1:0",
            "--anchor", str(self.anchor),
        ]  # fmt: skip
        return Traced(
            words, place=self.place, point=point, listing=listing, program=program
        )


def new_home(place: Path) -> Home:
    """Make a witness that has never served."""
    (place / "other").mkdir(parents=True)
    data = str(place / "data")
    made = run_json("witness", "init", "--data", data, "--name", NAME, "--type", "both")
    for twin in LOGS:
        run("witness", "add-log", "--data", data, "--vkey", format_vkey(twin.vkey))
    return Home(place, tuple(map(parse_vkey, made["vkeys"])))


class Asker:
    """Asks a witness, and keeps what it answers."""

    def __init__(self, home: Home, process: Traced) -> None:
        """Wait until it listens, or has ended."""
        self._home = home
        self._told = home.told
        self._process = process
        self.url = process.listens()
        self.refused: list[str] = []

    def grow(self, twin: LogTwin, size: int) -> bool:
        """Ask for a cosignature, from the size that it was last seen at."""
        status = self._add(twin, size)
        if status == 409 and self._told.sizes[twin.origin] <= size:
            status = self._add(twin, size)
        return status == 200

    def _add(self, twin: LogTwin, size: int) -> int | None:
        """Make one request, and keep what it says; give the status."""
        old = self._told.sizes.get(twin.origin, 0)
        proof = twin.proof(old, size)
        answer = self._fetch("POST", "/add-checkpoint", old, proof, twin, size)
        if answer is None:
            return None
        status, body = answer
        if status == 200:
            self._take(twin, size, body)
        else:
            self.refused.append(f"{twin.origin} {size}: {status} {body!r}")
        if status == 409:
            self._told.sizes[twin.origin] = parse_size(body)
        return status

    def lie(self, size: int) -> None:
        """Show another history of the first log, once it has one."""
        old = self._told.sizes.get(RIVAL.origin, 0)
        if self._told.largest(RIVAL) < 1 or old > size:
            return
        proof = RIVAL.proof(old, size)
        answer = self._fetch("POST", "/add-checkpoint", old, proof, RIVAL, size)
        if answer is not None and answer[0] == 200:
            self._told.wrong.append(f"it cosigned another history at size {size}")

    def page(self, twin: LogTwin) -> int | None:
        """Read the head that it shows of a log; give its size, 0 for none."""
        answer = self._fetch("GET", f"/{twin.place}/checkpoint")
        if answer is None:
            return None
        status, body = answer
        if status == 404:
            return 0
        if status != 200:
            return None
        try:
            opened = open_checkpoint(body, (twin.vkey, *self._home.keys))
        except KernelError as error:
            self._told.wrong.append(f"its page of {twin.origin}: {error}")
            return None
        size = opened.checkpoint.size
        if opened.checkpoint != twin.head(size):
            self._told.wrong.append(f"its page of {twin.origin} is of another history")
        self._told.cosigned(twin, size)
        return size

    def _take(self, twin: LogTwin, size: int, body: bytes) -> None:
        """Verify the lines of an answer."""
        try:
            lines = parse_cosignatures(body)
            for key, line in zip(self._home.keys, lines, strict=True):
                verify_line(twin.head(size), key, line)
        except (KernelError, ValueError) as error:
            self._told.wrong.append(f"{twin.origin} {size}: {error}")
        self._told.cosigned(twin, size)

    def _fetch(  # all keyword-only but the first two
        self,
        method: str,
        path: str,
        old: int = 0,
        proof: tuple[bytes, ...] = (),
        twin: LogTwin = FIRST,
        size: int = 0,
    ) -> tuple[int, bytes] | None:
        """Make a request; None when no answer came."""
        if self.url is None or not self._process.is_alive:
            return None
        body = ask(old, proof, twin.note(size)) if method == "POST" else None
        link = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_ANSWER_S)
        with closing(link):
            try:
                link.request(method, path, body)
                answer = link.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                return None


def first_run(asker: Asker) -> None:
    """Cosign, refresh, refuse and keep evidence, and show."""
    asker.grow(FIRST, 3)
    asker.grow(SECOND, 1)
    for size in (4, 8, 13, 13):
        asker.grow(FIRST, size)
    asker.lie(13)
    asker.page(FIRST)
    for size in (7, 20, 21):
        asker.grow(SECOND, size)
    asker.lie(17)
    asker.grow(FIRST, 30)
    asker.page(SECOND)


def second_run(asker: Asker) -> None:
    """What a log does after a crash of its witness: it asks again, and goes on."""
    for twin in LOGS:
        asker.page(twin)
        asker.grow(twin, 33)
    asker.lie(33)
    asker.grow(FIRST, 34)


def list_calls(home: Home, *, second: bool = False) -> list[Call]:
    """Do a run in which nothing is hit; give its calls."""
    with home.serve(listing=True) as process:
        asker = Asker(home, process)
        (second_run if second else first_run)(asker)
        assert process.stop() == 0, process.said()
        assert asker.refused == []
        return process.calls()


def hit(
    home: Home,
    point: Point,
    *,
    second: bool = False,
    program: Sequence[str] | None = None,
) -> bool:
    """Do a run in which a point is hit; give whether it was reached."""
    with home.serve(point=point, program=program) as process:
        try:
            asker = Asker(home, process)
            (second_run if second else first_run)(asker)
            process.stop()
        except subprocess.TimeoutExpired:
            home.told.wrong.append("it hangs")
            return True
        home.told.wrong += judge_end(process)
        return process.was_hit()


def recover(home: Home) -> list[str]:
    """Start again untouched; give all that is wrong, before or after."""
    told = home.told
    with home.serve() as process:
        asker = Asker(home, process)
        if asker.url is None:
            return [*told.wrong, f"it does not start again: {process.said()}"]
        for twin in LOGS:
            least = told.largest(twin)
            if (shown := asker.page(twin)) is None or shown < least:
                told.wrong.append(f"{twin.origin}: answered {least}, shows {shown}")
        asker.lie(40)
        for twin in LOGS:
            if not asker.grow(twin, 41) or asker.page(twin) != 41:
                told.wrong.append(f"it cosigns nothing new: {asker.refused}")
        if process.stop() != 0:
            told.wrong.append(f"it does not stop well: {process.said()}")
    told.wrong += [f"two roots at {at}" for at, r in told.roots.items() if len(r) > 1]
    _check_stored(home)
    return told.wrong


def _check_stored(home: Home) -> None:
    """What is on the disks: the store, its evidence, the anchor."""
    check_structure(home.data / "store")
    with open_table(home.data) as store:
        heads = {log.origin: log.head for log in store.logs()}
        store.evidence()
    anchor = FileAnchor(home.anchor, name=NAME)
    latest = anchor.latest
    anchor.close()
    for twin in LOGS:
        head = heads[twin.origin]
        if head is None or latest.get(twin.place) != (head.size, head.root):
            home.told.wrong.append(
                f"the anchor does not hold the head of {twin.origin}"
            )
