"""Cosign or refuse: the one decision of a witness, pure (c2sp.org/tlog-witness).

The rows are tried in this order, and the first that holds decides:

    1  the request is malformed                                      400
    2  the origin is not known, or was removed                       404
    3  no line by the log's key, or one that does not verify         403
    4  old > size of the checkpoint                                  400
    5  size 0 with a root that is not SHA-256 of nothing             422
    6  old is not the size cosigned last (0 if never)                409, with that size
    7  old = 0 with a proof, or a proof that does not verify         422
    8  old = size, but another root                                  422
    -  the clock is over 10 s behind the last cosignature            503
    9  otherwise                                                     200

Rows 7 and 8 share a status; row 8 is looked at first, because two roots for one size
are proof that the log forked and are kept as such.  The same holds where row 6 has
decided already: evidence never changes an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import open_parsed
from tallystick_merkle.errors import KernelError, MalformedError, ProofError
from tallystick_merkle.note import Note, format_note
from tallystick_merkle.proof import check_consistency
from tallystick_merkle.receipt import check_empty_root
from tallystick_witness.state import (
    Evidence,
    EvidenceKind,
    FollowedLog,
    Head,
    LogState,
)
from tallystick_witness.submission import Submission, parse_submission

MAX_BEHIND_S = 10
"""How far the clock may stand behind the last cosignature, in seconds (D12)."""


class Reason(StrEnum):
    """Which row decided."""

    COSIGNED = "cosigned"
    REFRESHED = "refreshed"
    MALFORMED = "malformed"
    UNKNOWN_ORIGIN = "unknown-origin"
    NOT_SIGNED = "not-signed-by-log"
    OLD_OVER_SIZE = "old-over-size"
    EMPTY_ROOT = "wrong-empty-root"
    WRONG_OLD = "wrong-old"
    WRONG_PROOF = "wrong-proof"
    SPLIT_VIEW = "split-view"
    CLOCK_BEHIND = "clock-behind"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What to cosign and store: the checkpoint and its log line, on which head, when.

    `log` is the log as it was judged; the step may be stored only onto its head.
    """

    log: FollowedLog
    checkpoint: Checkpoint
    note: Note
    time_s: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request: an HTTP status, the row, and one line that says why.

    `size` is the size cosigned last, for a 409; `acceptance` is there exactly when the
    status is 200; `evidence` is to be kept before the answer is given.
    """

    status: int
    reason: Reason
    detail: str
    origin: str = ""
    size: int | None = None
    acceptance: Acceptance | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """A request whose signatures verified, and all that its judgement needs."""

    asked: Submission
    log: FollowedLog
    note: Note
    now_s: int

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint to judge."""
        return self.asked.checkpoint

    @property
    def last_size(self) -> int:
        """The size cosigned last, 0 if never."""
        return self.log.head.size if self.log.head else 0

    def is_split_view(self) -> bool:
        """Whether the log signed another root for the size that was cosigned."""
        head = self.log.head
        return (
            head is not None
            and head.size == self.checkpoint.size
            and head.root != self.checkpoint.root
        )

    def refuse(
        self,
        status: int,
        reason: Reason,
        detail: str,
        *,
        size: int | None = None,
        kind: EvidenceKind | None = None,
    ) -> Decision:
        """Make a refusal, with evidence when a kind is given."""
        evidence = None if kind is None else self._keep(kind)
        origin = self.checkpoint.origin
        return Decision(status, reason, detail, origin, size, evidence=evidence)

    def _keep(self, kind: EvidenceKind) -> Evidence:
        checkpoint, head = self.checkpoint, self.log.head
        return Evidence(
            checkpoint.origin,
            kind,
            checkpoint.size,
            checkpoint.root,
            self.now_s,
            format_note(self.note),
            head.note if head else b"",
        )


