"""The memory twin of a vault: the same rules, nothing on disk.

`reopen` is a restart: the keys are there, and a failure is forgotten.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tallystick_server.errors import StoreError
from tallystick_server.storage.base import VaultMark
from tallystick_server.vault.base import (
    ID_SIZE,
    KID_SIZE,
    NO_KEYS,
    SECRET_SIZE,
    VaultKey,
    check_names,
)
from tallystick_server.vault.generation import Draw
from tallystick_server.vault.states import chained


@dataclass(slots=True)
class MemoryVault:
    """A Vault in memory."""

    draw: Draw = secrets.token_bytes
    _id: bytes = b""
    _keys: dict[bytes, VaultKey] = field(default_factory=dict, repr=False)
    _chain: bytes = NO_KEYS
    _chains: dict[int, bytes] = field(default_factory=lambda: {0: NO_KEYS})
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _is_closed: bool = False

    def __post_init__(self) -> None:
        """Draw the id."""
        self._id = self.draw(ID_SIZE)

    @property
    def id(self) -> bytes:
        """The 16 random bytes that the vault is told by."""
        return self._id

    @property
    def count(self) -> int:
        """How many keys were ever made here."""
        with self._lock:
            self._check_usable()
            return len(self._keys)

    def mark(self) -> VaultMark:
        """Give the state that every key given so far is part of."""
        with self._lock:
            self._check_usable()
            return VaultMark(self._id, len(self._keys), self._chain)

    def chain_at(self, count: int) -> bytes | None:
        """Give the chain of the state with `count` keys; None if there was none."""
        with self._lock:
            self._check_usable()
            return self._chains.get(count)

    def ensure(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the key of each name, made where there is none."""
        check_names(names)
        with self._lock:
            self._check_usable()
            for name in names:
                if name not in self._keys:
                    self._keys[name] = key = VaultKey(
                        self.draw(KID_SIZE),
                        self.draw(SECRET_SIZE),
                        self.draw(SECRET_SIZE),
                    )
                    self._chain = chained(self._chain, key.kid)
            self._chains[len(self._keys)] = self._chain
            return {name: self._keys[name] for name in names}

    def find(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the keys that there are."""
        with self._lock:
            self._check_usable()
            return {name: self._keys[name] for name in names if name in self._keys}

    def by_kid(self, kids: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the keys that there are by their ids."""
        wanted = frozenset(kids)
        with self._lock:
            self._check_usable()
            return {key.kid: key for key in self._keys.values() if key.kid in wanted}

    def close(self) -> None:
        """Take no call any more."""
        with self._lock:
            self._is_closed = True

    def reopen(self) -> None:
        """Be as a fresh object over what is stored: a restart."""
        self._is_closed = False

    def _check_usable(self) -> None:
        if self._is_closed:
            raise StoreError("the vault is closed")
