"""Older copies of disks, put back where they do not belong: what must be noticed.

A log that was set back knows less than others do of it.  That can be noticed only if
somebody remembers more than the copy: an anchor, or the witnesses of a published head.
Where nobody does (entries that were acked after the last published head, on a log
without an anchor), it cannot, and is not tried here: docs/threat-model.md says so.
"""

from __future__ import annotations

from hashlib import sha256

from tallystick_server.clock import SetClock
from tallystick_server.log.commit import Submission
from tallystick_server.log.keyring import KeySigner
from tallystick_server.log.startup import load_state
from tallystick_server.log.writer import Writer
from tallystick_server.storage.memory import MemoryStore
from tallystick_witness.store.memory import MemoryStore as WitnessStore
from tests.fakes.logs import log_key
from tests.sim.log_node import LogNode
from tests.sim.monitor import Monitor
from tests.sim.witness_node import WitnessNode, size_in


class SetBack:
    """Keeps copies, puts them in the place of the newest data, and undoes it."""

    def __init__(
        self, log: LogNode, witnesses: list[WitnessNode], monitor: Monitor
    ) -> None:
        """Begin without any copy."""
        self._log = log
        self._witnesses = witnesses
        self._monitor = monitor
        self._log_copy: MemoryStore | None = None
        self._witness_copies: dict[str, WitnessStore] = {}
        self._newest: MemoryStore | None = None
        self._newest_witnesses: dict[str, WitnessStore] = {}

    def keep_copies(self) -> None:
        """Copy every disk that holds its newest data."""
        if self._newest is None:
            self._log_copy = self._log.disk.snapshot()
        for node in self._witnesses:
            if node.name not in self._newest_witnesses:
                self._witness_copies[node.name] = node.disk.snapshot()

    def put_log_back(self, *, is_foreign: bool) -> bool:
        """Put the older copy in place, grown on its own if `is_foreign`; if possible.

        Gives whether it was done: somebody has to remember more than the copy.
        """
        disk, copy = self._log.disk, self._log_copy
        if copy is None or self._newest is not None:
            return False
        held, stored = copy.load().head.size, disk.store.load()
        published = stored.published.size if stored.published else 0
        anchored = disk.anchored[0] if disk.anchored else 0
        if held >= max(published, anchored):
            return False
        self._log.kill()
        self._newest, self._log_copy = disk.store, None
        disk.store = copy
        if is_foreign:
            self._grow(copy, stored.head.size + 1)
        self._monitor.is_set_back = True
        self._monitor.note("set back", held, "foreign" if is_foreign else "older")
        return True

    def undo_log(self) -> None:
        """Bring the newest data of the log back."""
        if self._newest is None:
            return
        self._log.kill()
        self._log.disk.store, self._newest = self._newest, None
        self._monitor.is_set_back = False
        self._monitor.note("brought back", self._log.name)

    def put_witness_back(self, node: WitnessNode) -> bool:
        """Put an older copy of a witness in place; its anchor remembers more."""
        copy = self._witness_copies.pop(node.name, None)
        if copy is None or node.name in self._newest_witnesses:
            return False
        if (size_in(copy) or 0) >= (node.disk.size() or 0):
            return False  # it is not older
        node.kill()
        self._newest_witnesses[node.name] = node.disk.store
        node.disk.store = copy
        self._monitor.note("set back", node.name)
        return True

    def undo_witness(self, node: WitnessNode) -> None:
        """Bring the newest data of a witness back."""
        newest = self._newest_witnesses.pop(node.name, None)
        if newest is not None:
            node.kill()
            node.disk.store = newest
            self._monitor.note("brought back", node.name)

    def undo_all(self) -> None:
        """Bring all newest data back."""
        self.undo_log()
        for node in self._witnesses:
            self.undo_witness(node)

    def _grow(self, store: MemoryStore, size: int) -> None:
        """Grow another history under the log's own key, up to a size."""
        signer = KeySigner(log_key())
        state, _ = load_state(store, signer.key)
        clock = SetClock(wall_ms=state.head.time_ms)
        writer = Writer(
            store=store, signer=signer, state=state, clock=clock, anchor=None
        )
        for at in range(state.head.size, size):
            entry = b"another history %d" % at
            digest = sha256(entry).digest()
            writer.commit([Submission(b"other %d" % at, digest, (entry,))])
