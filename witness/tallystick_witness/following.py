"""Which logs are followed: adding, removing and reopening, decided without a store.

A log is known by its origin for good.  It never gets another key, and once removed it
comes back only on request and with the head it had: following it from scratch would
let it show two histories.
"""

from __future__ import annotations

from collections.abc import Sequence

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.keys import KeyType, VerifierKey, parse_vkey
from tallystick_witness.errors import UsageError
from tallystick_witness.state import FollowedLog, LogState

_LOG_TYPES = (KeyType.ED25519, KeyType.MLDSA44)


def read_log_key(vkey: str, *, origin: str | None, own: Sequence[str]) -> VerifierKey:
    """Read a log's vkey; raise UsageError unless it may sign for its origin.

    `origin`, where given, must be the key's name; `own` are the witness's vkeys.
    """
    try:
        key = parse_vkey(vkey)
    except MalformedError as error:
        raise UsageError(f"not a vkey: {error}") from error
    if key.type not in _LOG_TYPES:
        raise UsageError(
            f"the key of {key.name!r} has type 0x{key.type:02x}, which cosigns; "
            "a log signs with type 0x01 or 0x06: give the log's own vkey"
        )
    if origin is not None and origin != key.name:
        raise UsageError(
            f"the key's name is {key.name!r}, the origin {origin!r}; they must be equal"
        )
    if any((key.name, key.key_id) == _name_and_id(text) for text in own):
        raise UsageError("that is a key of this witness, not of a log")
    return key


def plan_add(
    known: FollowedLog | None, key: VerifierKey, *, reopen: bool
) -> LogState | None:
    """Say what adding `key` means: ACTIVE to store it so, None for nothing to do.

    Raises UsageError for another key, and for a removed log without `reopen`.
    """
    if known is None:
        if reopen:
            raise UsageError(f"{key.name!r} was never followed; leave out --reopen")
        return LogState.ACTIVE
    if known.key != key:
        raise UsageError(
            f"{key.name!r} is known with another key; a log never changes its key here"
        )
    if known.state is LogState.ACTIVE:
        return None
    if not reopen:
        raise UsageError(
            f"{key.name!r} was removed at {_describe(known)}; add --reopen to follow "
            "it again from there"
        )
    return LogState.ACTIVE


def plan_remove(known: FollowedLog | None, origin: str) -> LogState | None:
    """Say what removing `origin` means: REMOVED to store it so, None for nothing."""
    if known is None:
        raise UsageError(f"{origin!r} is not followed")
    return None if known.state is LogState.REMOVED else LogState.REMOVED


def _describe(log: FollowedLog) -> str:
    """Say where a log stands."""
    if log.head is None:
        return "no head"
    return f"size {log.head.size}, root {log.head.root.hex()}"


def _name_and_id(vkey: str) -> tuple[str, bytes]:
    key = parse_vkey(vkey)
    return key.name, key.key_id
