"""What a witness's last checkpoint says about our log: one pure judgement.

A bare size is only a hint.  What counts is a checkpoint that verifies under our own
log key: then its root is compared with ours at its size (D7).

    AGREES     our root at its size, or a smaller one of ours
    AHEAD      signed by our key, larger than what we hold      the log was set back
    DIFFERS    signed by our key, another root at its size      the log has forked
    UNPROVEN   not readable, or not signed by our key           says nothing
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import (
    OpenedCheckpoint,
    open_log_checkpoint,
    verify_line,
)
from tallystick_merkle.errors import KernelError
from tallystick_merkle.keys import VerifierKey
from tallystick_merkle.note import known_lines


class Stand(Enum):
    """How a checkpoint stands to our log."""

    AGREES = "agrees"
    AHEAD = "ahead"
    DIFFERS = "differs"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Claim:
    """A judged checkpoint: how it stands, its size, and which witness keys back it.

    `cosigners` are empty when any of their lines fails.  `problem` says in one line
    what is wrong; it is empty only when the checkpoint agrees.
    """

    stand: Stand
    size: int
    cosigners: tuple[VerifierKey, ...]
    problem: str

    @property
    def contradicts(self) -> bool:
        """Whether it is proof that we were set back or have forked."""
        return self.stand in (Stand.AHEAD, Stand.DIFFERS)


def judge_claim(
    note: bytes,
    *,
    log_key: VerifierKey,
    witness_keys: Iterable[VerifierKey],
    held_size: int,
    root_at: Callable[[int], bytes],
) -> Claim:
    """Judge what a witness shows; `root_at` gives our root at sizes to `held_size`."""
    try:
        opened = open_log_checkpoint(note, origin=log_key.name, log_keys=[log_key])
    except KernelError as error:
        return Claim(Stand.UNPROVEN, 0, (), f"its checkpoint proves nothing: {error}")
    seen = opened.checkpoint
    cosigners = _cosigners(opened, witness_keys)
    if seen.size > held_size:
        problem = (
            f"it has a head of size {seen.size} under our key, we hold only {held_size}"
        )
        return Claim(Stand.AHEAD, seen.size, cosigners, problem)
    ours = Checkpoint(log_key.name, seen.size, root_at(seen.size))
    if seen != ours:
        problem = (
            f"it has a head of size {seen.size} and root {seen.root.hex()} under our "
            f"key, our root there is {ours.root.hex()}"
        )
        return Claim(Stand.DIFFERS, seen.size, cosigners, problem)
    return Claim(Stand.AGREES, seen.size, cosigners, "")


def _cosigners(
    opened: OpenedCheckpoint, keys: Iterable[VerifierKey]
) -> tuple[VerifierKey, ...]:
    """Name the witness keys whose lines verify; none when any of them fails."""
    try:
        return tuple(
            verify_line(opened.checkpoint, key, line).key
            for key, line in known_lines(opened.note, keys)
        )
    except KernelError:
        return ()
