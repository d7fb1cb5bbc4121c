"""Who watches: every rule that must hold after every step of a simulated world.

    committed     the store took a step: it stands on the one before, its root is that
                  of an independent tree over all entries so far, and none came twice
    released      a head was seen outside its process: it is stored, and is a prefix
    cosigned      a witness let a cosignature out: its disk holds that head, or a later
    acked         a client checked an answer: its entry is where it was said to be,
                  once, and after everything that was acked before it was sent
    served        what is published never goes back, and meets the policy
    shown         a witness never shows less than it showed before

A broken rule is a Violation, with the time and what was seen.  The history of all that
happened is hashed: the same seed must give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import open_log_checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.policy import Policy, judge
from tallystick_server.storage.base import Commit, LogStore
from tests.reference.rfc6962 import leaf as leaf_of
from tests.reference.rfc6962 import node

EMPTY = sha256(b"").digest()


class Violation(Exception):  # noqa: N818 -- what the whole simulation looks for
    """A rule was broken."""


@dataclass(slots=True)
class Acked:
    """An entry that a client holds a checked receipt for."""

    key: str
    index: int
    leaf: bytes
    sent_s: float
    acked_s: float


@dataclass(slots=True)
class Monitor:
    """Holds what the world may believe, and compares."""

    key: VerifierKey
    policy: Policy
    time_s: Callable[[], float]
    leaves: list[bytes] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=lambda: [EMPTY])
    acks: dict[str, Acked] = field(default_factory=dict)
    broken: list[Violation] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    _peaks: list[tuple[int, bytes]] = field(default_factory=list)
    is_set_back: bool = False
    _known: set[bytes] = field(default_factory=set)
    _served: int = 0
    _shown: dict[str, int] = field(default_factory=dict)
    _committed_ms: int = 0
    _highest_acked: list[tuple[float, int]] = field(default_factory=list)
    _history: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Entries that are durable."""
        return len(self.leaves)

    @property
    def history(self) -> str:
        """SHA-256 of everything that happened, in order."""
        return sha256("\n".join(self._history).encode()).hexdigest()

    def note(self, event: str, *facts: object) -> None:
        """Write down what happened."""
        self.counts[event] = self.counts.get(event, 0) + 1
        words = " ".join(map(str, facts))
        self._history.append(f"{self.time_s():.6f} {event} {words}")

    def fail(self, rule: str, found: str) -> None:
        """Report a broken rule; the world ends with the first one."""
        self.broken.append(Violation(f"at {self.time_s():.3f} s: {rule}: {found}"))

    def require(self, holds: bool, rule: str, found: str) -> None:
        """Report unless a rule holds."""
        if not holds:
            self.fail(rule, found)

    def committed(self, commit: Commit) -> None:
        """The store took a step."""
        self.note("commit", commit.head.size, commit.head.root.hex()[:16])
        self.require(
            commit.parent_size == self.size,
            "a commit stands on the last one",
            f"parent {commit.parent_size}, stored {self.size}",
        )
        self.require(
            not self.is_set_back, "a log that was set back never commits", "it did"
        )
        self.require(
            commit.head.time_ms >= self._committed_ms,
            "the time of a head never goes back",
            f"{commit.head.time_ms} after {self._committed_ms}",
        )
        self._committed_ms = commit.head.time_ms
        for entry in commit.entries:
            self.grow(leaf_of(entry))
        self.require(
            commit.head.size == self.size and commit.head.root == self.roots[-1],
            "a committed head is the root of all entries",
            f"size {commit.head.size}, entries {self.size}",
        )

    def stored(self, store: LogStore) -> None:
        """A process starts: what it finds is what was stored."""
        if self.is_set_back:
            return
        size = store.load().head.size
        found = [leaf_of(entry) for entry in store.read_entries(0, size)]
        self.require(
            found == self.leaves,
            "a start finds all that was stored",
            f"{size} entries, {self.size} were stored",
        )

    def released(self, note: bytes, where: str) -> Checkpoint | None:
        """A signed head was seen outside of its process."""
        try:
            seen = open_log_checkpoint(
                note, origin=self.key.name, log_keys=[self.key]
            ).checkpoint
        except KernelError as error:
            self.fail("a released head verifies", f"{where}: {error}")
            return None
        self.note("released", where, seen.size)
        known = self.roots[seen.size] if seen.size <= self.size else None
        self.require(
            known == seen.root,
            "a released head is durable, and one of one history",
            f"{where}: size {seen.size} of {self.size}, root {seen.root.hex()[:16]}",
        )
        return seen

    def cosigned(self, witness: str, size: int, durable: int | None) -> None:
        """A witness let a cosignature out; its disk holds a head of size `durable`."""
        self.note("cosigned", witness, size)
        self.require(
            durable is not None and durable >= size,
            "no cosignature without persistence",
            f"{witness}: cosigned {size}, holds {durable}",
        )

    def served(self, note: bytes, size: int) -> None:
        """A checkpoint was served."""
        self.require(
            size >= self._served or self.is_set_back,
            "what is published never goes back",
            f"{size} after {self._served}",
        )
        self._served = max(self._served, size)
        judged = judge(note, self.policy)
        self.require(
            judged.is_met, "what is published meets the policy", f"size {size}"
        )

    def shown(self, witness: str, size: int) -> None:
        """A witness showed what it cosigned last."""
        before = self._shown.get(witness, 0)
        self.require(
            size >= before,
            "what a witness shows never goes back",
            f"{witness}: {size} after {before}",
        )
        self._shown[witness] = max(size, before)

    def acked(self, key: str, first: int, leaves: Sequence[bytes], sent: float) -> None:
        """A client has checked an answer to entries that it sent under one key."""
        now_s = self.time_s()
        self.note("acked", key, first, len(leaves))
        for place, leaf in enumerate(leaves):
            self._acked(Acked(f"{key}/{place}", first + place, leaf, sent, now_s))

    def missing(self) -> list[str]:
        """Name what was acked and is not in the log."""
        return [
            f"{ack.key} at {ack.index}"
            for ack in self.acks.values()
            if ack.index >= self.size or self.leaves[ack.index] != ack.leaf
        ]

    def _acked(self, ack: Acked) -> None:
        known = self.acks.setdefault(ack.key, ack)
        self.require(
            known.index == ack.index,
            "one key, one place",
            f"{ack.key} at {known.index} and {ack.index}",
        )
        self.require(
            ack.index < self.size and self.leaves[ack.index] == ack.leaf,
            "what is acked is durable",
            f"{ack.key} at {ack.index} of {self.size}",
        )
        if known is not ack:
            return
        before = [top for at, top in self._highest_acked if at < ack.sent_s]
        self.require(
            not before or max(before[-1:]) < ack.index,
            "what is sent after an ack comes after it in the log",
            f"{ack.key} at {ack.index}, acked before it was sent: {before[-1:]}",
        )
        top = max(ack.index, self._highest_acked[-1][1] if self._highest_acked else -1)
        self._highest_acked.append((ack.acked_s, top))

    def grow(self, leaf: bytes) -> None:
        """Add a leaf to an independent tree: peaks that merge when they are equal."""
        self.require(
            leaf not in self._known,
            "what is sent again under its key is logged once",
            f"entry {self.size} is in the log already",
        )
        self._known.add(leaf)
        self.leaves.append(leaf)
        self._peaks.append((1, leaf))
        while len(self._peaks) > 1 and self._peaks[-1][0] == self._peaks[-2][0]:
            (count, right), (_, left) = self._peaks.pop(), self._peaks.pop()
            self._peaks.append((2 * count, node(left, right)))
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = node(peak, root)
        self.roots.append(root)
