"""A store in an LMDB environment of its own: a directory with data.mdb and lock.mdb.

Rules, and what they keep out:
- `sync` and `metasync` on, no `writemap`: anything less loses commits that were
  answered.  LMDB 0.9's format by name, so that no environment variable changes it.
- A commit is one transaction that first compares its parent with what is stored.
  After any error of a write the object takes no more writes: re-open, and re-verify.
- Opening never creates: a missing or empty file is an error, not an empty log.
  Pages that were written but may never have reached the disk are dropped first (D10).
- One process writes; a reader in another opens with `read_only`.  A fork must not use
  the object.  lock.mdb is never opened by anybody but LMDB: closing it would drop the
  lock of the whole process.
- A read is one short transaction, and what it returns is copied.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import lmdb

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.genesis import EVENTS, parse_genesis
from tallystick_merkle.hashing import HASH_SIZE
from tallystick_merkle.shape import Node
from tallystick_server.errors import IntegrityError, StaleParentError, StoreError
from tallystick_server.storage.base import (
    Commit,
    Head,
    Published,
    StoredLog,
    StoredRecord,
    UsedId,
    UsedKey,
    VaultMark,
)
from tallystick_server.storage.environment import (
    Tables,
    create_environment,
    open_environment,
    open_side_tables,
    open_tables,
    shortage,
    sync_names,
)
from tallystick_server.storage.items import (
    get_entries,
    get_ids,
    get_last_head,
    get_published,
    get_records,
    get_vault,
    put_commit,
    put_published,
)
from tallystick_server.storage.mapping import MARGIN, GrowingMap, room_for
from tallystick_server.storage.reading import Reading
from tallystick_server.storage.records import (
    ENTRIES,
    HEADS,
    KEYS,
    About,
    pack_about,
    pack_index,
    pack_row_key,
    unpack_about,
    unpack_head,
    unpack_index,
    unpack_used_key,
)
from tallystick_server.storage.rules import (
    check_ids,
    check_keys,
    check_parent,
    check_published,
    check_sides,
    check_step,
)
from tallystick_server.storage.sides import meta_items
from tallystick_server.storage.structure import check_length, require_structure

MAP_BYTES = 1024 * 1024 * 1024
"""Address space of a map at opening; it doubles as the log needs it."""

_NO_ROW = memoryview(b"")
_CHUNK_ITEMS = 4096
_CHUNK_BYTES = 8 * 1024 * 1024


class LmdbStore:
    """A LogStore in LMDB. Opened by `open_store`; see the module for the rules."""

    def __init__(self, env: lmdb.Environment) -> None:
        """Take an environment that nobody else uses; it is closed with the store.

        Raises IntegrityError or UsageError when it does not hold a log of ours.
        """
        self._env = env
        self._place = Path(env.path())
        self._map = GrowingMap(env)
        self._pid = os.getpid()
        self._writer = threading.Lock()
        self._failure: str | None = None
        self._is_closed = False
        check_length(self._place, pages=self._map.pages, page=self._map.page)
        self._tables = open_tables(env)
        meta = self._tables.meta
        with self._reading(lambda: "table meta") as read:
            self._about = unpack_about(lambda name: read.get(name, db=meta))
        open_side_tables(env, self._tables, kind=self._about.kind)
        self.maintain()

    @property
    def about(self) -> About:
        """What the store says it is."""
        return self._about

    def load(self) -> StoredLog:
        """Read the last head and what goes with it, and compare the counts."""
        tables, known = self._tables, meta_items(self._about.kind)
        with self._reading(lambda: "the last head") as read:
            head = get_last_head(read, tables)
            published = get_published(read, tables)
            vault = get_vault(read, tables)
            count = read.stat(tables.entries)["entries"]
            cursor = read.cursor(tables.entries)
            last = unpack_index(cursor.key(), table=ENTRIES) if cursor.last() else -1
            items = read.cursor(tables.meta).iternext(keys=True, values=False)
            unknown = [key for key in map(bytes, items) if key not in known]
        if unknown:  # what was published may hide under a key that has rotted
            raise IntegrityError(f"table meta: unknown item {unknown[0]!r}")
        if head is None:
            raise IntegrityError("the store holds no head at all")
        if count != head.size or last != head.size - 1:
            raise IntegrityError(
                f"{count} entries up to index {last} are stored, the last head has "
                f"size {head.size}"
            )
        if published is not None and published.size > head.size:
            raise IntegrityError(
                f"size {published.size} was published, the last head has size "
                f"{head.size}"
            )
        return StoredLog(head, published, vault)

    def commit(self, commit: Commit) -> None:
        """Store a step whole; durable when this returns."""
        with self._writing(room_for(commit, page=self._map.page)) as write:
            last = get_last_head(write, self._tables)
            check_parent(commit, last)
            check_step(commit, last)
            stored = get_vault(write, self._tables) if commit.vault else None
            check_sides(commit, stored, kind=self._about.kind)
            put_commit(write, self._tables, commit)

    def publish(self, published: Published) -> None:
        """Store the published checkpoint; durable when this returns."""
        with self._writing(len(published.note) + MARGIN) as write:
            last = get_last_head(write, self._tables)
            if last is None:
                raise IntegrityError("the store holds no head at all")
            check_published(published, get_published(write, self._tables), last)
            put_published(write, self._tables, published)

    def find_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, UsedKey]:
        """Look up idempotency keys."""
        check_keys(keys)
        table = self._tables.keys
        found = {}
        with self._reading(lambda: "the idempotency keys") as read:
            for key in keys:
                value = read.get(key, db=table)
                if value is not None:
                    found[key] = unpack_used_key(key, value)
        return found

    def find_ids(self, ids: Sequence[bytes]) -> Mapping[bytes, UsedId]:
        """Look up event ids."""
        check_ids(ids)
        with self._reading(lambda: "the event ids") as read:
            return get_ids(read, self._tables, ids)

    def read_nodes(self, nodes: Sequence[Node]) -> list[bytes]:
        """Read node hashes, in order."""
        hashes: list[bytes] = []
        table = self._tables.rows
        with self._reading(lambda: _name(nodes[len(hashes)])) as read:
            get, pack = read.get, pack_row_key
            for level, position in nodes:
                row = get(pack(level, position >> 8), _NO_ROW, table)
                start = (position & 255) * HASH_SIZE
                node = bytes(row[start : start + HASH_SIZE])
                if len(node) < HASH_SIZE:
                    raise IntegrityError(
                        f"{_name(Node(level, position))} is not stored"
                    )
                hashes.append(node)
        return hashes

    def read_row(self, level: int, block: int) -> bytes:
        """Read a row, whole or unfinished; empty when there is none."""
        with self._reading(lambda: f"row {level}/{block}") as read:
            row = read.get(pack_row_key(level, block), db=self._tables.rows)
            return b"" if row is None else bytes(row)

    def read_entries(self, start: int, stop: int) -> list[bytes]:
        """Read entries [start, stop)."""
        with self._reading(lambda: f"an entry of [{start}, {stop})") as read:
            return get_entries(read, self._tables, start, stop)

    def read_records(self, start: int, stop: int) -> list[StoredRecord]:
        """Read the records of entries [start, stop) that have one."""
        with self._reading(lambda: f"a record of [{start}, {stop})") as read:
            return get_records(read, self._tables, start, stop)

    def heads(self, *, over: int = 0) -> Iterator[Head]:
        """Read the signed heads of sizes over `over`, ascending."""
        for key, value in self.scan(HEADS, start=pack_index(over + 1)):
            yield unpack_head(unpack_index(key, table=HEADS), value)

    def keys(self) -> Iterator[tuple[bytes, UsedKey]]:
        """Read every idempotency key, in the order of their bytes."""
        for key, value in self.scan(KEYS):
            yield key, unpack_used_key(key, value)

    def scan(
        self, table: bytes, *, start: bytes = b""
    ) -> Iterator[tuple[bytes, bytes]]:
        """Read the raw items of a table from the key `start` on, in their order.

        No transaction is open between two items that are given: what is committed
        meanwhile may be seen.
        """
        while chunk := self._read_chunk(table, start):
            yield from chunk
            start = chunk[-1][0] + b"\0"

    def scan_keys(self, table: bytes) -> Iterator[bytes]:
        """Read the raw keys of a table, in order; else as `scan`."""
        start = b""
        while chunk := self._read_keys(table, start):
            yield from chunk
            start = chunk[-1] + b"\0"

    def published(self) -> Published | None:
        """Read the published checkpoint alone."""
        with self._reading(lambda: "the published checkpoint") as read:
            return get_published(read, self._tables)

    def vault(self) -> VaultMark | None:
        """Read the vault's mark alone."""
        with self._reading(lambda: "the vault mark") as read:
            return get_vault(read, self._tables)

    def count(self, table: bytes) -> int:
        """Count the items of a table."""
        with self._reading(lambda: f"table {table.decode()}") as read:
            return read.stat(self._tables.named[table])["entries"]

    def last_head(self) -> Head | None:
        """Read the last head alone; None when there is none at all."""
        with self._reading(lambda: "the last head") as read:
            return get_last_head(read, self._tables)

    def maintain(self) -> int:
        """Free the slots of readers that died; give their number.

        To be called every minute: a dead reader keeps every freed page from being
        used again, and the file grows.
        """
        self._check_usable()
        return self._env.reader_check()

    def close(self) -> None:
        """Wait for the reads that are under way, and release everything."""
        with self._writer, self._map.alone():
            self._is_closed = True
            self._env.close()

    def _read_chunk(self, table: bytes, start: bytes) -> list[tuple[bytes, bytes]]:
        """Copy the next items of a table, up to a bound in items and in bytes."""
        chunk: list[tuple[bytes, bytes]] = []
        size = 0
        with self._reading(lambda: f"table {table.decode()}") as read:
            cursor = read.cursor(self._tables.named[table])
            if not cursor.set_range(start):
                return chunk
            for key, value in islice(cursor.iternext(), _CHUNK_ITEMS):
                chunk.append((bytes(key), bytes(value)))
                size += len(value)
                if size >= _CHUNK_BYTES:
                    break
        return chunk

    def _read_keys(self, table: bytes, start: bytes) -> list[bytes]:
        """Copy the next keys of a table, up to a bound."""
        with self._reading(lambda: f"table {table.decode()}") as read:
            cursor = read.cursor(self._tables.named[table])
            if not cursor.set_range(start):
                return []
            keys = cursor.iternext(keys=True, values=False)
            return [bytes(key) for key in islice(keys, _CHUNK_ITEMS)]

    def _reading(self, where: Callable[[], str]) -> Reading:
        """Open a read transaction; `where` names what is read, for an error."""
        self._check_usable()
        return Reading(self._map, where)

    @contextmanager
    def _writing(self, need: int) -> Iterator[lmdb.Transaction[memoryview]]:
        """Open the write transaction; durable when this ends without an error.

        After any error but a stale parent, nothing is written through this object.
        """
        with self._writer:
            self._check_usable()
            if self._failure is not None:
                raise StoreError(f"the store takes no more writes: {self._failure}")
            try:
                self._map.make_room(need)
                with self._env.begin(write=True, buffers=True) as write:
                    yield write
            except StaleParentError:
                raise
            except lmdb.Error as error:
                self._failure = (
                    f"the write failed: {error}{shortage(self._place, need)}"
                )
                raise StoreError(self._failure) from error
            except BaseException as error:
                self._failure = str(error)
                raise

    def _check_usable(self) -> None:
        """Raise StoreError in a forked process, or once closed."""
        if os.getpid() != self._pid:
            raise StoreError("the store was opened by the process this was forked from")
        if self._is_closed:
            raise StoreError("the store is closed")


