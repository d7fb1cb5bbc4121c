"""The memory twin of the store: the same promises, but for outliving the process."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

from tallystick_merkle.witnessing import origin_hash
from tallystick_witness.errors import StaleHeadError
from tallystick_witness.state import (
    MAX_EVIDENCE,
    Evidence,
    EvidenceKind,
    FollowedLog,
    Head,
    Identity,
    LogState,
    check_step,
    dispensable,
)

_Place = tuple[str, EvidenceKind, int, bytes]


class MemoryStore:
    """A store in a dictionary; see `store.base` for what it promises."""

    def __init__(self, identity: Identity) -> None:
        """Start with no logs."""
        self._identity = identity
        self._logs: dict[str, FollowedLog] = {}
        self._evidence: dict[_Place, Evidence] = {}
        self._lock = Lock()

    def identity(self) -> Identity:
        """Give whose store it is."""
        return self._identity

    def find(self, origin_hash: str) -> FollowedLog | None:
        """Read one log."""
        with self._lock:
            return self._logs.get(origin_hash)

    def logs(self) -> list[FollowedLog]:
        """Read every log, sorted by origin."""
        with self._lock:
            return sorted(self._logs.values(), key=lambda log: log.origin)

    def follow(self, log: FollowedLog) -> None:
        """Store a log that was never followed."""
        with self._lock:
            if origin_hash(log.origin) in self._logs:
                raise StaleHeadError(f"{log.origin!r} is known already")
            self._logs[origin_hash(log.origin)] = replace(log, head=None)

    def mark(self, origin: str, state: LogState, *, since_s: int) -> None:
        """Change the state of a known log."""
        with self._lock:
            log = self._known(origin)
            self._logs[origin_hash(origin)] = replace(log, state=state, since_s=since_s)

    def advance(self, origin: str, expected_old: Head | None, new_head: Head) -> None:
        """Replace the head of an active log, if it is the expected one."""
        with self._lock:
            log = self._known(origin)
            if log.state is not LogState.ACTIVE or log.head != expected_old:
                raise StaleHeadError(f"{origin!r} does not stand where it was judged")
            check_step(expected_old, new_head)
            self._logs[origin_hash(origin)] = replace(log, head=new_head)
            place = (origin, EvidenceKind.UNPROVEN, new_head.size, new_head.root)
            self._evidence.pop(place, None)

    def keep_evidence(self, evidence: Evidence) -> bool:
        """Keep a refused checkpoint, within bounds."""
        place = _place(evidence)
        with self._lock:
            if place in self._evidence:
                return False
            kept = [one for key, one in self._evidence.items() if key[:2] == place[:2]]
            if len(kept) >= MAX_EVIDENCE:
                old = dispensable(kept)
                if old is None:
                    return False
                del self._evidence[_place(old)]
            self._evidence[place] = evidence
            return True

    def evidence(self) -> list[Evidence]:
        """Read all evidence."""
        with self._lock:
            return [self._evidence[place] for place in sorted(self._evidence)]

    def sweep(self) -> None:
        """There are no readers that could die."""

    def close(self) -> None:
        """There is nothing to release."""

    def _known(self, origin: str) -> FollowedLog:
        log = self._logs.get(origin_hash(origin))
        if log is None:
            raise StaleHeadError(f"{origin!r} is not known")
        return log


def _place(evidence: Evidence) -> _Place:
    """Give what one piece of evidence is kept under."""
    return evidence.origin, evidence.kind, evidence.size, evidence.root
