"""The witness itself: judge, sign, store, anchor, release, in that order.

    decide      pure: cosign or refuse, from what is stored now
    make_head   sign in memory, verify
    advance     compare-and-swap of the head in the store, synced       a crash here
    record      the head in the anchor, synced                          releases nothing
    release     only now the cosignatures leave

Nobody else moves a head, so every read is held against the last one that is known here:
a store that has gone back under the running process, by a bit that rotted, is not
believed.

One thread calls `add_checkpoint`; a lost compare-and-swap means that somebody else
wrote, and the request is judged again on what is stored now.  After an error of store
or anchor the state is in doubt: nothing is signed any more in this process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tallystick_merkle.keys import SigningKey, format_vkey
from tallystick_merkle.witnessing import SIZE_TYPE, format_size, origin_hash
from tallystick_witness.anchor import Anchor
from tallystick_witness.clock import Timekeeper
from tallystick_witness.cosigning import make_head
from tallystick_witness.errors import (
    ClockError,
    IntegrityError,
    StaleHeadError,
    StoppedError,
    StoreError,
    UnavailableError,
)
from tallystick_witness.rule import Acceptance, Decision, decide
from tallystick_witness.state import FollowedLog
from tallystick_witness.store.base import WitnessStore

TEXT_TYPE = "text/plain"
"""Content type of every answer but a 409."""

MAX_TRIES = 3
"""How often a request is judged anew because somebody else wrote."""

_MAX_DETAIL = 300
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the log: an HTTP status, a content type and the body."""

    status: int
    content_type: str
    body: bytes


class Witness:
    """Cosigns checkpoints of the logs it follows."""

    def __init__(
        self,
        *,
        keys: Sequence[SigningKey],
        store: WitnessStore,
        anchor: Anchor,
        timekeeper: Timekeeper,
        has_room: Callable[[], bool],
        is_alone: Callable[[], bool],
    ) -> None:
        """Take over a store and an anchor that the start verified.

        `has_room` says whether the disk is far enough from full to sign, `is_alone`
        whether the lock on the data directory still keeps others out.
        """
        self._keys = tuple(keys)
        self._store = store
        self._anchor = anchor
        self._timekeeper = timekeeper
        self._has_room = has_room
        self._is_alone = is_alone
        self._failure: StoppedError | IntegrityError | None = None
        self._heads = {log.origin: log.head for log in store.logs() if log.head}

    @property
    def name(self) -> str:
        """The key name of the witness."""
        return self._keys[0].name

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The vkey of each key, in the order of the lines of an answer."""
        return tuple(format_vkey(key.verifier) for key in self._keys)

    @property
    def failure(self) -> StoppedError | IntegrityError | None:
        """Why the process must end, once it must."""
        return self._failure

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one add-checkpoint request. Called from one thread only.

        Raises UnavailableError where nothing may be signed now, and StoppedError or
        IntegrityError when the process must end.
        """
        now_s = self._ready_s()
        try:
            for _ in range(MAX_TRIES):
                decision = decide(body, find=self._find, now_s=now_s)
                try:
                    return self._carry_out(decision)
                except StaleHeadError:
                    continue
        except (StoppedError, IntegrityError) as error:
            self._failure = error
            raise
        raise UnavailableError("the log's state keeps changing; try again")

    def checkpoint(self, hash_of_origin: str) -> bytes | None:
        """Give the latest cosigned checkpoint of a log, None if there is none.

        `hash_of_origin` is 64 hex digits. A removed log's is still shown. Raises
        StoreError or IntegrityError when the process must end.
        """
        try:
            log = self._read(hash_of_origin)
        except (StoppedError, IntegrityError) as error:
            self._failure = error
            raise
        return log.head.note if log and log.head else None

    def check_ready(self) -> None:
        """Raise UnavailableError unless a checkpoint could be cosigned now."""
        self._ready_s()

    def sweep(self) -> None:
        """Free what readers that died hold in the store."""
        self._store.sweep()

    def _ready_s(self) -> int:
        """Give the time to sign at; raise UnavailableError when signing must wait."""
        if self._failure is not None:
            raise UnavailableError("stopped: the state of the store is in doubt")
        if not self._is_alone():
            raise UnavailableError("the lock was moved or removed; stop this witness")
        if not self._has_room():
            raise UnavailableError("too little free space to store a head")
        try:
            return self._timekeeper.now_s()
        except ClockError as error:
            raise UnavailableError(str(error)) from error

    def _find(self, origin: str) -> FollowedLog | None:
        return self._read(origin_hash(origin))

    def _read(self, hash_of_origin: str) -> FollowedLog | None:
        """Read a log; raise IntegrityError if its head is behind the one we know."""
        log = self._store.find(hash_of_origin)
        if log is None or (known := self._heads.get(log.origin)) is None:
            return log
        head = log.head
        if head is None or head.size < known.size:
            raise IntegrityError(
                f"the store has gone back behind size {known.size} of {log.origin!r}, "
                "which was cosigned: it is damaged"
            )
        if head.size == known.size and head.root != known.root:
            raise IntegrityError(
                f"the store has another root for size {known.size} of {log.origin!r} "
                "than was cosigned: it is damaged"
            )
        return log

    def _carry_out(self, decision: Decision) -> Answer:
        """Store what a decision asks for, then make the answer."""
        evidence = decision.evidence
        if evidence is not None and self._store.keep_evidence(evidence):
            _log.warning("evidence kept", extra=_fields(decision, kind=evidence.kind))
        if decision.acceptance is None:
            _log.info("refused", extra=_fields(decision))
            return _refusal(decision)
        lines = self._cosign(decision.acceptance)
        size = decision.acceptance.checkpoint.size
        _log.info("cosigned", extra=_fields(decision, size=size))
        return Answer(200, TEXT_TYPE, lines)

    def _cosign(self, acceptance: Acceptance) -> bytes:
        """Sign, store, anchor; return the lines that may now be released."""
        cosigned = make_head(acceptance, self._keys)
        log, head = acceptance.log, cosigned.head
        # In doubt unless both are known to be done, whatever is raised in between.
        is_known = False
        # Stored and synced before anchored, anchored and synced before released: after
        # a crash the store is at or ahead of the anchor, and both of what was told.
        try:
            self._store.advance(log.origin, log.head, head)
            self._heads[log.origin] = head
            self._anchor.record(origin_hash(log.origin), head.size, head.root)
            is_known = True
        except StaleHeadError:
            is_known = True
            raise
        finally:
            if not is_known:
                self._failure = StoreError("an error came while a head was stored")
        return cosigned.lines


def _refusal(decision: Decision) -> Answer:
    """Make the answer that says no: the witness's size for a 409, else one line."""
    if decision.size is not None:
        return Answer(decision.status, SIZE_TYPE, format_size(decision.size))
    text = f"{decision.reason}: {decision.detail}"[:_MAX_DETAIL]
    line = "".join(mark if mark.isprintable() else "?" for mark in text) + "\n"
    return Answer(decision.status, TEXT_TYPE, line.encode("utf-8", "replace"))


def _fields(decision: Decision, **more: object) -> dict[str, object]:
    """Give the fields of a log line. No payload, no key."""
    fields = {
        "origin": decision.origin,
        "status": decision.status,
        "reason": str(decision.reason),
        **more,
    }
    return {"fields": fields}
