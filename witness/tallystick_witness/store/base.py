"""The seam between a witness and its store.

A store keeps, for one witness: its identity, every log it ever followed with its head,
and evidence.  `advance` is the compare-and-swap of the witness protocol: one atomic,
durable step that refuses to stand on anything but the head it was decided on.  After a
StoreError the state is unknown: the caller must stop, re-open and verify.

Other processes may follow and remove logs while a witness serves; only one advances
heads.  Writes come from one thread, reads from any; no call keeps a transaction open.
"""

from __future__ import annotations

from typing import Protocol

from tallystick_witness.state import Evidence, FollowedLog, Head, Identity, LogState

FORMAT = 1
"""Version of what is stored; a store of another one is refused."""


class WitnessStore(Protocol):
    """One witness's store. See the module for the rules."""

    def identity(self) -> Identity:
        """Read whose store it is. Raises UsageError for another format."""
        ...

    def find(self, origin_hash: str) -> FollowedLog | None:
        """Read a log by the hex SHA-256 of its origin; removed ones too.

        Raises IntegrityError when the record is damaged, StoreError on a failed read.
        """
        ...

    def logs(self) -> list[FollowedLog]:
        """Read every log ever followed, sorted by origin; raises what `find` does."""
        ...

    def follow(self, log: FollowedLog) -> None:
        """Store a log that was never followed; it has no head.

        Durable when this returns. Raises StaleHeadError if its origin is known.
        """
        ...

    def mark(self, origin: str, state: LogState, *, since_s: int) -> None:
        """Change the state of a known log; its key and its head stay.

        Durable when this returns. Raises StaleHeadError if the origin is not known.
        """
        ...

    def advance(self, origin: str, expected_old: Head | None, new_head: Head) -> None:
        """Replace the head of an active log; durable when this returns.

        Unproven evidence of this very head is dropped: now it is proven.

        Raises StaleHeadError (nothing was stored) unless the log is active and its
        head is exactly `expected_old`; IntegrityError (nothing was stored) for a step
        back or aside; StoreError (state unknown) for anything else.
        """
        ...

    def keep_evidence(self, evidence: Evidence) -> bool:
        """Keep a refused checkpoint; durable when this returns.

        At most 64 for each log and kind, one for each (size, root); whether one makes
        room is decided by `state.dispensable`. Returns whether it is new.
        """
        ...

    def evidence(self) -> list[Evidence]:
        """Read all evidence, sorted by origin, kind, size and root."""
        ...

    def sweep(self) -> None:
        """Free what readers that died hold. To be called every minute."""
        ...

    def close(self) -> None:
        """Release everything; nothing else may be called afterwards."""
        ...