def decide(
    body: bytes, *, find: Callable[[str], FollowedLog | None], now_s: int
) -> Decision:
    """Judge the body of one add-checkpoint request at `now_s`.

    `find` gives what is known of an origin; it is asked at most once.  Nothing is
    signed or stored here.
    """
    try:
        asked = parse_submission(body)
    except MalformedError as error:
        return Decision(400, Reason.MALFORMED, str(error))
    origin = asked.checkpoint.origin
    log = find(origin)
    if log is None or log.state is not LogState.ACTIVE:
        return Decision(404, Reason.UNKNOWN_ORIGIN, "this log is not cosigned", origin)
    try:
        note = _keep_log_line(asked.note, log)
    except KernelError as error:
        return Decision(403, Reason.NOT_SIGNED, str(error), origin)
    case = _Case(asked, log, note, now_s)
    for row in _ROWS:
        refusal = row(case)
        if refusal is not None:
            return refusal
    return _accept(case)


def _keep_log_line(note: Note, log: FollowedLog) -> Note:
    """Row 3: verify the line of the log's key and drop every other line."""
    opened = open_parsed(note, (log.key,))
    lines = (line for line in opened.note.signatures if line.is_by(log.key))
    return Note(note.text, tuple(lines))


def _old_over_size(case: _Case) -> Decision | None:
    """Row 4."""
    old, size = case.asked.old, case.checkpoint.size
    if old <= size:
        return None
    detail = f"old size {old} is over the checkpoint's size {size}"
    return case.refuse(400, Reason.OLD_OVER_SIZE, detail)


def _wrong_empty_root(case: _Case) -> Decision | None:
    """Row 5."""
    try:
        check_empty_root(case.checkpoint.size, case.checkpoint.root)
    except ProofError as error:
        kind = EvidenceKind.EMPTY_ROOT
        return case.refuse(422, Reason.EMPTY_ROOT, str(error), kind=kind)
    return None


def _wrong_old(case: _Case) -> Decision | None:
    """Row 6."""
    if case.asked.old == case.last_size:
        return None
    detail = f"the size cosigned last is {case.last_size}, not {case.asked.old}"
    kind = EvidenceKind.SPLIT_VIEW if case.is_split_view() else None
    return case.refuse(409, Reason.WRONG_OLD, detail, size=case.last_size, kind=kind)


def _other_root(case: _Case) -> Decision | None:
    """Row 8."""
    if not case.is_split_view():
        return None
    detail = f"another root was cosigned for size {case.last_size}"
    kind = EvidenceKind.SPLIT_VIEW
    return case.refuse(422, Reason.SPLIT_VIEW, detail, kind=kind)


def _wrong_proof(case: _Case) -> Decision | None:
    """Row 7. A tree of size 0 is a prefix of every tree: nothing is to be proved."""
    head, asked = case.log.head, case.asked
    if head is None or head.size == 0:
        if not asked.proof:
            return None
        return case.refuse(422, Reason.WRONG_PROOF, "a proof from size 0 is empty")
    try:
        check_consistency(
            old=head.size,
            new=case.checkpoint.size,
            old_root=head.root,
            new_root=case.checkpoint.root,
            proof=asked.proof,
        )
    except ProofError as error:
        # Without a valid proof a larger tree is suspect; a refresh is only misspelt.
        grown = case.checkpoint.size > head.size
        kind = EvidenceKind.UNPROVEN if grown else None
        return case.refuse(422, Reason.WRONG_PROOF, str(error), kind=kind)
    return None


def _clock_behind(case: _Case) -> Decision | None:
    """Refuse where clamping the time would hide a clock that is wrong."""
    behind_s = _last_time(case.log.head) - case.now_s
    if behind_s <= MAX_BEHIND_S:
        return None
    detail = f"the witness's clock is {behind_s} s behind its last cosignature"
    return case.refuse(503, Reason.CLOCK_BEHIND, detail)


_ROWS = (
    _old_over_size,
    _wrong_empty_root,
    _wrong_old,
    _other_root,
    _wrong_proof,
    _clock_behind,
)


def _accept(case: _Case) -> Decision:
    """Row 9: the time never goes below that of the last cosignature."""
    head, checkpoint = case.log.head, case.checkpoint
    time_s = max(case.now_s, _last_time(head))
    same = head is not None and head.size == checkpoint.size
    return Decision(
        200,
        Reason.REFRESHED if same else Reason.COSIGNED,
        "cosigned",
        checkpoint.origin,
        acceptance=Acceptance(case.log, checkpoint, case.note, time_s),
    )


def _last_time(head: Head | None) -> int:
    """Give the time of the last cosignature, 0 if never."""
    return head.time_s if head else 0
