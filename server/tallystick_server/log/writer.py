"""The writer: the one place where a log changes, step by step and synchronously.

The order is the promise, and each line waits for the one before:

    plan                 pure; nothing is stored, nothing promised
    check                the root is derived a second time, another way
    sign                 in memory; the note has not left this object
    store.commit         leaves, nodes, keys, records, event ids and the signed head:
                         one fsynced step
    anchor.record        the head stands on another disk too, if one is configured
    return               only now may anybody see an index or a signature

After any error between `sign` and `return` the state is in doubt: the writer is dead,
and so must be the process (D10).  It is used from one thread only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tallystick_merkle.rangeproof import RangeTree
from tallystick_server.clock import Clock
from tallystick_server.errors import (
    IntegrityError,
    ServerError,
    SigningStoppedError,
    StoreError,
)
from tallystick_server.log.anchor import Anchor
from tallystick_server.log.commit import (
    LogState,
    Outcome,
    Submission,
    check,
    checkpoint_of,
    complete,
    plan,
)
from tallystick_server.log.events import EventSubmission, KnownEvent
from tallystick_server.log.keyring import Signer
from tallystick_server.storage.base import Head, LogStore, Published, UsedKey

MAX_STEP_MS = 5_000
"""Largest step of the wall clock against the monotonic one (D12)."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Released:
    """What a commit made public: the head, each outcome, and the tree of new leaves.

    `tree` proves every new leaf at `head`; None when nothing new was stored.
    """

    head: Head
    outcomes: tuple[Outcome, ...]
    tree: RangeTree | None


class Writer:
    """Holds the state of one log and moves it forward."""

    def __init__(
        self,
        *,
        store: LogStore,
        signer: Signer,
        state: LogState,
        clock: Clock,
        anchor: Anchor | None,
    ) -> None:
        """Start from a verified state; the caller holds the log's lock."""
        self._store = store
        self._signer = signer
        self._state = state
        self._clock = clock
        self._anchor = anchor
        self._wall_ms = clock.now_ms()
        self._monotonic_ms = clock.monotonic_ms()
        self._stopped: str | None = None

    @property
    def state(self) -> LogState:
        """The state after the last commit."""
        return self._state

    @property
    def stopped(self) -> str | None:
        """Why the log signs no more, or None."""
        return self._stopped

    def stop_signing(self, reason: str) -> None:
        """Sign nothing more in this process. May be called from any thread.

        The first reason is kept, and logged: whoever appends is told it, but whoever
        runs the log must not have to append to hear of it.
        """
        if self._stopped is None:
            self._stopped = reason
            _log.error(
                "signing stopped",
                extra={"origin": self._state.origin, "reason": reason},
            )

    def commit(self, submissions: Sequence[Submission | EventSubmission]) -> Released:
        """Append submissions in one durable step.

        Raises SigningStoppedError (nothing was stored, and nothing will be), or an
        error that means the state is in doubt: then the process must end.
        """
        self.check_clock()
        known, known_events = self._look_up(submissions)
        planned = plan(
            self._state,
            submissions,
            known=known,
            known_events=known_events,
            now_ms=self._clock.now_ms(),
        )
        growth = planned.growth
        if growth is None:
            return Released(self._state.head, planned.outcomes, None)
        tree = check(self._state, planned, growth)
        if self._stopped is not None:
            raise SigningStoppedError(self._stopped)
        try:
            note = self._signer.sign(checkpoint_of(self._state, growth))
        except SigningStoppedError as error:
            self.stop_signing(str(error))
            raise
        step, state = complete(self._state, planned, growth, note)
        self._make_durable(step.head, lambda: self._store.commit(step))
        self._state = state
        return Released(state.head, planned.outcomes, tree)

    def _look_up(
        self, submissions: Sequence[Submission | EventSubmission]
    ) -> tuple[Mapping[bytes, UsedKey], Mapping[bytes, KnownEvent]]:
        """Find what is stored of the keys and event ids that are to be used.

        What is damaged ends the signing, and nothing is stored.
        """
        keys = [item.key for item in submissions if isinstance(item, Submission)]
        ids = [
            event.event_id
            for item in submissions
            if isinstance(item, EventSubmission)
            for event in item.events
        ]
        try:
            return (
                self._store.find_keys(keys) if keys else {},
                self._find_events(ids) if ids else {},
            )
        except IntegrityError as error:
            self.stop_signing(f"what is stored is wrong: {error}")
            raise SigningStoppedError(str(error)) from error

    def _find_events(self, ids: Sequence[bytes]) -> Mapping[bytes, KnownEvent]:
        """Find the events that are stored under these ids, with their leaves."""
        return {
            event_id: KnownEvent(used, self._read_leaf(used.index))
            for event_id, used in self._store.find_ids(ids).items()
        }

    def _read_leaf(self, index: int) -> bytes:
        (leaf,) = self._store.read_entries(index, index + 1)
        return leaf

    def mark_publishable(self) -> Head:
        """Name the head that may go to the witnesses and be published (D3)."""
        return self._state.head

    def publish(self, published: Published) -> None:
        """Store the published checkpoint; durable when this returns."""
        if self._stopped is not None:
            raise SigningStoppedError(self._stopped)
        if published.size > self._state.head.size:
            raise StoreError(f"size {published.size} was never committed")
        self._store.publish(published)

    def check_clock(self) -> None:
        """Stop signing when the wall clock stepped against the monotonic one.

        To be called at least every few minutes, so that slow drift is not a step.
        """
        wall_ms, monotonic_ms = self._clock.now_ms(), self._clock.monotonic_ms()
        step_ms = (wall_ms - self._wall_ms) - (monotonic_ms - self._monotonic_ms)
        self._wall_ms, self._monotonic_ms = wall_ms, monotonic_ms
        if abs(step_ms) > MAX_STEP_MS:
            self.stop_signing(
                f"the clock stepped by {step_ms} ms; set it right and restart"
            )
        if self._stopped is not None:
            raise SigningStoppedError(self._stopped)

    def _make_durable(self, head: Head, store: Callable[[], None]) -> None:
        """Store, then anchor; any failure ends the writer with its state in doubt."""
        try:
            store()
            if self._anchor is not None:
                self._anchor.record(head.size, head.root)
        except BaseException as error:
            self.stop_signing(f"the commit of size {head.size} failed: {error}")
            if isinstance(error, ServerError) or not isinstance(error, Exception):
                raise
            raise StoreError(f"the commit of size {head.size} failed") from error
