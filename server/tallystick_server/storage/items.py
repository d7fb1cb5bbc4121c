"""What is read and put inside one LMDB transaction; whoever calls opens and ends it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import lmdb

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.storage.base import (
    Commit,
    Head,
    Published,
    StoredRecord,
    UsedId,
    VaultMark,
)
from tallystick_server.storage.environment import Tables
from tallystick_server.storage.records import (
    HEADS,
    PUBLISHED,
    pack_head,
    pack_index,
    pack_published,
    pack_row_key,
    pack_used_key,
    unpack_head,
    unpack_index,
    unpack_published,
)
from tallystick_server.storage.sides import (
    RECORDS,
    VAULT,
    pack_record,
    pack_used_id,
    pack_vault,
    unpack_record,
    unpack_used_id,
    unpack_vault,
)

Transaction = lmdb.Transaction


def get_last_head(read: Transaction[memoryview], tables: Tables) -> Head | None:
    """Read the head of the largest size; None when there is none at all."""
    cursor = read.cursor(tables.heads)
    if not cursor.last():
        return None
    return unpack_head(unpack_index(cursor.key(), table=HEADS), cursor.value())


def get_published(read: Transaction[memoryview], tables: Tables) -> Published | None:
    """Read the published checkpoint."""
    value = read.get(PUBLISHED, db=tables.meta)
    return None if value is None else unpack_published(value)


def get_vault(read: Transaction[memoryview], tables: Tables) -> VaultMark | None:
    """Read the vault's mark; None in a log that has no event yet."""
    value = read.get(VAULT, db=tables.meta) if tables.sides is not None else None
    return None if value is None else unpack_vault(value)


def get_ids(
    read: Transaction[memoryview], tables: Tables, ids: Sequence[bytes]
) -> dict[bytes, UsedId]:
    """Look up event ids."""
    found: dict[bytes, UsedId] = {}
    if tables.sides is None:
        return found
    table = tables.sides.ids
    for event_id in ids:
        value = read.get(event_id, db=table)
        if value is not None:
            found[event_id] = unpack_used_id(event_id, value)
    return found


def get_records(
    read: Transaction[memoryview], tables: Tables, start: int, stop: int
) -> list[StoredRecord]:
    """Read the records of entries [start, stop) that have one."""
    found: list[StoredRecord] = []
    if tables.sides is None or start >= stop:
        return found
    cursor = read.cursor(tables.sides.records)
    if not cursor.set_range(pack_index(start)):
        return found
    for key, value in cursor.iternext():
        index = unpack_index(key, table=RECORDS)
        if index >= stop:
            break
        found.append(unpack_record(index, value))
    return found


def get_entries(
    read: Transaction[memoryview], tables: Tables, start: int, stop: int
) -> list[bytes]:
    """Read entries [start, stop); raise IntegrityError for the first one missing.

    So many keys in order, and the first and the last one right: none is missing.
    Otherwise each entry is looked up by itself.
    """
    cursor = read.cursor(tables.entries)
    if start < stop and cursor.set_key(pack_index(start)):
        values = cursor.iternext(keys=False, values=True)
        entries = [bytes(entry) for entry in islice(values, stop - start)]
        if cursor.key() == pack_index(stop - 1):
            return entries
    return [_get_entry(read, tables, index) for index in range(start, stop)]


def _get_entry(read: Transaction[memoryview], tables: Tables, index: int) -> bytes:
    entry = read.get(pack_index(index), db=tables.entries)
    if entry is None:
        raise IntegrityError(f"entry {index} is not stored")
    return bytes(entry)


def put_published(
    write: Transaction[memoryview], tables: Tables, published: Published
) -> None:
    """Put the published checkpoint."""
    write.put(PUBLISHED, pack_published(published), db=tables.meta)


def put_commit(write: Transaction[memoryview], tables: Tables, commit: Commit) -> None:
    """Put a checked commit; raise StoreError where it collides with what is stored."""
    start = commit.parent_size
    entries = [
        (pack_index(index), entry) for index, entry in enumerate(commit.entries, start)
    ]
    rows = [(pack_row_key(row.level, row.block), row.hashes) for row in commit.rows]
    keys = sorted((key, pack_used_key(key, used)) for key, used in commit.keys)
    value = pack_head(commit.head, parent=commit.parent_size)
    head = (pack_index(commit.head.size), value)
    done = [
        write.cursor(tables.entries).putmulti(entries, append=True),
        write.cursor(tables.rows).putmulti(rows),
        write.cursor(tables.keys).putmulti(keys, overwrite=False),
        write.cursor(tables.heads).putmulti([head], append=True),
    ]
    done += _put_sides(write, tables, commit)
    if any(consumed != added for consumed, added in done):
        raise StoreError(
            f"the commit of size {commit.head.size} collides with what is stored"
        )


def _put_sides(
    write: Transaction[memoryview], tables: Tables, commit: Commit
) -> list[tuple[int, int]]:
    """Put the sides of a commit, and its vault mark; tell what was put of each."""
    if commit.vault is not None:
        write.put(VAULT, pack_vault(commit.vault), db=tables.meta)
    if tables.sides is None:
        return []
    time_ms = commit.head.time_ms
    records = [(pack_index(side.index), pack_record(side)) for side in commit.sides]
    ids = sorted(
        (
            side.event_id,
            pack_used_id(side.event_id, UsedId(side.index, side.owner, time_ms)),
        )
        for side in commit.sides
    )
    return [
        write.cursor(tables.sides.records).putmulti(records, append=True),
        write.cursor(tables.sides.ids).putmulti(ids, overwrite=False),
    ]
