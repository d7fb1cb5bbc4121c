"""What a client remembers of a log: whom it believed, and what it was promised.

The checkpoint only ever advances (decision D2), and only from the one that the new
head was checked against: two programs that advance at once cannot step over a fork.
Promised receipts are kept apart from witnessed ones until they are discharged.

A receipt proves that a leaf is in the log.  Whose leaf it is was checked when it came,
against the event that was sent: the id of that event is kept with it, since after an
erasure nothing else can tell.  So is the tenant that the log seals its events for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.frontier import EMPTY_EDGE, Edge
from tallystick_merkle.receipt import Status


@dataclass(frozen=True, slots=True)
class HeldEvent(Held):
    """The receipt of an event, whose leaf was checked to commit to this very event."""

    event_id: str


class Trust(Protocol):
    """The memory of one log."""

    @property
    def keeps_receipts(self) -> bool:
        """Whether receipts are kept at all, or are the caller's business."""
        ...

    def believed(self) -> bytes | None:
        """Give the last believed checkpoint, a signed note."""
        ...

    def advance(self, *, old: bytes | None, new: bytes) -> bool:
        """Believe `new`, which was checked to extend `old`; durable when true.

        False when another program has replaced `old` in between: check again.
        """
        ...

    def keep_promised(self, held: Sequence[Held]) -> bytes | None:
        """Keep receipts that are only promised; durable when this returns.

        Where an earlier promise of the same entry and size has another root, that one
        is left as it is, and its checkpoint is returned: the log has forked.
        """
        ...

    def keep_witnessed(
        self, held: Sequence[Held], *, discharged: Sequence[Held] = ()
    ) -> None:
        """Keep witnessed receipts, and only then give up promises.

        `discharged` are the promises whose heads were checked to be kept.  Any other,
        of the same entries too, stays: the log may have broken it (D2).
        """
        ...

    def promised(self) -> list[Held]:
        """Give the receipts that are only promised, by index."""
        ...

    def receipt(self, index: int) -> tuple[Held, Status] | None:
        """Give the kept receipt of an entry, the witnessed one if there is one."""
        ...

    def checked_event(self, index: int) -> HeldEvent | None:
        """Give a kept receipt of an entry that names the event it was checked for."""
        ...

    def tenant(self) -> str | None:
        """Give the tenant that the log is of, once it is known."""
        ...

    def pin_tenant(self, tenant: str) -> str:
        """Remember the tenant, unless one is known; give the one that holds now."""
        ...

    def keep_evidence(self, kind: str, files: Mapping[str, bytes]) -> tuple[Path, ...]:
        """Keep files that prove or describe a failure; durable when this returns."""
        ...

    def edge(self) -> Edge:
        """Give the edge at which the last audit stopped."""
        ...

    def keep_edge(self, edge: Edge) -> None:
        """Keep the edge that an audit has reached."""
        ...


class MemoryTrust:
    """Remembers the believed head while the program runs, and nothing on disk.

    It keeps no receipts (they are the caller's) and no evidence: the errors carry it.
    """

    keeps_receipts = False

    def __init__(self) -> None:
        """Begin without a believed head."""
        self._believed: bytes | None = None
        self._edge = EMPTY_EDGE
        self._tenant: str | None = None

    def believed(self) -> bytes | None:
        """Give the last believed checkpoint."""
        return self._believed

    def advance(self, *, old: bytes | None, new: bytes) -> bool:
        """Believe `new` if `old` is still what is believed."""
        if self._believed != old:
            return False
        self._believed = new
        return True

    def keep_promised(
        self,
        held: Sequence[Held],  # noqa: ARG002 -- the Protocol's signature
    ) -> bytes | None:
        """Leave the receipts to the caller."""
        return None

    def keep_witnessed(
        self,
        held: Sequence[Held],
        *,
        discharged: Sequence[Held] = (),
    ) -> None:
        """Leave the receipts to the caller."""

    def promised(self) -> list[Held]:
        """Give nothing: no receipt is kept."""
        return []

    def receipt(
        self,
        index: int,  # noqa: ARG002 -- the Protocol's signature
    ) -> tuple[Held, Status] | None:
        """Give nothing: no receipt is kept."""
        return None

    def checked_event(
        self,
        index: int,  # noqa: ARG002 -- the Protocol's signature
    ) -> HeldEvent | None:
        """Give nothing: no receipt is kept."""
        return None

    def tenant(self) -> str | None:
        """Give the tenant that the log is of, once it is known."""
        return self._tenant

    def pin_tenant(self, tenant: str) -> str:
        """Remember the tenant, unless one is known; give the one that holds now."""
        self._tenant = self._tenant or tenant
        return self._tenant

    def keep_evidence(
        self,
        kind: str,  # noqa: ARG002 -- the Protocol's signature
        files: Mapping[str, bytes],  # noqa: ARG002 -- the Protocol's signature
    ) -> tuple[Path, ...]:
        """Keep nothing: the error carries both notes."""
        return ()

    def edge(self) -> Edge:
        """Give the edge at which the last audit stopped."""
        return self._edge

    def keep_edge(self, edge: Edge) -> None:
        """Keep the edge that an audit has reached."""
        self._edge = edge
