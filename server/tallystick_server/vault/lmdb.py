"""A vault in an LMDB environment of its own. Opened by `vault.opening`.

- A key is made in one write transaction together with the state that counts it, and is
  on the disk when the transaction ends: LMDB syncs the pages, then the meta page, and
  shows the new state to readers after that.  So nobody is given a key that is not
  durable, whichever thread asked for it.
- Callers that ask while a write is under way share the next one.
- Each write first frees what readers that died hold: freed pages are used again then.
- After any error of a write the object takes no more writes: the process must end, and
  the next start reads again from the device (D10).
- A read is one short transaction; what it gives is copied, and opened after it.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path

import lmdb

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.base import VaultMark
from tallystick_server.storage.environment import shortage
from tallystick_server.storage.mapping import MARGIN, GrowingMap
from tallystick_server.storage.structure import check_length
from tallystick_server.vault.base import (
    KID_SIZE,
    SECRET_SIZE,
    VaultKey,
    check_names,
)
from tallystick_server.vault.environment import STATE, Tables, named
from tallystick_server.vault.generation import (
    EMPTY,
    IV_SIZE,
    Cipher,
    Draw,
    Generation,
    State,
)
from tallystick_server.vault.owner import DirectoryLock, OwnerLock
from tallystick_server.vault.root import RootKey
from tallystick_server.vault.states import States, chained

PAGES = 16
"""Pages that a new key may copy at worst: two random keys, each with its path."""

_TOLD = 4096


@dataclass(slots=True)
class _Batch:
    """Names that share a write, and what came of it."""

    names: set[bytes] = field(default_factory=set, repr=False)
    keys: dict[bytes, VaultKey] = field(default_factory=dict, repr=False)
    is_done: bool = False


class LmdbVault:
    """A Vault in LMDB. See the module for the rules."""

    def __init__(
        self,
        env: lmdb.Environment,
        cipher: Cipher,
        *,
        lock: OwnerLock | DirectoryLock,
        draw: Draw = secrets.token_bytes,
    ) -> None:
        """Take an environment and the lock that was taken for it; both are closed.

        With a shared lock it is read only.  Raises IntegrityError unless the rows are
        as many as the state says, and the key that was made last opens.
        """
        self._env = env
        self._cipher = cipher
        self._lock = lock
        self._draw = draw
        self._place = Path(env.path())
        self._map = GrowingMap(env)
        self._pid = os.getpid()
        self._waiting = threading.Lock()
        self._writer = threading.Lock()
        self._next = _Batch()
        self._failure: str | None = None
        self._is_closed = False
        check_length(self._place, pages=self._map.pages, page=self._map.page)
        self._tables = Tables(env)
        self._check_state()

    @property
    def id(self) -> bytes:
        """The 16 random bytes that the vault is told by."""
        return self.generation.vault_id

    @property
    def generation(self) -> Generation:
        """The generation that is open."""
        return self._cipher.generation

    @property
    def count(self) -> int:
        """How many keys were ever made here."""
        return self.state().count

    def state(self) -> State:
        """Read the state."""
        with self._reading() as read:
            return self._read_state(read)

    def mark(self) -> VaultMark:
        """Give the state that every key given so far is part of."""
        state = self.state()
        return VaultMark(self.id, state.count, state.chain)

    def chain_at(self, count: int) -> bytes | None:
        """Give the chain of the state with `count` keys; None if there was none."""
        with self._reading() as read:
            return self._states(read).chain_at(count)

    def ensure(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the key of each name, made where there is none; all are durable."""
        check_names(names)
        found = self.find(names)
        missing = [name for name in names if name not in found]
        if missing:
            made = self._make_shared(missing)
            found |= {name: made[name] for name in missing}
        return found

    def find(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the keys that there are."""
        handle = self._cipher.handle
        handles = {name: handle(name) for name in names}
        rows: dict[bytes, tuple[bytes, bytes]] = {}
        with self._reading() as read:
            get, table = read.get, self._tables.names
            for name, key in handles.items():
                kid = get(key, db=table)
                if kid is not None:
                    rows[name] = bytes(kid), self._read_row(read, bytes(kid))
        return {
            name: self._open(kid, row, handles[name])
            for name, (kid, row) in rows.items()
        }

    def by_kid(self, kids: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Give the keys that there are by their ids."""
        rows: dict[bytes, bytes] = {}
        with self._reading() as read:
            for kid in kids:
                if len(kid) != KID_SIZE:
                    continue
                row = read.get(kid, db=self._tables.keys)
                if row is not None:
                    rows[kid] = bytes(row)
        return {kid: self._cipher.open_key(kid, row)[1] for kid, row in rows.items()}

    def scan(self) -> Generator[tuple[bytes, VaultKey], None, None]:
        """Read every key with the handle of its name, all of one moment.

        Raises IntegrityError for a row that does not open, or that no name leads to.
        To be closed by who does not read it to its end: the vault waits for that.
        Writers of other processes cannot use freed pages again until it ends.
        """
        with self._reading() as read:
            yield from self._scan(read)

    def scan_states(self) -> Generator[tuple[int, bytes], None, None]:
        """Read every state, as `scan` does the keys: its count and its chain."""
        with self._reading() as read:
            yield from self._states(read).scan()

    def check_rows(self, on_progress: Callable[[int, int], None]) -> State:
        """Open every row, as `scan` does, and every state; give that of the moment.

        `on_progress` is told how many rows were opened, and how many there are.
        """
        count = 0
        with self._reading() as read:
            state = self._read_state(read)
            for count, _ in enumerate(self._scan(read), start=1):
                if count % _TOLD == 0:
                    on_progress(count, state.rows)
            names = read.stat(self._tables.names)["entries"]
            self._states(read).check_all(state)
        if not names == count == state.rows:
            raise IntegrityError(
                f"the vault has {names} names and {count} keys, its state says "
                f"{state.rows}; restore a backup of it"
            )
        return state

    def follow(self, root: RootKey) -> Cipher:
        """Make the keys of the next generation; nothing is stored by this."""
        return self._cipher.follow(root, self._draw)

    def close(self) -> None:
        """Wait for what is under way, and let go of everything."""
        with self._writer, self._map.alone():
            if not self._is_closed:
                self._is_closed = True
                self._env.close()
            self._lock.close()

    def _make_shared(self, names: Sequence[bytes]) -> dict[bytes, VaultKey]:
        """Make keys in the next write, with those of whoever waits for it as well."""
        with self._waiting:
            batch = self._next
            batch.names.update(names)
        with self._writer:
            if not batch.is_done:  # nobody who waited made it for us
                with self._waiting:
                    self._next = _Batch()
                batch.keys = self._make(batch.names)
                batch.is_done = True
        return batch.keys

    def _make(self, names: set[bytes]) -> dict[bytes, VaultKey]:
        """Get or make keys in one transaction; all are durable when this returns."""
        keys: dict[bytes, VaultKey] = {}
        tables = self._tables
        with self._writing(len(names) * PAGES * self._map.page + MARGIN) as write:
            state = self._read_state(write)
            count, rows, last, chain = astuple(state)
            for name in sorted(names):
                handle = self._cipher.handle(name)
                kid = write.get(handle, db=tables.names)
                if kid is not None:  # made since we looked
                    row = self._read_row(write, bytes(kid))
                    keys[name] = self._open(bytes(kid), row, handle)
                    continue
                keys[name] = key = self._draw_key(write)
                row = self._cipher.seal_key(key, handle, self._draw(IV_SIZE))
                write.put(handle, key.kid, db=tables.names)
                write.put(key.kid, row, db=tables.keys)
                count, rows, last = count + 1, rows + 1, key.kid
                chain = chained(chain, key.kid)
            if count > state.count:
                state = State(count, rows, last, chain)
                sealed = self._cipher.seal_state(state, self._draw(IV_SIZE))
                write.put(STATE, sealed, db=tables.meta)
                self._states(write).add(count, chain)
        return keys

    def _draw_key(self, write: lmdb.Transaction[memoryview]) -> VaultKey:
        """Make a key whose id no other has."""
        kid = self._draw(KID_SIZE)
        while kid == EMPTY.last or write.get(kid, db=self._tables.keys) is not None:
            kid = self._draw(KID_SIZE)
        return VaultKey(kid, self._draw(SECRET_SIZE), self._draw(SECRET_SIZE))

    def _scan(
        self, read: lmdb.Transaction[memoryview]
    ) -> Iterator[tuple[bytes, VaultKey]]:
        names = self._tables.names
        for found, row in read.cursor(self._tables.keys):
            kid = bytes(found)
            handle, key = self._cipher.open_key(kid, bytes(row))
            leads_to = read.get(handle, db=names)
            if leads_to is None or bytes(leads_to) != kid:
                raise IntegrityError(
                    f"no name leads to key {kid.hex()} of the vault: the vault is "
                    "damaged; restore a backup of it"
                )
            yield handle, key

    def _open(self, kid: bytes, row: bytes, handle: bytes) -> VaultKey:
        """Open a row that was found by a name's handle; raise IntegrityError."""
        found, key = self._cipher.open_key(kid, row)
        if found != handle:
            raise IntegrityError(
                f"key {kid.hex()} of the vault is of another name than the one that "
                "leads to it: the vault is damaged; restore a backup of it"
            )
        return key

    def _read_row(self, read: lmdb.Transaction[memoryview], kid: bytes) -> bytes:
        row = read.get(kid, db=self._tables.keys)
        if row is None:
            raise IntegrityError(
                f"key {kid.hex()} of the vault is missing: the vault is damaged; "
                "restore a backup of it"
            )
        return bytes(row)

    def _states(self, transaction: lmdb.Transaction[memoryview]) -> States:
        return States(transaction, self._tables.states, self._cipher)

    def _read_state(self, read: lmdb.Transaction[memoryview]) -> State:
        data = read.get(STATE, db=self._tables.meta)
        if data is None:
            raise IntegrityError("the vault has no state; restore a backup of it")
        return self._cipher.open_state(bytes(data))

    def _check_state(self) -> None:
        """Raise IntegrityError unless the state fits the rows, as far as is cheap."""
        tables = self._tables
        with self._reading() as read:
            state = self._read_state(read)
            names = read.stat(tables.names)["entries"]
            keys = read.stat(tables.keys)["entries"]
            last = b""
            if state.last != EMPTY.last:
                last = self._read_row(read, state.last)
            if not names == keys == state.rows <= state.count:
                raise IntegrityError(
                    f"the vault has {names} names and {keys} keys, its state says "
                    f"{state.rows} of {state.count}; restore a backup of it"
                )
            self._states(read).check_end(state)
        if last:
            self._cipher.open_key(state.last, last)

    @contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction[memoryview]]:
        """Open a read transaction; the engine's errors become ours."""
        self._check_usable()
        try:
            with self._map.reading() as read:
                yield read
        except lmdb.Error as error:
            raise named("the vault", error) from error

    @contextmanager
    def _writing(self, need: int) -> Iterator[lmdb.Transaction[memoryview]]:
        """Open the write transaction; durable when this ends without an error.

        After any error nothing is written through this object.
        """
        self._check_usable()
        if not isinstance(self._lock, OwnerLock):
            raise StoreError("the vault is open for reading only")
        if self._failure is not None:
            raise StoreError(f"the vault takes no more writes: {self._failure}")
        try:
            self._lock.check_place()
            self._env.reader_check()
            self._map.make_room(need)
            with self._env.begin(write=True, buffers=True) as write:
                yield write
        except lmdb.Error as error:
            self._failure = f"the write failed: {error}{shortage(self._place, need)}"
            raise StoreError(self._failure) from error
        except BaseException as error:
            self._failure = str(error)
            raise

    def _check_usable(self) -> None:
        """Raise StoreError in a forked process, or once closed."""
        if os.getpid() != self._pid:
            raise StoreError("the vault was opened by the process this was forked from")
        if self._is_closed:
            raise StoreError("the vault is closed")
