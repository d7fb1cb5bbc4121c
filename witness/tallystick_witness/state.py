"""What a witness remembers: the logs it follows, their heads, and evidence.

A head moves only forward: `check_step` holds every store to that, beneath the rule
that decided the step.  A log that was removed keeps its last head as a tombstone, so
that it can never be followed from scratch again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tallystick_merkle.keys import VerifierKey
from tallystick_witness.errors import IntegrityError

MAX_EVIDENCE = 64
"""Most checkpoints kept as evidence, for each log and kind."""

FIRST_EVIDENCE = MAX_EVIDENCE // 2
"""How many of the unproven ones, the first that came, are kept for good."""


class LogState(StrEnum):
    """Whether a known log is cosigned."""

    ACTIVE = "active"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Head:
    """The latest checkpoint cosigned for a log.

    `size` counts leaves, `root` is 32 bytes, `time_s` is the time of the cosignatures,
    `note` the signed note: the log's line and the witness's own.
    """

    size: int
    root: bytes
    time_s: int
    note: bytes


@dataclass(frozen=True, slots=True)
class FollowedLog:
    """A log the witness knows: its key (named as its origin), state and head.

    `since_s` is when the state last changed, in POSIX seconds.
    """

    key: VerifierKey
    state: LogState
    since_s: int
    head: Head | None = None

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self.key.name


class EvidenceKind(StrEnum):
    """Why a signed checkpoint was kept."""

    SPLIT_VIEW = "split-view"
    """Another root for the size that was cosigned: proof that the log forked."""
    UNPROVEN = "unproven"
    """No valid consistency proof came with it: a fork, or a bad request.

    Anybody who has a checkpoint of the log can make one, and must not fill the table.
    """
    EMPTY_ROOT = "empty-root"
    """Size 0 with a root that is not that of the empty tree: the log signs nonsense."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A checkpoint the log signed and the witness refused, beside what it held.

    `note` holds the log's verified line only; `held` is the note cosigned before,
    empty if there was none; `time_s` is when it came.
    """

    origin: str
    kind: EvidenceKind
    size: int
    root: bytes
    time_s: int
    note: bytes
    held: bytes


def dispensable(kept: Sequence[Evidence]) -> Evidence | None:
    """Give the one of a full table that a new one may replace, or None.

    Only the log's key makes the other kinds: the first ones stay. Of the unproven, the
    first and the last that came stay, so that a fork cannot be hidden by sending
    honest checkpoints either before it or after it.
    """
    if kept[0].kind is not EvidenceKind.UNPROVEN:
        return None
    by_time = sorted(kept, key=lambda one: (one.time_s, one.size, one.root))
    return by_time[FIRST_EVIDENCE]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose store it is: the witness's key name and its vkeys, Ed25519 first."""

    name: str
    vkeys: tuple[str, ...]


def check_step(old: Head | None, new: Head) -> None:
    """Raise IntegrityError unless `new` may follow `old`: never back, never aside."""
    if old is None:
        return
    if new.size < old.size or new.time_s < old.time_s:
        raise IntegrityError(
            f"a head of size {new.size} at time {new.time_s} would go back behind "
            f"size {old.size} at time {old.time_s}"
        )
    if new.size == old.size and new.root != old.root:
        raise IntegrityError(f"a second root for size {old.size}")
