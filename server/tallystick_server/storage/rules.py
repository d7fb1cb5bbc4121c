"""What a store refuses, whatever its backend: pure checks of what it is told to do."""

from __future__ import annotations

from collections.abc import Iterable

from tallystick_merkle.hashing import EMPTY_ROOT, HASH_SIZE
from tallystick_server.errors import StaleParentError, StoreError
from tallystick_server.storage.base import Commit, Head, Published

MAX_KEY = 511
"""Longest idempotency key in bytes, principal included."""


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
