"""Check what a log of events stores beside its leaves: records, event ids, the mark.

    records   each event has one that fits its leaf, and nothing else has
    ids       that of each record stands for its event, and nothing else is stored
    mark      there is a state of the vault as soon as there is an event

One damage is one problem.  Where an entry is not the one whose hash is stored, the
entry is at fault, which `treecheck` says, and not its record; and where a record cannot
be read, the id that stands for its event is taken for the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tallystick_merkle.hashing import HASH_SIZE, leaf_hash
from tallystick_merkle.leaf import is_event_leaf
from tallystick_merkle.sealing import Record
from tallystick_server.errors import IntegrityError
from tallystick_server.log.eventcheck import check_id, check_record
from tallystick_server.log.findings import Findings, Kind, Problem
from tallystick_server.storage.base import StoredRecord, UsedId
from tallystick_server.storage.lmdb import LmdbStore
from tallystick_server.storage.records import unpack_index
from tallystick_server.storage.sides import IDS, RECORDS, unpack_record, unpack_used_id

CHUNK = 1024
"""Entries that are checked together."""


class SideCheck:
    """Checks the sides of a log of `size` entries; `events` counts those that are.

    `latest` gives the size now: what another process commits meanwhile belongs there.
    """

    def __init__(
        self,
        store: LmdbStore,
        size: int,
        findings: Findings,
        *,
        latest: Callable[[], int],
    ) -> None:
        """Look into `store`; report to `findings`."""
        self._store = store
        self._size = size
        self._findings = findings
        self._latest = latest
        self._end = size  # the records from here on cannot be read
        self._unknown: set[int] = set()  # events whose id their record does not tell
        self._told: set[bytes] = set()  # ids that were reported
        self._found = 0  # ids that were found for a record
        self.events = 0

    def run(self) -> None:
        """Check everything."""
        rows = self._records()
        row = next(rows, None)
        for start in range(0, self._size, CHUNK):
            stop = min(start + CHUNK, self._size)
            chunk: dict[int, StoredRecord | None] = {}
            while row is not None and row[0] < stop:
                chunk[row[0]] = row[1]
                row = next(rows, None)
            self._check_chunk(start, stop, chunk)
        for _ in rows:  # those beyond the end are reported as they are read
            pass
        self._check_extra_ids()
        self._check_mark()

    def _records(self) -> Iterator[tuple[int, StoredRecord | None]]:
        """Read the records up to the size; None stands for one that is damaged."""
        end = 0
        try:
            for key, value in self._store.scan(RECORDS):
                try:
                    index = unpack_index(key, table=RECORDS)
                except IntegrityError as error:
                    self._report(Kind.RECORD, str(error))
                    continue
                if index >= self._size:
                    if index >= self._latest():
                        text = f"record {index} is stored beyond the last head"
                        self._report(Kind.RECORD, text, index)
                    continue
                end = index + 1
                try:
                    yield index, unpack_record(index, value)
                except IntegrityError as error:
                    self._report(Kind.RECORD, str(error), index)
                    yield index, None
        except IntegrityError as error:
            self._end = end
            self._report(Kind.STORE, str(error))

    def _check_chunk(
        self, start: int, stop: int, records: Mapping[int, StoredRecord | None]
    ) -> None:
        """Check the records of entries [start, stop), and then their ids."""
        sound: dict[int, Record] = {}
        for index, entry in enumerate(self._read_entries(start, stop), start):
            is_event = entry is not None and is_event_leaf(entry)
            if is_event != (index in records) and not self._is_amiss(index, entry):
                continue
            if not is_event and index not in records:
                continue
            self.events += 1
            record = self._check_one(index, entry or b"", records.get(index))
            if record is not None:
                sound[index] = record
            else:
                self._unknown.add(index)
        self._check_ids(sound)

    def _is_amiss(self, index: int, entry: bytes | None) -> bool:
        """Report an event without a record, or a record without an event.

        Give whether there is an event nevertheless.
        """
        is_own = entry is not None and self._is_stored(index, entry)
        if entry is not None and is_event_leaf(entry):
            if is_own and index < self._end:
                self._report(Kind.RECORD, f"record {index} is missing", index)
            return is_own
        if is_own:
            self._report(Kind.RECORD, f"record {index} is that of no event", index)
        return not is_own

    def _check_one(
        self, index: int, entry: bytes, stored: StoredRecord | None
    ) -> Record | None:
        """Check the record of an event; None where it is not sound."""
        if stored is None:
            return None
        try:
            return check_record(entry, stored)
        except IntegrityError as error:
            if self._is_stored(index, entry):
                self._report(Kind.RECORD, str(error), index)
            return None

    def _read_entries(self, start: int, stop: int) -> list[bytes | None]:
        """Read entries; None stands for one that cannot be read."""
        try:
            return [*self._store.read_entries(start, stop)]
        except IntegrityError:
            if stop - start == 1:
                return [None]
            ones = [self._read_entries(at, at + 1) for at in range(start, stop)]
            return [entry for one in ones for entry in one]

    def _is_stored(self, index: int, entry: bytes) -> bool:
        """Whether an entry is the one whose hash is stored."""
        try:
            row = self._store.read_row(0, index >> 8)
        except IntegrityError:
            return False
        at = (index & 255) * HASH_SIZE
        return row[at : at + HASH_SIZE] == leaf_hash(entry)

    def _check_ids(self, records: Mapping[int, Record]) -> None:
        """Check that the id of each record stands for its event."""
        ids = [record.event_id for record in records.values()]
        try:
            used = self._store.find_ids(ids)
        except IntegrityError:
            used = self._find_each(ids)
        for index, record in records.items():
            event_id = record.event_id
            self._found += event_id in used
            try:
                check_id(index, record, used.get(event_id))
            except IntegrityError as error:
                self._report_id(event_id, str(error), index)

    def _find_each(self, ids: list[bytes]) -> Mapping[bytes, UsedId]:
        """Look up ids one by one; report those that are damaged."""
        found: dict[bytes, UsedId] = {}
        for event_id in ids:
            try:
                found.update(self._store.find_ids([event_id]))
            except IntegrityError as error:
                self._report_id(event_id, str(error))
        return found

    def _check_extra_ids(self) -> None:
        """Find ids that stand for no event; read them only where the counts differ."""
        if self._store.count(IDS) == self._found:
            return
        try:
            for key, value in self._store.scan(IDS):
                if key not in self._told:
                    self._check_id_row(key, value)
        except IntegrityError as error:
            self._report(Kind.STORE, str(error))

    def _check_id_row(self, event_id: bytes, value: bytes) -> None:
        try:
            used = unpack_used_id(event_id, value)
        except IntegrityError as error:
            self._report_id(event_id, str(error))
            return
        if used.index >= self._size:
            if used.index >= self._latest():
                self._report_stray(event_id, used)
        elif used.index not in self._unknown and not self._is_of(event_id, used.index):
            self._report_stray(event_id, used)

    def _is_of(self, event_id: bytes, index: int) -> bool:
        """Whether the event at an index, whose record is sound, has this id."""
        return any(
            check_record(self._store.read_entries(index, index + 1)[0], one).event_id
            == event_id
            for one in self._store.read_records(index, index + 1)
        )

    def _check_mark(self) -> None:
        try:
            mark = self._store.vault()
        except IntegrityError as error:
            self._report(Kind.META, str(error))
            return
        if mark is None and self.events:
            text = "table meta: there are events, and no vault that they depend on"
            self._report(Kind.META, text)

    def _report(self, kind: Kind, text: str, index: int | None = None) -> None:
        self._findings.add(Problem(kind, text, index=index))

    def _report_id(self, event_id: bytes, text: str, index: int | None = None) -> None:
        """Report an id, once."""
        if event_id not in self._told:
            self._told.add(event_id)
            self._report(Kind.ID, text, index)

    def _report_stray(self, event_id: bytes, used: UsedId) -> None:
        text = f"event id {event_id.hex()} is stored for entry {used.index}, which is "
        text += "not the event of that id"
        self._report_id(event_id, text, used.index)
