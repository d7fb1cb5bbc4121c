"""The store in LMDB, as durable as the engine gets.

`sync` and `metasync` are on and there is no `writemap`, so that a commit that returned
survives a power cut; the engine is the 0.9 one, named explicitly.  The map is only
address space: it starts large and doubles when it is full, and what another process
made larger is taken over.  Growing invalidates every open transaction of the process,
so reads and growth exclude each other; a read takes microseconds.

`lock.mdb` is never opened by us: closing it would drop the engine's own locks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TypeAlias, TypeVar

import lmdb

from tallystick_witness.errors import IntegrityError, StaleHeadError, StoreError
from tallystick_witness.state import (
    MAX_EVIDENCE,
    Evidence,
    EvidenceKind,
    FollowedLog,
    Head,
    Identity,
    LogState,
    check_step,
    dispensable,
)
from tallystick_witness.store.records import (
    META_KEY,
    evidence_key,
    evidence_prefix,
    head_key,
    log_key,
    pack_evidence,
    pack_identity,
    pack_log,
    unpack_evidence,
    unpack_identity,
    unpack_log,
)

MAP_SIZE = 1 << 30
"""Address space to begin with, in bytes; the file is only as large as its content."""

_BROKEN = (
    lmdb.CorruptedError,
    lmdb.IncompatibleError,
    lmdb.InvalidError,
    lmdb.NotFoundError,
    lmdb.PageNotFoundError,
    lmdb.VersionMismatchError,
)

_Txn: TypeAlias = "lmdb.Transaction[bytes]"
_T = TypeVar("_T")
_MAX_MAP = 1 << 42


class LmdbStore:
    """A store in an LMDB directory that exists; see `store.base` for its promises."""

    def __init__(self, path: Path, *, map_size: int = MAP_SIZE) -> None:
        """Open the directory; raise IntegrityError if it is not one of ours.

        Raises StoreError if it cannot be opened for another reason.
        Requires that the files were looked at before (`store.files`).
        """
        self._reading = Lock()  # held by every read, and while the map changes
        self._writing = Lock()  # held by every write, and while the map changes
        try:
            self._env = _open(path, map_size)
            self._meta = self._env.open_db(b"meta", create=False)
            self._logs = self._env.open_db(b"logs", create=False)
            self._evidence = self._env.open_db(b"evidence", create=False)
        except lmdb.Error as error:
            kind = IntegrityError if isinstance(error, _BROKEN) else StoreError
            raise kind(f"cannot open the store {path}: {error}") from error

    def identity(self) -> Identity:
        """Read whose store it is."""
        value = self._read(lambda txn: txn.get(META_KEY, db=self._meta))
        if value is None:
            raise IntegrityError("the store does not say whose it is")
        return unpack_identity(value)

    def find(self, origin_hash: str) -> FollowedLog | None:
        """Read one log."""
        key = bytes.fromhex(origin_hash)
        value = self._read(lambda txn: txn.get(key, db=self._logs))
        return None if value is None else unpack_log(key, value)

    def logs(self) -> list[FollowedLog]:
        """Read every log, sorted by origin."""
        pairs = self._read(lambda txn: list(txn.cursor(self._logs)))
        logs = [unpack_log(key, value) for key, value in pairs]
        return sorted(logs, key=lambda log: log.origin)

    def follow(self, log: FollowedLog) -> None:
        """Store a log that was never followed."""
        value = pack_log(replace(log, head=None))

        def put(txn: _Txn) -> None:
            if not txn.put(log_key(log.origin), value, overwrite=False, db=self._logs):
                raise StaleHeadError(f"{log.origin!r} is known already")

        self._write(put)

    def mark(self, origin: str, state: LogState, *, since_s: int) -> None:
        """Change the state of a known log."""

        def put(txn: _Txn) -> None:
            log = self._known(txn, origin)
            self._put_log(txn, replace(log, state=state, since_s=since_s))

        self._write(put)

    def advance(self, origin: str, expected_old: Head | None, new_head: Head) -> None:
        """Replace the head of an active log, if it is the expected one."""

        def put(txn: _Txn) -> None:
            log = self._known(txn, origin)
            if log.state is not LogState.ACTIVE or log.head != expected_old:
                raise StaleHeadError(f"{origin!r} does not stand where it was judged")
            check_step(expected_old, new_head)
            self._put_log(txn, replace(log, head=new_head))
            prefix = evidence_prefix(origin, EvidenceKind.UNPROVEN)
            txn.delete(head_key(prefix, new_head), db=self._evidence)

        self._write(put)

    def keep_evidence(self, evidence: Evidence) -> bool:
        """Keep a refused checkpoint, within bounds."""
        key = evidence_key(evidence)
        prefix = evidence_prefix(evidence.origin, evidence.kind)

        def is_wanted(txn: _Txn) -> bool:
            if txn.get(key, db=self._evidence) is not None:
                return False
            kept = self._kept(txn, prefix)
            return len(kept) < MAX_EVIDENCE or dispensable(kept) is not None

        def put(txn: _Txn) -> bool:
            wanted = is_wanted(txn)
            if wanted:
                kept = self._kept(txn, prefix)
                old = dispensable(kept) if len(kept) >= MAX_EVIDENCE else None
                if old is not None:
                    txn.delete(evidence_key(old), db=self._evidence)
                txn.put(key, pack_evidence(evidence), db=self._evidence)
            return wanted

        # Looked at first without writing: whoever sends the same thing again and
        # again must not cost a commit each time.
        return self._read(is_wanted) and self._write(put)

    def evidence(self) -> list[Evidence]:
        """Read all evidence."""
        pairs = self._read(lambda txn: list(txn.cursor(self._evidence)))
        found = [unpack_evidence(key, value) for key, value in pairs]
        return sorted(found, key=lambda one: (one.origin, one.kind, one.size, one.root))

    def sweep(self) -> None:
        """Free the slots of readers that died; their pages would never be reused."""
        try:
            self._env.reader_check()
        except lmdb.Error as error:
            raise StoreError(f"the reader table cannot be checked: {error}") from error

    def close(self) -> None:
        """Close the environment, once nobody reads or writes."""
        with self._writing, self._reading:
            self._env.close()

    def _known(self, txn: _Txn, origin: str) -> FollowedLog:
        key = log_key(origin)
        value = txn.get(key, db=self._logs)
        if value is None:
            raise StaleHeadError(f"{origin!r} is not known")
        return unpack_log(key, value)

    def _put_log(self, txn: _Txn, log: FollowedLog) -> None:
        txn.put(log_key(log.origin), pack_log(log), db=self._logs)

    def _kept(self, txn: _Txn, prefix: bytes) -> list[Evidence]:
        """Read the evidence of one log and kind."""
        cursor = txn.cursor(self._evidence)
        kept = []
        found = cursor.set_range(prefix)
        while found and cursor.key().startswith(prefix):
            kept.append(unpack_evidence(cursor.key(), cursor.value()))
            found = cursor.next()
        return kept

    def _read(self, read: Callable[[_Txn], _T]) -> _T:
        """Run `read` in a read transaction that ends before this returns."""
        while True:
            try:
                with self._reading, self._env.begin() as txn:
                    return read(txn)
            except lmdb.MapResizedError:
                with self._writing:
                    self._set_map(0)
            except lmdb.Error as error:
                raise StoreError(f"the store cannot be read: {error}") from error

    def _write(self, write: Callable[[_Txn], _T]) -> _T:
        """Run `write` in a write transaction; committed and synced when this returns.

        A full map is the one error after which nothing was written for sure.
        """
        with self._writing:
            while True:
                try:
                    with self._env.begin(write=True) as txn:
                        return write(txn)
                except lmdb.MapFullError:
                    self._grow_map()
                except lmdb.MapResizedError:
                    self._set_map(0)
                except lmdb.Error as error:
                    raise StoreError(f"the store failed: {error}") from error

    def _grow_map(self) -> None:
        size = self._env.info()["map_size"] * 2
        if size > _MAX_MAP:
            raise StoreError(f"the store would grow over {_MAX_MAP} bytes")
        self._set_map(size)

    def _set_map(self, size: int) -> None:
        """Set the map size; 0 takes over what another process set."""
        try:
            with self._reading:
                self._env.set_mapsize(size)
        except lmdb.Error as error:
            raise StoreError(f"the store's map cannot change: {error}") from error


def create_tables(path: Path, identity: Identity) -> None:
    """Make the tables of a new store in an empty directory, committed when done.

    Raises StoreError when that fails.
    """
    try:
        with _open(path, MAP_SIZE) as env, env.begin(write=True) as txn:
            meta = env.open_db(b"meta", txn=txn)
            env.open_db(b"logs", txn=txn)
            env.open_db(b"evidence", txn=txn)
            txn.put(META_KEY, pack_identity(identity), db=meta)
    except lmdb.Error as error:
        raise StoreError(f"cannot make the store {path}: {error}") from error


def _open(path: Path, map_size: int) -> lmdb.Environment:
    """Open an environment with the one set of options that is durable."""
    return lmdb.open(
        str(path),
        map_size=map_size,
        subdir=True,
        create=False,
        mode=0o600,
        metasync=True,
        sync=True,
        writemap=False,
        map_async=False,
        readahead=False,
        max_dbs=3,
        lib_version=0,
    )
