"""The suite of stores, continued: what a log of events stores beside its leaves.

Run as the cases of `conformance` are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from tallystick_merkle.genesis import EVENTS
from tallystick_server.errors import StoreError
from tallystick_server.storage.base import (
    EVENT_ID_SIZE,
    Commit,
    Side,
    StoredLog,
    StoredRecord,
    UsedId,
    VaultMark,
)
from tallystick_server.storage.conformance import (
    Steps,
    Workbench,
    entries_of,
    error_of,
)
from tallystick_server.storage.rules import MAX_INDEX_ENTRY, MAX_OWNER

VAULT = VaultMark(b"v" * 16, 7, b"c" * 16)
"""The mark of the vault in these cases."""


def with_events(
    commit: Commit,
    *,
    indexes: Sequence[int] = (),
    mark: VaultMark = VAULT,
    record: bytes = b"",
) -> Commit:
    """Make entries of a commit events: those at `indexes`, or all of them."""
    chosen = indexes or range(commit.parent_size, commit.head.size)
    sides = tuple(
        Side(
            index,
            id_of(index),
            f"producer {index % 3}",
            b"index entry %d" % index,
            record or b"record %d" % index,
        )
        for index in chosen
    )
    return replace(commit, sides=sides, vault=mark)


def id_of(index: int) -> bytes:
    """Make the event id of an entry; they do not ascend."""
    return sha256(b"id %d" % index).digest()[:EVENT_ID_SIZE]


def the_records_of_events_outlive_the_object(bench: Workbench) -> None:
    """Records, ids and the mark are read as they were stored, also reopened."""
    steps = Steps()
    store = bench.create(steps.first(kind=EVENTS))
    commits = [
        with_events(steps.next(entries_of(3))),
        steps.next(entries_of(2)),
        with_events(
            steps.next(entries_of(600)), indexes=[7, 9, 300], mark=_later(VAULT)
        ),
    ]
    for commit in commits:
        store.commit(commit)

    for _ in range(2):
        found = store.find_ids([id_of(index) for index in range(606)])
        assert dict(found) == _ids_of(commits)
        assert store.read_records(0, 606) == _records_of(commits)
        assert [one.index for one in store.read_records(2, 9)] == [2, 3, 7]
        assert store.load() == StoredLog(commits[-1].head, None, _later(VAULT))
        store = bench.reopen(store)
    store.close()


def what_has_no_record_is_left_out(bench: Workbench) -> None:
    """Ranges without any record, empty ones, and those behind the end give nothing."""
    steps = Steps()
    store = bench.create(steps.first(kind=EVENTS))

    assert store.load().vault is None
    store.commit(with_events(steps.next(entries_of(3)), indexes=[2]))

    for start, stop in ((0, 2), (2, 2), (3, 4), (3, 2), (4, 99)):
        assert store.read_records(start, stop) == []
    assert [one.index for one in store.read_records(0, 99)] == [2]
    assert store.find_ids([]) == store.find_ids([id_of(1)]) == {}
    for wrong in (b"", bytes(EVENT_ID_SIZE - 1), bytes(EVENT_ID_SIZE + 1)):
        error_of(StoreError, store.find_ids, [wrong])
    store.close()


def an_event_id_is_used_once(bench: Workbench) -> None:
    """An id that is there already, or twice in a commit, refuses the whole commit."""
    steps = Steps()
    store = bench.create(steps.first(kind=EVENTS))
    store.commit(with_events(steps.next(entries_of(2))))
    again = with_events(steps.plan(entries_of(2)))
    one, other = again.sides
    wrong_sides = [
        (replace(one, event_id=id_of(1)), other),
        (one, replace(other, event_id=one.event_id)),
    ]

    for wrong in wrong_sides:
        error_of(StoreError, store.commit, replace(again, sides=wrong))
        store = bench.reopen(store)

    assert store.load().head.size == 3
    assert store.read_records(3, 5) == []
    assert store.find_ids([one.event_id, other.event_id]) == {}
    store.commit(again)
    store.close()


def a_side_that_no_log_makes_is_refused(bench: Workbench) -> None:
    """A side beside no entry of its commit, or of a wrong shape, is refused."""
    steps = Steps()
    store = bench.create(steps.first(kind=EVENTS))
    good = with_events(steps.plan(entries_of(2)))
    one, other = good.sides
    wrong_sides = [
        (replace(one, index=0), other),
        (one, replace(other, index=3)),
        (other, one),
        (one, one),
        (replace(one, event_id=b"short"), other),
        (replace(one, owner=""), other),
        (replace(one, owner="o" * (MAX_OWNER + 1)), other),
        (replace(one, record=b""), other),
        (replace(one, index_entry=b""), other),
        (replace(one, index_entry=bytes(MAX_INDEX_ENTRY + 1)), other),
    ]
    wrong_steps = [replace(good, sides=sides) for sides in wrong_sides]
    wrong_steps.append(replace(good, vault=None))

    for wrong in wrong_steps:
        error_of(StoreError, store.commit, wrong)
        store = bench.reopen(store)

    assert store.load().head.size == 1
    store.commit(good)
    store.close()


def the_vault_mark_never_goes_back(bench: Workbench) -> None:
    """A mark of an earlier state, another branch, another vault, or none is refused."""
    steps = Steps()
    store = bench.create(steps.first(kind=EVENTS))
    store.commit(with_events(steps.next(entries_of(1))))
    good = with_events(steps.plan(entries_of(1)))
    marks = [
        replace(VAULT, count=VAULT.count - 1),
        replace(VAULT, vault_id=b"w" * 16),
        replace(VAULT, vault_id=b"short"),
        replace(_later(VAULT), vault_id=b"w" * 16),
        replace(VAULT, count=2**64),
        replace(VAULT, chain=b"d" * 16),
        replace(_later(VAULT), chain=b"short"),
    ]

    for mark in marks:
        error_of(StoreError, store.commit, replace(good, vault=mark))
        store = bench.reopen(store)

    store.commit(good)
    store.commit(with_events(_after(steps), mark=_later(VAULT)))
    assert store.load().vault == _later(VAULT)
    store.close()


def a_raw_log_keeps_no_records(bench: Workbench) -> None:
    """A log of another kind takes neither sides nor a mark, and has none."""
    steps = Steps()
    store = bench.create(steps.first())
    good = steps.plan(entries_of(1))

    for wrong in (with_events(good), replace(good, vault=VAULT)):
        error_of(StoreError, store.commit, wrong)
        store = bench.reopen(store)

    store.commit(good)
    assert store.read_records(0, 2) == []
    assert store.find_ids([id_of(1)]) == {}
    assert store.load().vault is None
    store.close()


def records_may_be_large_and_many(bench: Workbench) -> None:
    """The longest index entry, a long record and owner, and thousands at once."""
    steps = Steps()
    store = bench.create(steps.first(kind=EVENTS))
    large = with_events(steps.next(entries_of(2)), record=bytes(70_000))
    one, other = large.sides
    one = replace(one, index_entry=bytes(MAX_INDEX_ENTRY), owner="ü" * 127)
    large = replace(large, sides=(one, other))
    many = with_events(steps.next(entries_of(5_000)), record=bytes(700))

    store.commit(large)
    store.commit(many)

    assert store.read_records(1, 5_003) == _records_of([large, many])
    assert store.find_ids([one.event_id])[one.event_id].owner == "ü" * 127
    assert len(store.find_ids([side.event_id for side in many.sides])) == 5_000
    store.close()


def a_closed_store_gives_no_records(bench: Workbench) -> None:
    """Nothing of an event is read after closing."""
    store = bench.create(Steps().first(kind=EVENTS))

    store.close()

    error_of(StoreError, store.find_ids, [id_of(0)])
    error_of(StoreError, store.read_records, 0, 1)


EVENT_CASES: tuple[Callable[[Workbench], None], ...] = (
    the_records_of_events_outlive_the_object,
    what_has_no_record_is_left_out,
    an_event_id_is_used_once,
    a_side_that_no_log_makes_is_refused,
    the_vault_mark_never_goes_back,
    a_raw_log_keeps_no_records,
    records_may_be_large_and_many,
    a_closed_store_gives_no_records,
)
"""Every case of this part of the suite."""


def _later(mark: VaultMark) -> VaultMark:
    return replace(mark, count=mark.count + 1, chain=b"e" * 16)


def _after(steps: Steps) -> Commit:
    """Make the commit after one that was only planned."""
    steps.next(entries_of(1))
    return steps.next(entries_of(1))


def _ids_of(commits: Sequence[Commit]) -> Mapping[bytes, UsedId]:
    return {
        side.event_id: UsedId(side.index, side.owner, commit.head.time_ms)
        for commit in commits
        for side in commit.sides
    }


def _records_of(commits: Sequence[Commit]) -> list[StoredRecord]:
    return [
        StoredRecord(side.index, side.index_entry, side.record)
        for commit in commits
        for side in commit.sides
    ]
