"""What the client's methods return, beside the kernel's Appended and AppendedBatch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tallystick_merkle.exchange.events import EventRefusal, Kept
from tallystick_merkle.policy import Judged
from tallystick_merkle.receipt import Receipt, Status


@dataclass(frozen=True, slots=True)
class Head:
    """The newest head that can be believed.

    `served_size` is the size of the head that the log served; where that is smaller
    than the head believed before, the believed one is given and `is_stale` is true.
    """

    judged: Judged
    served_size: int

    @property
    def size(self) -> int:
        """Size of the believed head in leaves."""
        return self.judged.opened.checkpoint.size

    @property
    def root(self) -> bytes:
        """Root of the believed head."""
        return self.judged.opened.checkpoint.root

    @property
    def is_stale(self) -> bool:
        """Whether the log served an older head than the one believed."""
        return self.served_size < self.size

    @property
    def cosigners(self) -> tuple[str, ...]:
        """Names of the policy's witnesses that cosigned it."""
        return tuple(found.key.name for found in self.judged.cosigners)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Receipts that became witnessed, and those that have to wait for a later head."""

    head: Head
    upgraded: tuple[Receipt, ...]
    waiting: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry and a checked receipt for it, made from tiles."""

    entry: bytes
    leaf: bytes
    receipt: Receipt
    status: Status


@dataclass(frozen=True, slots=True)
class Audited:
    """A log re-hashed up to a head: from `start` (where the last audit ended) on."""

    head: Head
    start: int

    @property
    def checked(self) -> int:
        """Number of entries hashed by this audit."""
        return self.head.size - self.start


@dataclass(frozen=True, slots=True)
class Unproven:
    """An event of which only the log says that it is there, at `index`, and erased.

    It has no receipt: no leaf was ever checked to be its own.
    """

    event_id: str
    index: int


@dataclass(frozen=True, slots=True)
class SubmittedEvents:
    """A batch of events, by position in it: what is in the log, and what is not.

    Every event that is in the log has its checked receipt, those that were there
    before too.  What is `unproven` is neither in the log nor refused, as far as anybody
    but the log can tell.
    """

    kept: Mapping[int, Kept]
    refusals: Mapping[int, EventRefusal]
    receipts: Mapping[int, Receipt]
    statuses: Mapping[int, Status]
    unproven: Mapping[int, Unproven]
