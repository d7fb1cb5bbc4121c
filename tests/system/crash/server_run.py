"""The real server process over a copy of a log: driven, hit, started again, checked.

What runs is `tallystick server serve` as it is installed, with an anchor and one
witness (see `inside`).  A run appends, waits for publishing, appends for a witnessed
receipt, appends a batch, repeats a request, and stops the server; the calls of all
that, the start and the stop are the points.

After the hit the server is started again, untouched, and everything that anybody was
ever told is held against it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tallystick_merkle.errors import (
    KernelError,
    PolicyNotMetError,
    RefusedError,
    UnreachableError,
)
from tallystick_merkle.exchange.appending import (
    LogAddress,
    append_batch,
    append_entry,
)
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.keys import parse_vkey
from tallystick_merkle.receipt import Status
from tallystick_merkle.tile import bundles_of
from tests.system.crash.book import Book
from tests.system.crash.calls import Point
from tests.system.crash.inside import Desk, Inside, policy_of, policy_text
from tests.system.crash.process import Traced
from tests.system.drive import drive
from tests.system.stack import LOG, ORIGIN, run_json

T = TypeVar("T")

GROWN = 253
"""Entries of the log that has some already: the next ones fill its first tile."""

_LOOKS = 400
_SOON_S = 3.0


@dataclass
class Case:
    """One place with a log, its witness, and what was told of it."""

    place: Path
    url: str
    desk: Desk
    vkey: str
    token: str
    inside: Inside
    book: Book

    def copy(self, place: Path) -> Case:
        """Copy everything to another place."""
        shutil.copytree(self.place, place)
        case = Case(
            place,
            self.url,
            self.desk,
            self.vkey,
            self.token,
            Inside(self.inside.log, self.inside.last()),
            deepcopy(self.book),
        )
        case.configure()
        return case

    def configure(self) -> None:
        """Write what names the place."""
        (self.place / "policy").write_text(policy_text(self.vkey, self.url), "utf-8")
        (self.place / "server.toml").write_text(
            f'[server]\ndata = "{self.place}/data"\nlisten = "127.0.0.1:0"\n'
            f"disk_margin_bytes = 0\nwait_max_s = 5.0\n[logs.{LOG}]\n"
            f'policy = "{self.place}/policy"\nanchor = "{self.place}/other/anchor"\n'
            "publish_interval_s = 0.05\n",
            "utf-8",
        )
        self.desk.inside = self.inside

    def serve(
        self,
        *,
        point: Point | None = None,
        listing: bool = False,
        program: Sequence[str] | None = None,
    ) -> Traced:
        """Start the server here."""
        self.desk.inside = self.inside
        words = ["server", "serve", "--config", str(self.place / "server.toml")]
        return Traced(
            words, place=self.place, point=point, listing=listing, program=program
        )


def new_case(place: Path, *, url: str, desk: Desk) -> Case:
    """Make a log that was never served."""
    (place / "other").mkdir(parents=True)
    made = run_json(
        "server", "init", "--data", str(place / "data"), "--log", LOG,
        "--origin", ORIGIN,
    )  # fmt: skip
    key = parse_vkey(made["vkey"])
    case = Case(place, url, desk, made["vkey"], made["token"], Inside(key), Book(key))
    case.configure()
    return case


def grown_case(new: Case, place: Path) -> Case:
    """Make a log whose first tile is almost full."""
    case = new.copy(place)
    with case.serve() as server:
        client = Client(case, server)
        assert client.is_up, server.said()
        client.batch("grown", [b"grown %d" % number for number in range(GROWN)])
        client.settle()
        assert server.stop() == 0
    return case


class Client:
    """Appends and reads, and keeps what it is told; a failure is kept too."""

    def __init__(self, case: Case, server: Traced) -> None:
        """Wait until the server listens, or has ended."""
        self._book = case.book
        self._server = server
        self._policy = policy_of(case.vkey, case.url)
        self.url = server.listens()
        base = self.url or ""
        self._log = LogAddress(
            ORIGIN, f"{base}/v1/logs/{LOG}", f"{base}/t/{LOG}", case.token
        )
        self.failures: list[str] = []
        self._was_repeat = False

    @property
    def is_up(self) -> bool:
        """Whether it ever listened."""
        return self.url is not None

    def entry(self, key: str, *, wait: str = "durable") -> Status | None:
        """Append the one entry of a key; give what its receipt proves."""
        entry = b"entry of " + key.encode()
        self._book.tried[key] = (entry,)

        def append() -> Status:
            got = drive(
                append_entry(
                    self._log, entry, policy=self._policy, key=key, wait=wait,
                    timeout_s=_SOON_S * 10, retry=NO_RETRY,
                )
            )  # fmt: skip
            self._book.see_entry(key, entry, got.receipt)
            self._was_repeat = got.is_repeat
            return got.status

        return self._try(append)

    def batch(self, key: str, entries: Sequence[bytes]) -> None:
        """Append some entries under one key."""
        self._book.tried[key] = tuple(entries)

        def append() -> None:
            got = drive(
                append_batch(
                    self._log, entries, policy=self._policy, key=key, retry=NO_RETRY
                )
            )
            for at in {0, len(entries) - 1}:
                self._book.receipts.append((entries[at], got.receipt(at)))
            self._book.see(got.checkpoint)
            self._book.ack(key, got.index(0))
            self._was_repeat = got.is_repeat

        self._try(append)

    def repeat(self, key: str) -> None:
        """Make the request of a key again; what was acked must be there already."""
        entries, was_acked = self._book.tried[key], key in self._book.acked
        self._was_repeat = True
        if entries == (b"entry of " + key.encode(),):
            self.entry(key)
        else:
            self.batch(key, entries)
        if was_acked and not self._was_repeat:
            self._book.wrong.append(f"{key} was acked, and was not there")

    def look(self) -> int:
        """Read the published checkpoint; give its size, 0 if there is none to see."""
        reader = TileReader(self._log.read_url, retry=NO_RETRY)
        return self._try(lambda: self._book.see(drive(reader.checkpoint()))) or 0

    def settle(self) -> None:
        """Wait until what was acked is published, or the server has ended."""
        wanted = max(self._book.roots, default=0)
        for _ in range(_LOOKS):
            if self.look() >= wanted or not self._server.is_alive:
                return

    def entries(self) -> list[bytes]:
        """Read every entry below the published head."""
        reader = TileReader(self._log.read_url, retry=NO_RETRY)
        size = self.look()
        bundles = drive(reader.entries(bundles_of(0, size, size)))
        return [entry for bundle in bundles for entry in bundle]

    def _try(self, step: Callable[[], T]) -> T | None:
        """Do a step while the server runs; what it refuses or loses is no finding."""
        if not self.is_up or not self._server.is_alive:
            return None
        try:
            return step()
        except (UnreachableError, RefusedError, PolicyNotMetError) as error:
            self.failures.append(str(error))
        except KernelError as error:
            self._book.wrong.append(f"an answer does not verify: {error}")
        return None