def open_store(
    directory: Path,
    *,
    read_only: bool = False,
    is_watched: bool = False,
    map_bytes: int = MAP_BYTES,
) -> LmdbStore:
    """Open the store in `directory`, which `create_store` made.

    Raises NotInitialisedError, IntegrityError, or UsageError for a newer format; never
    makes anything.  Who is to write, in one process, has the file walked first, and may
    say that an anchor or witnesses are asked before anything is signed: `is_watched`.
    """
    env = open_environment(
        directory,
        read_only=read_only,
        map_bytes=map_bytes,
        look=None if read_only else partial(require_structure, is_watched=is_watched),
    )
    try:
        return LmdbStore(env)
    except BaseException:
        env.close()
        raise


def create_store(directory: Path, first: Commit, *, map_bytes: int = MAP_BYTES) -> None:
    """Make a store in an empty directory with a log's first commit, its genesis.

    Durable when this returns, but for the name of the directory itself.  Raises
    UsageError when there is a store already, StoreError when it cannot be made.
    """
    check_parent(first, None)
    check_step(first, None)
    about = _about(first.entries[0])
    check_sides(first, None, kind=about.kind)
    env = create_environment(directory, map_bytes=map_bytes)
    try:
        with closing(env), env.begin(write=True, buffers=True) as write:
            tables = Tables(env, write, create=True)
            for key, value in pack_about(about):
                write.put(key, value, db=tables.meta)
            if about.kind == EVENTS:
                tables.open_sides(env, write, create=True)
            put_commit(write, tables, first)
    except lmdb.Error as error:
        raise StoreError(f"cannot make a store at {directory}: {error}") from error
    sync_names(directory)


def _about(entry: bytes) -> About:
    try:
        genesis = parse_genesis(entry)
    except MalformedError as error:
        raise StoreError(f"entry 0 is no genesis entry: {error}") from error
    return About(genesis.kind, genesis.origin, genesis.time_ms)


def _name(node: Node) -> str:
    """Name a node by its row and its place in it."""
    row = f"row {node.level}/{node.position >> 8}"
    return f"node {node.level}/{node.position} ({row})"
