"""The seam between whoever seals or opens events and the vault of their keys.

A vault keeps, for each name, one key: a random id (kid), a data key (dek) for the
subject's fields, and a secret for the subject's tags in the index.  A name is opaque
here; of it only a keyed digest is stored.  Without its key a field can never be read
again, so the order is fixed (D16): `ensure` makes a new key durable before it gives
it, and only then an event that uses it may be planned.  A log stores the `mark` of the
vault with its commit; a vault that was never in that state was set back, or is a copy
that has gone on by itself, and `check_mark` refuses it.

Names, keys and secrets are never logged, and are not in the text of any error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.base import CHAIN_SIZE, VAULT_ID_SIZE, VaultMark

ID_SIZE = VAULT_ID_SIZE
"""Bytes of a vault's id."""

KID_SIZE = 8
"""Bytes of the id of a key."""

SECRET_SIZE = 32
"""Bytes of a data key, and of a secret."""

NO_KEYS = bytes(CHAIN_SIZE)
"""The chain of a vault that has made no key."""

MAX_NAMES = 65_536
"""Most names in one call of `ensure`."""


@dataclass(frozen=True, slots=True)
class VaultKey:
    """The key of one name: its 8-byte id, its 32-byte data key, its 32-byte secret."""

    kid: bytes
    dek: bytes = field(repr=False)
    secret: bytes = field(repr=False)


class Vault(Protocol):
    """A vault that is open. Every method blocks, and may be called by any thread."""

    @property
    def id(self) -> bytes:
        """The 16 random bytes that the vault is told by, for its whole life."""
        ...

    @property
    def count(self) -> int:
        """How many keys were ever made here; it never goes back."""
        ...

    def mark(self) -> VaultMark:
        """Give the state that every key given so far is part of."""
        ...

    def chain_at(self, count: int) -> bytes | None:
        """Give the chain of the state with `count` keys; None if there was none.

        One call of `ensure` may pass over counts.  Raises IntegrityError for one that
        is damaged.
        """
        ...

    def ensure(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the key of each name, made where there is none; all are durable.

        Raises StoreError when the vault cannot be written: the process must end (D10).
        """
        ...

    def find(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the keys that there are; a name without one is not in the answer.

        Raises IntegrityError for a key that does not open.
        """
        ...

    def by_kid(self, kids: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the keys that there are by their ids, as `find` does."""
        ...

    def close(self) -> None:
        """Release everything; nothing else may be called afterwards."""
        ...


def check_mark(vault: Vault, mark: VaultMark, *, needed_by: str) -> None:
    """Raise IntegrityError unless the vault was in the state that a mark says (D16).

    Then it holds every key made up to there, but what was erased from it.  `needed_by`
    names who holds the mark, such as "the log audit".
    """
    held = vault.mark()
    if mark.vault_id != held.vault_id:
        raise IntegrityError(
            f"{needed_by} needs vault {mark.vault_id.hex()}, this is vault "
            f"{held.vault_id.hex()}: restore a backup of that vault"
        )
    if mark.count > held.count:
        raise IntegrityError(
            f"{needed_by} needs vault state {mark.count}, this vault has "
            f"{held.count}: it was set back; restore a newer backup of the vault"
        )
    if vault.chain_at(mark.count) != mark.chain:
        raise IntegrityError(
            f"{needed_by} needs vault state {mark.count} of another branch: this is a "
            "copy of the vault that went on by itself, and lacks keys that the log "
            "needs; bring back the vault that the log was used with"
        )


def check_names(names: Sequence[bytes]) -> None:
    """Raise StoreError for more names than one step may make keys for."""
    if len(names) > MAX_NAMES:
        raise StoreError(f"{len(names)} names at once; the vault takes {MAX_NAMES}")
