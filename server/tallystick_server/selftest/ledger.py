"""What the log and the witness have said in a drill, and every contradiction in it.

The ledger takes answers as they come.  What contradicts an earlier one is a fault at
once; whether everything that was said is still true is judged after each restart, from
the entries that are served then (`judge_served`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.hashing import leaf_hashes
from tallystick_server.selftest.plan import Parcel

_LISTED = 5


class Kind(StrEnum):
    """What a fault is about; the value is the name of its check."""

    RESTART = "restart"
    STORED = "stored log"
    ACKED = "acked entries"
    RECEIPTS = "receipts"
    HEADS = "heads"
    REPEATS = "repeats"
    WITNESS = "witness"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it was promised."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Ack:
    """An answer to one parcel: its first index, and the signed head it came with."""

    parcel: Parcel
    first: int
    head: Checkpoint
    is_repeat: bool


@dataclass(slots=True)
class Ledger:
    """Everything that was said, by whom it was said to."""

    acks: dict[str, Ack] = field(default_factory=dict)
    heads: dict[int, bytes] = field(default_factory=dict)
    published: int = 0
    cosigned: int = 0
    faults: list[Fault] = field(default_factory=list)
    _offered: dict[bytes, str] = field(default_factory=dict)
    _leaves: dict[int, bytes] = field(default_factory=dict)

    @property
    def acked(self) -> int:
        """Entries that were acked."""
        return len(self._leaves)

    @property
    def size(self) -> int:
        """Largest size of which a signed head was seen."""
        return max(self.heads, default=0)

    def offer(self, parcel: Parcel) -> None:
        """Remember what is about to be sent: nothing else may ever be in the log."""
        for leaf in leaf_hashes(list(parcel.entries)):
            self._offered[leaf] = parcel.key

    def fault(self, kind: Kind, text: str) -> None:
        """Remember that something is wrong."""
        self.faults.append(Fault(kind, text))

    def note_ack(self, ack: Ack) -> None:
        """Take an answer whose receipt was checked."""
        self.note_head(ack.head)
        before = self.acks.setdefault(ack.parcel.key, ack)
        if before.first != ack.first:
            self.fault(
                Kind.REPEATS,
                f"request {ack.parcel.key} was answered with entry {before.first}, "
                f"and when it was repeated with entry {ack.first}",
            )
        for index, leaf in enumerate(leaf_hashes(list(ack.parcel.entries)), ack.first):
            if self._leaves.setdefault(index, leaf) != leaf:
                self.fault(
                    Kind.ACKED, f"two different entries were acked at index {index}"
                )

    def note_head(self, head: Checkpoint) -> None:
        """Take a head that the log signed and showed."""
        if self.heads.setdefault(head.size, head.root) != head.root:
            self.fault(
                Kind.HEADS,
                f"the log signed two roots for size {head.size}: "
                f"{self.heads[head.size].hex()} and {head.root.hex()}",
            )

    def note_published(self, head: Checkpoint, *, is_cosigned: bool) -> None:
        """Take a served checkpoint, and whether the witness's line is on it."""
        self.note_head(head)
        if head.size < self.published:
            self.fault(
                Kind.HEADS,
                f"a checkpoint of size {head.size} was served after one of size "
                f"{self.published}",
            )
        self.published = max(self.published, head.size)
        if is_cosigned:
            self.cosigned = max(self.cosigned, head.size)

    def note_witness(self, head: Checkpoint | None) -> None:
        """Take what the witness shows as its last cosigned head; None for never."""
        size = 0 if head is None else head.size
        if size < self.cosigned:
            self.fault(
                Kind.WITNESS,
                f"the witness shows size {size} and had cosigned size {self.cosigned}: "
                "it is behind what it answered",
            )
        if head is not None:
            self.cosigned = max(self.cosigned, size)
            self.note_head(head)

    def judge_served(self, leaves: Sequence[bytes], head: Checkpoint) -> None:
        """Hold all that was said against the log as it is served now.

        `leaves` are the hashes of the entries that are served, from 0 to the size of
        `head`, the served checkpoint.  The genesis entry at 0 is the log's own.
        """
        self.note_head(head)
        self.faults += self._judge_acked(leaves)
        self.faults += self._judge_heads(leaves)
        self.faults += self._judge_strangers(leaves)

    def _judge_acked(self, leaves: Sequence[bytes]) -> Iterable[Fault]:
        """Find acked entries that are gone, or are others now."""
        gone = [index for index in sorted(self._leaves) if index >= len(leaves)]
        if gone:
            yield Fault(
                Kind.ACKED,
                f"{len(gone)} acked entries are gone, from index {gone[0]} on; the log "
                f"has {len(leaves)}",
            )
        changed = [
            index
            for index, leaf in sorted(self._leaves.items())
            if index < len(leaves) and leaves[index] != leaf
        ]
        if changed:
            yield Fault(
                Kind.ACKED,
                f"{len(changed)} acked entries are not what was acked: index "
                f"{', '.join(map(str, changed[:_LISTED]))}",
            )

    def _judge_heads(self, leaves: Sequence[bytes]) -> Iterable[Fault]:
        """Find signed heads that are no prefix of the log as it is now."""
        edge = EMPTY_EDGE
        for size in sorted(self.heads):
            if size > len(leaves):
                yield Fault(
                    Kind.HEADS,
                    f"a head of size {size} was signed, the log has {len(leaves)} "
                    "entries now",
                )
                return
            edge = grow(edge, list(leaves[edge.size : size])).edge
            if edge.root() != self.heads[size]:
                yield Fault(
                    Kind.HEADS,
                    f"the head of size {size} was signed with root "
                    f"{self.heads[size].hex()}, the entries lead to "
                    f"{edge.root().hex()}",
                )
                return

    def _judge_strangers(self, leaves: Sequence[bytes]) -> Iterable[Fault]:
        """Find entries that nobody sent, and those that are there twice."""
        counted = Counter(leaves[1:])
        strangers = [
            index
            for index, leaf in enumerate(leaves)
            if index and leaf not in self._offered
        ]
        if strangers:
            yield Fault(
                Kind.ACKED,
                f"{len(strangers)} entries are served that nobody sent: index "
                f"{', '.join(map(str, strangers[:_LISTED]))}",
            )
        twice = sorted(
            {
                self._offered[leaf]
                for leaf, count in counted.items()
                if count > 1 and leaf in self._offered
            }
        )
        if twice:
            yield Fault(
                Kind.REPEATS,
                f"{len(twice)} requests were carried out twice: "
                f"{', '.join(twice[:_LISTED])}",
            )
