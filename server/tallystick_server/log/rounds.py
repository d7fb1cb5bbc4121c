"""One head on its way to be published: who has cosigned it, and when it may be.

Pure.  A witness's answer is verified line by line before any of it is used: lines of
unknown keys are dropped, and one bad line of a known key discards the whole answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tallystick_merkle.checkpoint import Checkpoint, parse_checkpoint
from tallystick_merkle.cosignature import open_checkpoint, verify_line
from tallystick_merkle.errors import (
    InvalidSignatureError,
    KernelError,
    UnverifiedNoteError,
)
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.note import (
    Note,
    Signature,
    format_note,
    known_lines,
    parse_note,
)
from tallystick_merkle.policy import Policy
from tallystick_server.errors import IntegrityError
from tallystick_server.storage.base import Head, Published

Lines = Sequence[tuple[VerifierKey, Signature, int]]
"""Verified cosignatures: whose, the line, and its time in POSIX seconds."""


@dataclass(slots=True)
class Round:
    """A head with the cosignatures it has so far.

    `note` grows; `cosigned` maps a witness key to the time of its line in it.
    `answered` are the URLs that have answered in this round; `started_ms` is when it
    began, on the monotonic clock.
    """

    checkpoint: Checkpoint
    note: Note
    started_ms: int
    cosigned: dict[VerifierKey, int] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Size of the head."""
        return self.checkpoint.size

    def request(self, key: VerifierKey) -> bytes:
        """Give the note with the log's own line alone: what a witness is sent."""
        own = tuple(line for line in self.note.signatures if line.is_by(key))
        return format_note(Note(self.note.text, own))

    def add(self, lines: Lines) -> None:
        """Take verified cosignatures; a newer line of a key replaces its older one."""
        for key, line, time_s in lines:
            if time_s >= self.cosigned.get(key, 0):
                self.cosigned[key] = time_s
                self.note = self.note.with_signatures([line])

    def published_at(self, time_ms: int) -> Published:
        """Give what is to be stored and served."""
        return Published(self.size, format_note(self.note), time_ms)

    def renew(self, started_ms: int) -> None:
        """Ask everybody again for the same head; what it has stays until replaced."""
        self.started_ms = started_ms
        self.answered.clear()


def round_of(head: Head, *, started_ms: int) -> Round:
    """Begin the round of a head that the writer marked publishable."""
    note = parse_note(head.note)
    return Round(parse_checkpoint(note.text), note, started_ms)


def round_of_published(
    published: Published,
    *,
    log_key: VerifierKey,
    policy: Policy,
    started_ms: int,
) -> Round:
    """Take up what was published, with the cosignatures the policy knows.

    Raises IntegrityError when one of them does not verify: it was checked before it
    was stored.
    """
    witnesses = {entry.key for entry in policy.witnesses}
    try:
        opened = open_checkpoint(published.note, {log_key} | witnesses)
    except KernelError as error:
        raise IntegrityError(
            f"the checkpoint published at size {published.size} is corrupt: {error}"
        ) from error
    cosigned = {
        line.key: line.time_s
        for line in opened.verified
        if line.key in witnesses and line.time_s is not None
    }
    return Round(opened.checkpoint, opened.note, started_ms, cosigned)


def verify_answer(
    checkpoint: Checkpoint,
    text: bytes,
    lines: Sequence[Signature],
    *,
    policy_keys: Iterable[VerifierKey],
    own_keys: Iterable[VerifierKey],
    latest_s: int,
) -> Lines:
    """Verify a witness's answer: its lines of keys that the policy knows.

    `own_keys` are those of the witness that was asked; one of them must be there.
    Raises a KernelError when a known line fails or is of after `latest_s`.
    """
    found = []
    for key, line in known_lines(Note(text, tuple(lines)), policy_keys):
        time_s = verify_line(checkpoint, key, line).time_s or 0
        if time_s > latest_s:
            raise InvalidSignatureError(
                f"cosignature of {key.name} is {time_s - latest_s} s too far ahead"
            )
        found.append((key, line, time_s))
    own = set(own_keys)
    if not any(key in own for key, _, _ in found):
        raise UnverifiedNoteError("no cosignature of the witness that was asked")
    return found


def quorum_time_s(policy: Policy, cosigned: Mapping[VerifierKey, int]) -> int | None:
    """Give the latest time from which on cosignatures still meet the quorum.

    That is how old the checkpoint is to whoever demands a fresh quorum.  None when the
    quorum is not met, or asks for nobody.
    """
    if not policy.asks_for_witnesses:
        return None
    newest: set[VerifierKey] = set()
    for key, time_s in sorted(cosigned.items(), key=lambda item: -item[1]):
        newest.add(key)
        if policy.is_met_by(newest):
            return time_s
    return None
