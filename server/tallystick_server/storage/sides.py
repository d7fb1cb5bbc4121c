"""The bytes of what a log of events stores beside its leaves.

    table    key           value
    records  u64 index     u16 length || index entry || record || seal
    ids      event id      u64 index || u64 time_ms || owner, UTF-8 || seal
    meta     "vault"       u64 count || 16-byte vault id || 16-byte chain || seal

Neither the records nor the index entries are in a leaf: it commits to them.  An entry
that no submitter sent, the genesis entry for one, has none.  `ids` says under which
index an event id was used, when, and by whom; `vault` is the newest state of the vault
that a stored event depends on.  Rules of bytes and errors are those of `records`.
"""

from __future__ import annotations

from struct import Struct

from tallystick_merkle.genesis import EVENTS
from tallystick_server.errors import IntegrityError
from tallystick_server.storage.base import (
    CHAIN_SIZE,
    EVENT_ID_SIZE,
    VAULT_ID_SIZE,
    Side,
    StoredRecord,
    UsedId,
    VaultMark,
)
from tallystick_server.storage.records import META, META_ITEMS, pack_index
from tallystick_server.storage.seals import SEAL_SIZE, seal, unseal

RECORDS = b"records"
IDS = b"ids"

SIDE_TABLES = (RECORDS, IDS)
"""The tables that a log of events has beside the others."""

VAULT = b"vault"
"""The key of the vault's mark in the table `meta`."""

_LENGTH = Struct(">H")
_ID = Struct(">QQ")
_VAULT = Struct(f">Q{VAULT_ID_SIZE}s{CHAIN_SIZE}s")


def meta_items(kind: str) -> frozenset[bytes]:
    """Every key of the table `meta` in a store of a kind of log."""
    return META_ITEMS | {VAULT} if kind == EVENTS else META_ITEMS


def pack_record(side: Side) -> bytes:
    """Write the record of an event and its index entry; the index is the key."""
    body = _LENGTH.pack(len(side.index_entry)) + side.index_entry + side.record
    return seal(RECORDS, pack_index(side.index), body)


def unpack_record(index: int, value: bytes | memoryview) -> StoredRecord:
    """Read the record of the event at an index."""
    what = f"record {index}"
    if len(value) <= _LENGTH.size + SEAL_SIZE:
        raise IntegrityError(f"{what}: {len(value)} bytes stored")
    body = unseal(RECORDS, pack_index(index), value, what=what)
    stop = _LENGTH.size + _LENGTH.unpack_from(body)[0]
    if not _LENGTH.size < stop < len(body):
        raise IntegrityError(f"{what}: an index entry of {stop - _LENGTH.size} bytes")
    return StoredRecord(index, body[_LENGTH.size : stop], body[stop:])


def pack_used_id(event_id: bytes, used: UsedId) -> bytes:
    """Write what an event id was used for."""
    body = _ID.pack(used.index, used.time_ms) + used.owner.encode()
    return seal(IDS, event_id, body)


def unpack_used_id(event_id: bytes, value: bytes | memoryview) -> UsedId:
    """Read what an event id was used for."""
    what = f"event id {event_id.hex()}"
    if len(event_id) != EVENT_ID_SIZE or len(value) <= _ID.size + SEAL_SIZE:
        raise IntegrityError(f"{what}: {len(value)} bytes stored")
    body = unseal(IDS, event_id, value, what=what)
    index, time_ms = _ID.unpack_from(body)
    try:
        owner = body[_ID.size :].decode()
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{what}: its owner is no text") from error
    return UsedId(index, owner, time_ms)


def pack_vault(mark: VaultMark) -> bytes:
    """Write the vault's mark."""
    return seal(META, VAULT, _VAULT.pack(mark.count, mark.vault_id, mark.chain))


def unpack_vault(value: bytes | memoryview) -> VaultMark:
    """Read the vault's mark."""
    if len(value) != _VAULT.size + SEAL_SIZE:
        raise IntegrityError(f"vault mark: {len(value)} bytes stored")
    body = unseal(META, VAULT, value, what="vault mark")
    count, vault_id, chain = _VAULT.unpack(body)
    return VaultMark(vault_id, count, chain)
