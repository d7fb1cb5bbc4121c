"""What is stored beside an event is that of its leaf, or is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tallystick_merkle.genesis import EVENTS
from tallystick_merkle.promotion import Promotion, format_promotion
from tallystick_merkle.sealing import Record, format_record, parse_record
from tallystick_merkle.tags import EPOCH, format_index_entry
from tallystick_server.errors import IntegrityError
from tallystick_server.log.eventcheck import check_id, check_record, check_records
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import StoredRecord, UsedId
from tests.fakes.logs import ORIGIN, memory_log, submission
from tests.fakes.sealed import OWNER, event_id, events, sealed

Stored = tuple[list[bytes], list[StoredRecord]]


@pytest.fixture(scope="module")
def stored() -> Stored:
    """A genesis entry, three events, an entry of the server's own, another event."""
    log = memory_log(EVENTS)
    writer = Writer(
        store=log.store,
        signer=log.signer,
        state=log.state,
        clock=log.clock,
        anchor=None,
    )
    writer.commit([events([1, 2, 3]), submission("own", b"own"), events([4])])
    return log.store.read_entries(0, 6), log.store.read_records(0, 6)


def test_records_that_are_sound_are_given_parsed(stored: Stored) -> None:
    entries, records = stored

    assert [one.event_id for one in check_records(0, entries, records)] == [
        event_id(number) for number in (1, 2, 3, 4)
    ]
    assert check_records(2, entries[2:3], records[1:2]) == [check_record(*pair(stored))]
    assert check_records(4, entries[4:5], []) == []
    assert check_records(3, [], []) == []


def test_the_entries_of_a_log_itself_have_no_record(stored: Stored) -> None:
    (genesis, *_), _ = stored
    promotion = format_promotion(
        Promotion(ORIGIN, 1_700_000_000_000, 9, bytes(32), bytes(16))
    )

    assert check_records(0, [genesis, promotion], []) == []


def pair(stored: Stored) -> tuple[bytes, StoredRecord]:
    """The leaf and the record of entry 2."""
    entries, records = stored
    return entries[2], records[1]


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ([0, 2, 3], "record 2 is missing"),
        ([0, 1, 2], "record 5 is missing"),
        ([], "record 1 is missing"),
    ],
)
def test_a_record_that_is_missing_is_named(
    stored: Stored, kept: list[int], text: str
) -> None:
    entries, records = stored

    with pytest.raises(IntegrityError, match=text):
        check_records(0, entries, [records[at] for at in kept])


@pytest.mark.parametrize("index", [0, 4])
def test_a_record_of_no_event_is_named(stored: Stored, index: int) -> None:
    entries, records = stored
    extra = sorted([*records, replace(records[0], index=index)], key=lambda x: x.index)

    with pytest.raises(IntegrityError, match=f"record {index} is that of no event"):
        check_records(0, entries, extra)


def test_an_index_entry_of_another_event_is_named(stored: Stored) -> None:
    leaf, record = pair(stored)
    other = format_index_entry(EPOCH, sealed(9).tags, sealed(9).blind)

    with pytest.raises(IntegrityError, match="record 2: its index entry is not that"):
        check_record(leaf, replace(record, index_entry=other))


def test_groups_of_another_event_are_named(stored: Stored) -> None:
    leaf, record = pair(stored)
    time_ms = parse_record(record.record).time_ms
    other = format_record(event_id(2), time_ms, sealed(9).groups)

    with pytest.raises(IntegrityError, match="record 2: its groups are not those"):
        check_record(leaf, replace(record, record=other))


def test_a_record_of_another_time_is_named(stored: Stored) -> None:
    leaf, record = pair(stored)
    other = format_record(event_id(2), 1_600_000_000_000, sealed(2).groups)

    with pytest.raises(IntegrityError, match="of time 1600000000000, its leaf of"):
        check_record(leaf, replace(record, record=other))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"record": b"rubbish"}, "record 2: malformed"),
        ({"index_entry": b"rubbish"}, "record 2: its index entry is not that"),
    ],
)
def test_what_does_not_parse_is_named(
    stored: Stored, change: dict[str, bytes], text: str
) -> None:
    leaf, record = pair(stored)
    wrong = StoredRecord(
        record.index,
        change.get("index_entry", record.index_entry),
        change.get("record", record.record),
    )

    with pytest.raises(IntegrityError, match=text):
        check_record(leaf, wrong)


def parsed(stored: Stored) -> Record:
    return check_record(*pair(stored))


def test_an_id_stands_for_the_event_of_its_record(stored: Stored) -> None:
    record = parsed(stored)

    check_id(2, record, UsedId(2, OWNER, record.time_ms))
    with pytest.raises(IntegrityError, match="of entry 2 is not stored"):
        check_id(2, record, None)
    for wrong in (UsedId(3, OWNER, record.time_ms), UsedId(2, OWNER, 5)):
        with pytest.raises(IntegrityError, match=f"stored for entry {wrong.index} and"):
            check_id(2, record, wrong)
