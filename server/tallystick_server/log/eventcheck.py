"""Check what is stored beside an event against its leaf, which the tree vouches for.

    index entry   hashes to the X of the leaf
    record        its group digests come to the commitment C of the leaf, and it is of
                  the same time
    event id      is used for the event of that index, at its time

What is inside the groups only their keys can tell: see `sealing.open_group`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tallystick_merkle.errors import KernelError
from tallystick_merkle.leaf import is_event_leaf, parse_leaf
from tallystick_merkle.sealing import Record, parse_record, record_commitment
from tallystick_merkle.tags import index_digest
from tallystick_server.errors import IntegrityError
from tallystick_server.storage.base import StoredRecord, UsedId


def check_record(leaf: bytes, stored: StoredRecord) -> Record:
    """Check the record of the event whose leaf this is; give it, parsed.

    Raises IntegrityError naming the record.
    """
    what = f"record {stored.index}"
    try:
        time_ms, commitment, digest = parse_leaf(leaf)
        record = parse_record(stored.record)
    except KernelError as error:
        raise IntegrityError(f"{what}: {error}") from error
    if index_digest(stored.index_entry) != digest:
        raise IntegrityError(f"{what}: its index entry is not that of the leaf")
    if record_commitment(record) != commitment:
        raise IntegrityError(f"{what}: its groups are not those of the leaf")
    if record.time_ms != time_ms:
        raise IntegrityError(
            f"{what}: it is of time {record.time_ms}, its leaf of {time_ms}"
        )
    return record


def check_id(index: int, record: Record, used: UsedId | None) -> None:
    """Check what the id of a record is used for; `record` is that of `index`.

    Raises IntegrityError naming the id.
    """
    what = f"event id {record.event_id.hex()} of entry {index}"
    if used is None:
        raise IntegrityError(f"{what} is not stored")
    if (used.index, used.time_ms) != (index, record.time_ms):
        raise IntegrityError(
            f"{what} and time {record.time_ms} is stored for entry {used.index} and "
            f"time {used.time_ms}"
        )


def check_records(
    start: int, entries: Sequence[bytes], found: Sequence[StoredRecord]
) -> list[Record]:
    """Check the records of the entries from `start` on; give them, parsed.

    Each event has one, and nothing else has.  Raises IntegrityError for the first
    that is wrong or missing.
    """
    events = [
        (index, entry)
        for index, entry in enumerate(entries, start)
        if is_event_leaf(entry)
    ]
    if [stored.index for stored in found] != [index for index, _ in events]:
        expected = {index for index, _ in events}
        wrong = min(expected ^ {stored.index for stored in found})
        missing = "is missing" if wrong in expected else "is that of no event"
        raise IntegrityError(f"record {wrong} {missing}")
    return [
        check_record(leaf, stored)
        for (_, leaf), stored in zip(events, found, strict=True)
    ]
