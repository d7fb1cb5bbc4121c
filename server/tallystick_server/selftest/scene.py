"""One log of a drill with its witness: made, started, killed, set back.

Everything is done by the commands that an operator uses, in processes of their own.
Each start takes a free port; policy and configuration are written anew before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.errors import KernelError, UnreachableError
from tallystick_merkle.exchange.appending import LogAddress
from tallystick_merkle.exchange.witness import read_witness_head
from tallystick_merkle.policy import NO_QUORUM, Judged, Policy, judge, parse_policy
from tallystick_server.ops.disk import free_bytes
from tallystick_server.ops.peers import Peers
from tallystick_server.selftest.children import (
    Child,
    DrillError,
    Ended,
    Family,
    Programs,
)
from tallystick_server.selftest.ledger import Kind, Ledger
from tallystick_server.selftest.place import (
    LOG,
    ORIGIN,
    SERVER_MARGIN,
    WITNESS,
    Place,
)
from tallystick_server.selftest.report import Counts

_LISTEN = ("--listen", "127.0.0.1:0")
_USAGE = 2
_MISSING = "tallystick[witness]"


class Scene:
    """A log, its witness if there is one, and what they said."""

    def __init__(
        self,
        place: Place,
        family: Family,
        programs: Programs,
        *,
        peers: Peers,
        counts: Counts,
    ) -> None:
        """Name what will be made; `make` makes it."""
        self.place = place
        self.family = family
        self.peers = peers
        self.counts = counts
        self.ledger = Ledger()
        self.policy = Policy((), (), (), NO_QUORUM)
        self.has_witness = False
        self.shown: Judged | None = None
        """The checkpoint that was served last."""
        self._programs = programs
        self._vkey = ""
        self._witness_vkey: str | None = None
        self._token = ""
        self._server: Child | None = None
        self._witness: Child | None = None

    @property
    def address(self) -> LogAddress:
        """Where the log is served now."""
        assert self._server is not None
        url = self._server.url
        return LogAddress(ORIGIN, f"{url}/v1/logs/{LOG}", f"{url}/t/{LOG}", self._token)

    async def make(self) -> None:
        """Make the log and, where its extra is installed, the witness."""
        made = await self._made(
            *("init", "--data", self.place.data, "--log", LOG, "--origin", ORIGIN)
        )
        self._vkey, self._token = str(made["vkey"]), str(made["token"])
        self.counts.logs += 1
        await self._make_witness()

    async def start_witness(self) -> Ended | None:
        """Start the witness unless it runs; give how it ended if it does not."""
        program = self._programs.witness
        if not self.has_witness or program is None:
            return None
        if self._witness is not None and self._witness.is_alive:
            return None
        place = self.place
        self._witness = await self.family.start(
            *("witness", program, "serve", "--data", place.witness),
            *("--config", place.witness_config, *_LISTEN),
        )
        return await self._witness.wait_ready()

    async def start_server(self, *, has_anchor: bool) -> Ended | None:
        """Start the server; give how it ended if it does not serve."""
        self._server = await self._spawn(has_anchor=has_anchor)
        return await self._server.wait_ready()

    async def begin_server(self, *, has_anchor: bool) -> Child:
        """Start the server, and do not wait for it."""
        self._server = await self._spawn(has_anchor=has_anchor)
        return self._server

    async def stop_server(self) -> Ended:
        """Stop it in order."""
        assert self._server is not None
        return await self._server.stop()

    @property
    def is_serving(self) -> bool:
        """Whether the server runs."""
        return self._server is not None and self._server.is_alive

    async def kill_server(self) -> None:
        """Kill -9; that it had ended by itself before is a fault.

        Raises DrillError where it ended for lack of space.
        """
        assert self._server is not None
        if self._server.is_alive:
            self.counts.server_kills += 1
            await self._server.kill()
            return
        ended = await self._server.wait_end()
        if free_bytes(self.place.path) < SERVER_MARGIN:
            raise DrillError(f"the disk ran full meanwhile: the server {ended}")
        self.ledger.fault(Kind.RESTART, f"the server, not yet killed, {ended}")

    async def kill_witness(self) -> None:
        """Kill -9, if there is one that runs."""
        if self._witness is not None and self._witness.is_alive:
            self.counts.witness_kills += 1
            await self._witness.kill()

    async def fsck(self) -> None:
        """Check what is stored, in a process of its own: a bad disk may end it."""
        place = self.place
        ended = await self.family.call(
            *("fsck", self._programs.server, "fsck", "--data", place.data),
            *("--config", place.config, "--json"),
        )
        self.counts.fscks += 1
        if ended.code == 0:
            return
        told = ended.last_line
        with suppress(ValueError, KeyError, IndexError, TypeError):
            told = json.loads(ended.out)["logs"][0]["problems"][0]["text"]
        self.ledger.fault(Kind.STORED, f"fsck ended with {ended.code}: {told}")

    async def ask_witness(self) -> None:
        """Hold what the witness shows against what it answered before."""
        if self._witness is None or not _lives(self._witness):
            return
        try:
            note = await self.peers.drive(read_witness_head(self._witness.url, ORIGIN))
            self.ledger.note_witness(None if note is None else self._head_of(note))
        except UnreachableError as error:
            if _lives(self._witness):
                raise DrillError(f"the witness answers too late: {error}") from error
            self.ledger.fault(Kind.WITNESS, f"the witness is gone: {error}")
        except KernelError as error:
            self.ledger.fault(Kind.WITNESS, f"the witness shows no head: {error}")

    def judge(self, note: bytes) -> Judged:
        """Open a checkpoint of the log, and see who signed it."""
        return judge(note, self.policy, origin=ORIGIN)

    async def _spawn(self, *, has_anchor: bool) -> Child:
        place = self.place
        url = "" if self._witness is None else self._witness.url
        place.configure(
            vkey=self._vkey,
            witness_vkey=self._witness_vkey,
            url=url,
            has_anchor=has_anchor,
        )
        self.policy = parse_policy(place.policy.read_bytes())
        return await self.family.start(
            *("server", self._programs.server, "serve", "--data", place.data),
            *("--config", place.config, *_LISTEN),
        )

    async def _made(self, *words: object) -> Mapping[str, object]:
        """Run `server` words that make something; give the object it printed."""
        ended = await self.family.call(
            "init", self._programs.server, *map(str, words), "--json"
        )
        return _object_of(ended)

    async def _make_witness(self) -> None:
        program = self._programs.witness
        if program is None:
            return
        data = self.place.witness
        ended = await self.family.call(
            *("init", program, "init", "--data", data, "--name", WITNESS, "--json")
        )
        if ended.code == _USAGE and _MISSING in ended.last_line:
            return
        vkeys = _object_of(ended)["vkeys"]
        assert isinstance(vkeys, list)
        self._witness_vkey = str(vkeys[0])
        self.has_witness = True
        _object_of(
            await self.family.call(
                *("init", program, "add-log", "--data", data),
                *("--vkey", self._vkey, "--json"),
            )
        )

    def _head_of(self, note: bytes) -> Checkpoint:
        """Open what the witness shows; it must carry the witness's own line."""
        judged = self.judge(note)
        judged.require_met()
        return judged.opened.checkpoint


def _lives(child: Child) -> bool:
    """Whether a process runs now; it may have ended since it was asked last."""
    return child.is_alive


def _object_of(ended: Ended) -> Mapping[str, object]:
    """Read the object that a command printed; raise DrillError if it failed."""
    try:
        document = json.loads(ended.out) if ended.code == 0 else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise DrillError(f"the log or the witness could not be made: {ended}")
    return document
