"""Plan a commit: pure, and the only place where order and duplicates are decided.

    submissions, known keys, time  →  plan  →  Planned (unsigned)
    Planned                        →  check (root derived again, another way)
    checked head                   →  signed, stored, released (see `sequencer`)

A submission is one request: one entry, or the entries of a batch, under one
idempotency key.  Its entries become neighbours.  The same key with the same body is a
repeat, in the log already or earlier in the same batch; with another body it is
refused (D5).  The time of a commit never goes back (D12).

A submission of events is placed event by event (see `events`).  In a log of events a
plain submission is an entry of the server's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.errors import KernelError
from tallystick_merkle.frontier import Edge, Growth, grow
from tallystick_merkle.hashing import leaf_hashes
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_server.errors import IntegrityError
from tallystick_server.log.events import (
    EventSubmission,
    KnownEvent,
    PlacedEvents,
    Placing,
    newest_mark,
)
from tallystick_server.storage.base import Commit, Head, Side, UsedKey, VaultMark

_NOTHING_KNOWN: Mapping[bytes, KnownEvent] = {}


@dataclass(frozen=True, slots=True)
class Submission:
    """Entries to append together. `key` includes the principal; `digest` is SHA-256."""

    key: bytes
    digest: bytes
    entries: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LogState:
    """Where a log stands: its origin, the tree's edge, the last stored head.

    `vault` is the newest state of the vault that a stored event depends on.
    """

    origin: str
    edge: Edge
    head: Head
    vault: VaultMark | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a submission's entries are: [first, first + count), and since when."""

    first: int
    count: int
    time_ms: int
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class Reused:
    """A submission refused: its key stands for another body."""


Outcome = Placed | Reused | PlacedEvents


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned step, not yet checked or signed.

    `outcomes` are in the order of the submissions.  `growth` is None when there is
    nothing new to store; then the outcomes hold as they are.
    """

    entries: tuple[bytes, ...]
    growth: Growth | None
    keys: tuple[tuple[bytes, UsedKey], ...]
    outcomes: tuple[Outcome, ...]
    time_ms: int
    sides: tuple[Side, ...] = ()
    vault: VaultMark | None = None


def plan(
    state: LogState,
    submissions: Sequence[Submission | EventSubmission],
    *,
    known: Mapping[bytes, UsedKey],
    known_events: Mapping[bytes, KnownEvent] = _NOTHING_KNOWN,
    now_ms: int,
) -> Planned:
    """Decide what becomes of each submission, and how the tree grows.

    `known` has the keys, and `known_events` the event ids, that are stored already.
    """
    time_ms = max(now_ms, state.head.time_ms)
    fresh: dict[bytes, UsedKey] = {}
    entries: list[bytes] = []
    outcomes: list[Outcome] = []
    placing = Placing(known_events, time_ms=time_ms)
    for item in submissions:
        if isinstance(item, EventSubmission):
            outcomes.append(placing.place(item, start=state.edge.size, entries=entries))
            continue
        used = known.get(item.key) or fresh.get(item.key)
        if used is None:
            first = state.edge.size + len(entries)
            used = UsedKey(item.digest, first, len(item.entries), time_ms)
            fresh[item.key] = used
            entries += item.entries
            outcomes.append(Placed(used.first, used.count, used.time_ms, False))
        elif used.digest == item.digest:
            outcomes.append(Placed(used.first, used.count, used.time_ms, True))
        else:
            outcomes.append(Reused())
    growth = grow(state.edge, leaf_hashes(entries)) if entries else None
    return Planned(
        tuple(entries),
        growth,
        tuple(fresh.items()),
        tuple(outcomes),
        time_ms,
        tuple(placing.sides),
        _vault_after(state, submissions) if placing.sides else state.vault,
    )


def _vault_after(
    state: LogState, submissions: Sequence[Submission | EventSubmission]
) -> VaultMark | None:
    of_events = (item for item in submissions if isinstance(item, EventSubmission))
    return newest_mark(state.vault, of_events)


def check(state: LogState, planned: Planned, growth: Growth) -> RangeTree:
    """Derive the new root again, before anything is signed; return the proven tree.

    The entries are hashed a second time, and the root is built by the RFC's recursion
    over the old peaks instead of by rows.  Raises IntegrityError when the old edge
    does not lead to the stored head, or the two roots differ: memory or logic has
    failed, and the log must stop.
    """
    if state.edge.root() != state.head.root:
        raise IntegrityError(
            f"the edge in memory is not that of size {state.head.size}"
        )
    start, size = state.edge.size, growth.edge.size
    try:
        return RangeTree(
            range_shape(start=start, stop=size, size=size),
            leaves=leaf_hashes(list(planned.entries)),
            left=state.edge.peaks(),
            right=(),
            root=growth.root,
        )
    except KernelError as error:
        raise IntegrityError(f"the root of size {size} came out differently") from error


def checkpoint_of(state: LogState, growth: Growth) -> Checkpoint:
    """Name the head to sign."""
    return Checkpoint(state.origin, growth.edge.size, growth.root)


def complete(
    state: LogState, planned: Planned, growth: Growth, note: bytes
) -> tuple[Commit, LogState]:
    """Add the signed note: the commit to store, and the state once it is stored."""
    head = Head(growth.edge.size, growth.root, note, planned.time_ms)
    commit = Commit(
        state.head.size,
        state.head.root,
        planned.entries,
        growth.rows,
        planned.keys,
        head,
        planned.sides,
        planned.vault,
    )
    return commit, LogState(state.origin, growth.edge, head, planned.vault)
