"""A server and a witness at work on a disk, and all that they have promised so far."""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from tallystick_merkle.errors import RefusedError, UnreachableError
from tallystick_merkle.exchange.appending import LogAddress, append_batch, append_entry
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.keys import KeyType, format_vkey
from tallystick_merkle.policy import judge, parse_policy
from tallystick_server.clock import SystemClock
from tallystick_server.log.create import create_log
from tallystick_server.log.tokenfile import add_token
from tallystick_witness.clock import SystemClock as WitnessClock
from tallystick_witness.operating import add_log, initialise, open_table
from tests.system.drive import drive
from tests.system.power.judge import LOG, ORIGIN, WITNESS
from tests.system.stack import Daemon

_WORKERS = 3


class ServerLoad:
    """The real processes, with their stores and anchors on one disk, under load."""

    def __init__(self, disk: Path) -> None:
        """Make a log and a witness, start both, and begin to append."""
        self._disk = disk
        (disk / "anchor").mkdir()
        created = create_log(
            disk / "data",
            name=LOG,
            origin=ORIGIN,
            recovery=None,
            clock=SystemClock(),
            draw_seed=lambda: secrets.token_bytes(32),
        )
        token = add_token(
            disk / "data", log=LOG, clock=SystemClock(), draw=secrets.token_bytes
        )
        vkey = format_vkey(created.key)
        identity = initialise(disk / "w", name=WITNESS, types=[KeyType.COSIGNATURE])
        with open_table(disk / "w") as table:
            add_log(table, vkey=vkey, origin=None, reopen=False, clock=WitnessClock())
        self._daemons: list[Daemon] = []
        witness = self._start("witness", "--data", f"{disk}/w", "--anchor",
                              f"{disk}/anchor/w")  # fmt: skip
        text = f"log {vkey}\nwitness w {identity.vkeys[0]} {witness.url}\nquorum w\n"
        self._policy = parse_policy(text.encode())
        server = self._start("server", "--config", str(self._configure(text)))
        url = server.url
        self._address = LogAddress(
            ORIGIN, f"{url}/v1/logs/{LOG}", f"{url}/t/{LOG}", token.text
        )
        self._entries: dict[int, str] = {}
        self._heads: dict[int, str] = {}
        self._cosigned: list[Any] = []
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._append, args=(number,))
            for number in range(_WORKERS)
        ]
        self._threads.append(threading.Thread(target=self._watch))
        for thread in self._threads:
            thread.start()

    def wait(self, acks: int) -> None:
        """Wait for some more acks, and a moment longer."""
        with self._changed:
            wanted = len(self._entries) + acks
            assert self._changed.wait_for(
                lambda: len(self._entries) >= wanted, timeout=60
            )

    def jobs(self) -> list[dict[str, Any]]:
        """What has been promised by now."""
        with self._changed:
            log = {
                "kind": "log",
                "made": True,
                "anchored": True,
                "entries": dict(self._entries),
                "heads": dict(self._heads),
                "tokens": {},
            }
            witness = {
                "kind": "witness",
                "made": True,
                "anchored": True,
                "followed": [ORIGIN],
                "cosigned": {ORIGIN: self._cosigned} if self._cosigned else {},
            }
        return [log, witness]

    def close(self) -> None:
        """End the load and kill the processes."""
        self._stop.set()
        for daemon in self._daemons:
            daemon.kill()
        for thread in self._threads:
            thread.join()

    def _start(self, house: str, *words: str) -> Daemon:
        daemon = Daemon(
            [house, "serve", *words, "--listen", "127.0.0.1:0"],
            self._disk / f"{house}.log",
        )
        self._daemons.append(daemon)
        return daemon

    def _configure(self, policy: str) -> Path:
        (self._disk / "policy").write_text(policy, encoding="utf-8")
        config = self._disk / "server.toml"
        config.write_text(
            f'[server]\ndata = "{self._disk}/data"\ndisk_margin_bytes = 0\n'
            f'[logs.{LOG}]\npolicy = "{self._disk}/policy"\n'
            f'anchor = "{self._disk}/anchor/log"\npublish_interval_s = 0.05\n',
            encoding="utf-8",
        )
        return config

    def _append(self, worker: int) -> None:
        """Append entry after entry, a batch now and then."""
        number = 0
        while not self._stop.is_set():
            number += 1
            entry = b"entry %d of worker %d " % (number, worker)
            key = f"{worker}-{number}"
            with suppress(UnreachableError, RefusedError):
                self._append_one(number, entry, key)

    def _append_one(self, number: int, entry: bytes, key: str) -> None:
        address, policy = self._address, self._policy
        if number % 16 == 0:
            batch = [entry + b"%d" % at for at in range(20)]
            done = drive(
                append_batch(address, batch, policy=policy, key=key, retry=NO_RETRY)
            )
            acked = dict(enumerate(done.leaves, done.first))
        else:
            entry *= 1 + number * 37 % 100
            one = drive(
                append_entry(address, entry, policy=policy, key=key, retry=NO_RETRY)
            )
            acked = {one.index: one.leaf}
        with self._changed:
            for index, leaf in acked.items():
                self._entries[index] = leaf.hex()
            self._changed.notify_all()

    def _watch(self) -> None:
        """Look at what is served: heads that the witness has cosigned."""
        reader = TileReader(self._address.read_url)
        while not self._stop.is_set():
            with suppress(UnreachableError, RefusedError):
                seen = judge(drive(reader.checkpoint()), self._policy)
                size, root = seen.opened.checkpoint.size, seen.opened.checkpoint.root
                with self._changed:
                    self._heads[size] = root.hex()
                    self._cosigned = [size, root.hex()]
