"""What a store refuses, whatever its backend: pure checks of what it is told to do."""

from __future__ import annotations

from collections.abc import Iterable

from tallystick_merkle.genesis import EVENTS
from tallystick_merkle.hashing import EMPTY_ROOT, HASH_SIZE
from tallystick_server.errors import StaleParentError, StoreError
from tallystick_server.storage.base import (
    CHAIN_SIZE,
    EVENT_ID_SIZE,
    VAULT_ID_SIZE,
    Commit,
    Head,
    Published,
    Side,
    VaultMark,
)

MAX_KEY = 511
"""Longest idempotency key in bytes, principal included."""

MAX_OWNER = 255
"""Longest owner of an event id, in bytes of UTF-8."""

MAX_INDEX_ENTRY = 2**16 - 1
"""Longest index entry, in bytes."""


def check_parent(commit: Commit, last: Head | None) -> None:
    """Raise StaleParentError unless the commit stands on the last stored head.

    Without any head, only a commit on the empty tree is taken.
    """
    size, root = (last.size, last.root) if last else (0, EMPTY_ROOT)
    if (size, root) != (commit.parent_size, commit.parent_root):
        raise StaleParentError(
            f"the commit stands on size {commit.parent_size} and root "
            f"{commit.parent_root.hex()}, stored are {size} and {root.hex()}"
        )


def check_step(commit: Commit, last: Head | None) -> None:
    """Raise StoreError for a step that no log makes: a bug of the caller."""
    head = commit.head
    if not commit.entries or head.size != commit.parent_size + len(commit.entries):
        raise StoreError(
            f"{len(commit.entries)} entries do not lead from size "
            f"{commit.parent_size} to {head.size}"
        )
    if len(head.root) != HASH_SIZE or not head.note:
        raise StoreError(f"the head of size {head.size} has no root or no note")
    if last is not None and head.time_ms < last.time_ms:
        raise StoreError(
            f"the head of size {head.size} is older than the one before it"
        )
    check_keys(key for key, _ in commit.keys)


def check_keys(keys: Iterable[bytes]) -> None:
    """Raise StoreError for an idempotency key that cannot be stored."""
    for key in keys:
        if not 1 <= len(key) <= MAX_KEY:
            raise StoreError(
                f"an idempotency key has {len(key)} bytes, expected 1 to {MAX_KEY}"
            )


def check_sides(commit: Commit, last: VaultMark | None, *, kind: str) -> None:
    """Raise StoreError for sides or a vault mark that no log of this kind has.

    `last` is the mark that is stored: a later one is of the same vault, and never of
    an earlier state or of another one with as many keys.
    """
    if not commit.sides and commit.vault is None:
        return
    if kind != EVENTS:
        raise StoreError(f"a log of kind {kind} keeps no records of events")
    before = commit.parent_size - 1
    for side in commit.sides:
        _check_side(side)
        if not before < side.index < commit.head.size:
            raise StoreError(
                f"the record of entry {side.index} follows that of {before}, in a "
                f"commit from size {commit.parent_size} to {commit.head.size}"
            )
        before = side.index
    _check_vault(commit, last)


def _check_side(side: Side) -> None:
    """Raise StoreError for a side that cannot be stored."""
    if (
        len(side.event_id) == EVENT_ID_SIZE
        and 1 <= len(side.owner.encode()) <= MAX_OWNER
        and 1 <= len(side.index_entry) <= MAX_INDEX_ENTRY
        and side.record
    ):
        return
    raise StoreError(
        f"the record of entry {side.index} has {len(side.record)} bytes, its index "
        f"entry {len(side.index_entry)}, its event id {len(side.event_id)}, its owner "
        f"{len(side.owner)} characters"
    )


def _check_vault(commit: Commit, last: VaultMark | None) -> None:
    mark = commit.vault
    if mark is None:
        raise StoreError(f"the events of size {commit.head.size} depend on no vault")
    if len(mark.vault_id) != VAULT_ID_SIZE or not 0 <= mark.count < 2**64:
        raise StoreError(f"{mark.vault_id.hex()} with {mark.count} keys is no vault")
    if len(mark.chain) != CHAIN_SIZE:
        raise StoreError(f"a vault's chain has {len(mark.chain)} bytes")
    if last is None:
        return
    if mark.vault_id != last.vault_id:
        raise StoreError(
            f"the events of the log depend on vault {last.vault_id.hex()}, those of "
            f"size {commit.head.size} on {mark.vault_id.hex()}"
        )
    if mark.count < last.count:
        raise StoreError(
            f"the vault had {last.count} keys, at size {commit.head.size} it has "
            f"{mark.count}"
        )
    if mark.count == last.count and mark.chain != last.chain:
        raise StoreError(
            f"the events of size {commit.head.size} depend on another branch of the "
            f"vault than those before, each with {mark.count} keys"
        )


def check_ids(ids: Iterable[bytes]) -> None:
    """Raise StoreError for what is no event id."""
    for event_id in ids:
        if len(event_id) != EVENT_ID_SIZE:
            raise StoreError(
                f"an event id has {len(event_id)} bytes, expected {EVENT_ID_SIZE}"
            )


def check_published(published: Published, last: Published | None, head: Head) -> None:
    """Raise StoreError when publishing would go back, or over the last head."""
    if published.size > head.size:
        raise StoreError(
            f"size {published.size} cannot be published: stored is {head.size}"
        )
    if last is not None and (
        published.size < last.size or published.time_ms < last.time_ms
    ):
        raise StoreError(
            f"size {published.size} cannot be published after size {last.size}, "
            "or is older"
        )
