"""The states that a vault has been in, so that two copies that both went on are told.

    chain of no key    zeros
    chain of n keys    SHA-256(chain of n - 1 || kid of key n)[:16]
    table states       u64 count → chain || proof

A count says how many keys were made, not which.  The chain does: a copy that was
brought back and made keys of its own has other chains from there on, however many.
Each write of keys adds one row, the state it ends in; a mark is of such a state.  No
row is ever removed, with whatever key of it is erased.  The proof is made with the
directory key, which stays: a rotation carries the rows over as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import sha256

import lmdb

from tallystick_server.errors import IntegrityError
from tallystick_server.storage.base import CHAIN_SIZE
from tallystick_server.vault.base import NO_KEYS
from tallystick_server.vault.generation import Cipher, State

_COUNT = struct.Struct(">Q")


def chained(chain: bytes, kid: bytes) -> bytes:
    """Give the chain after one more key, of this id."""
    return sha256(chain + kid).digest()[:CHAIN_SIZE]


class States:
    """The table of states, under a transaction that the caller holds."""

    def __init__(
        self,
        transaction: lmdb.Transaction[memoryview],
        table: lmdb._Database,
        cipher: Cipher,
    ) -> None:
        """Take the table and what proves its rows."""
        self._transaction = transaction
        self._table = table
        self._cipher = cipher

    def add(self, count: int, chain: bytes) -> None:
        """Store the state that a write ends in; raise IntegrityError for an old one."""
        row = chain + self._cipher.prove_state(count, chain)
        key = _COUNT.pack(count)
        if not self._transaction.put(key, row, db=self._table, append=True):
            raise IntegrityError(
                f"the vault knows a state later than that of {count} keys; restore a "
                "backup of it"
            )

    def chain_at(self, count: int) -> bytes | None:
        """Give the chain of `count` keys; None where no write ended in it.

        Raises IntegrityError for a row that is damaged.
        """
        if not count:
            return NO_KEYS
        row = self._transaction.get(_COUNT.pack(count), db=self._table)
        return None if row is None else self._open(count, bytes(row))

    def scan(self) -> Iterator[tuple[int, bytes]]:
        """Read every state, counts ascending; raises as `chain_at`."""
        for key, row in self._transaction.cursor(self._table):
            if len(key) != _COUNT.size:
                raise IntegrityError("the vault knows a state of no count")
            count = _COUNT.unpack(key)[0]
            yield count, self._open(count, bytes(row))

    def check_all(self, state: State) -> None:
        """Raise IntegrityError unless every row is proved, and the last one counts."""
        for _ in self.scan():
            pass
        self.check_end(state)

    def check_end(self, state: State) -> None:
        """Raise IntegrityError unless the last row is of the state that counts."""
        cursor = self._transaction.cursor(self._table)
        key = bytes(cursor.key()) if cursor.last() else _COUNT.pack(0)
        if key != _COUNT.pack(state.count) or self.chain_at(state.count) != state.chain:
            raise IntegrityError(
                f"the last of the vault's states is not that of {state.count} keys; "
                "restore a backup of it"
            )

    def _open(self, count: int, row: bytes) -> bytes:
        chain = row[:CHAIN_SIZE]
        self._cipher.check_state(count, chain, row[CHAIN_SIZE:])
        return chain
