"""Events through a whole log: acked, proven, found again, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tallystick_merkle.errors import ProofError
from tallystick_merkle.genesis import EVENTS
from tallystick_merkle.hashing import leaf_hash, leaf_hashes
from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.rangeproof import RangeTree, range_shape
from tallystick_merkle.receipt import Status, parse_receipt
from tallystick_merkle.sealing import parse_record
from tallystick_server.errors import (
    IntegrityError,
    NotFoundError,
    QueueFullError,
    SigningStoppedError,
    StoreError,
    UnavailableError,
)
from tallystick_server.log import answers
from tallystick_server.log.events import EventPlace, IdTaken
from tallystick_server.log.log import Log
from tallystick_server.log.reader import Reader
from tallystick_server.log.sequencer import EventAck, QueueLimits, Sequencer
from tallystick_server.log.startup import load_state
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import LogStore, StoredRecord, UsedId
from tests.fakes.faults import FaultyStore
from tests.fakes.logs import MemoryLog, check_log, log_key, memory_log, submission
from tests.fakes.sealed import OWNER, VAULT, event_id, events
from tests.unit.server.log.test_answers import verdict
from tests.unit.server.log.test_log import Bench
from tests.unit.server.log.test_sequencer import GateStore


def opened() -> Log:
    return Bench(kind=EVENTS).open()


def places(ack: EventAck) -> list[EventPlace]:
    found = [one for one in ack.outcome.places if isinstance(one, EventPlace)]
    assert len(found) == len(ack.outcome.places)
    return found


async def test_each_event_of_an_ack_has_a_receipt_that_verifies() -> None:
    log = opened()
    await log.append_events(events(range(300)))

    ack = await log.append_events(events([298, 299, 300, 301]))
    repeat = await log.append_events(events([300, 5]))

    for one in (ack, repeat):
        for place in places(one):
            receipt = answers.single_event(log, one, place, leaf_hash(place.leaf))
            assert verdict(receipt, place.leaf) is Status.PROMISED
            assert parse_receipt(receipt).index == place.index
            assert parse_leaf(place.leaf).time_ms == place.time_ms
    await log.close()
    assert [place.is_repeat for place in places(ack)] == [True, True, False, False]
    assert [place.index for place in places(repeat)] == [301, 6]
    assert (ack.tree is not None, repeat.tree) == (True, None)


async def test_the_new_events_of_an_ack_are_proven_together() -> None:
    log = opened()
    await log.append_events(events(range(300)))
    ack = await log.append_events(events([1, 300, 301, 2, 302]))

    fresh = [place.leaf for place in places(ack) if not place.is_repeat]
    proof = answers.event_batch(log, ack, leaf_hashes(fresh))
    await log.close()

    assert (ack.outcome.first, ack.outcome.count) == (301, 3)
    RangeTree(
        range_shape(start=301, stop=304, size=proof.size),
        leaves=leaf_hashes(fresh),
        left=proof.left,
        right=proof.right,
        root=answers.root_of(proof.note),
    )


async def test_a_receipt_for_another_leaf_never_leaves() -> None:
    log = opened()
    ack = await log.append_events(events([1, 2]))
    one, other = places(ack)

    with pytest.raises(IntegrityError, match="does not verify"):
        answers.single_event(log, ack, one, leaf_hash(other.leaf))
    with pytest.raises(IntegrityError, match="does not verify"):
        answers.event_batch(log, ack, leaf_hashes([other.leaf, one.leaf]))
    await log.close()
    assert log.doubt is not None


async def test_the_same_id_sent_at_once_is_stored_once() -> None:
    bench = Bench(kind=EVENTS)
    log = bench.open()

    acks = await asyncio.gather(*(log.append_events(events([7])) for _ in range(20)))
    others = await log.append_events(events([7], owner="another"))
    await log.close()

    found = [place for ack in acks for place in places(ack)]
    assert [place.is_repeat for place in found].count(False) == 1
    assert {(place.index, place.leaf) for place in found} == {(1, found[0].leaf)}
    assert others.outcome.places == (IdTaken(),)
    assert len(check_log(bench.inner.store)) == 2


async def test_a_log_that_is_no_log_of_events_takes_none() -> None:
    log = Bench().open()

    with pytest.raises(NotFoundError, match="takes no events"):
        await log.append_events(events([1]))
    await log.close()
    with pytest.raises(UnavailableError, match="read-only"):
        await Bench(kind=EVENTS).log.append_events(events([1]))


async def test_an_entry_of_the_servers_own_stands_among_events() -> None:
    log = opened()
    await log.append_events(events([1]))
    ack = await log.append(submission("own", b"an entry of the server"))
    await log.append_events(events([2]))

    rows = log.reader.records(0, log.head.size)
    await log.close()

    assert ack.placed.first == 2
    assert [index for index, _, _ in rows] == [1, 3]
    assert parse_record(rows[1][2]).event_id == event_id(2)


async def test_an_event_is_found_once_it_is_released_and_not_before() -> None:
    bench = Bench(kind=EVENTS)
    log = bench.open()
    behind = Reader(bench.inner.store, bench.inner.state.head)
    ack = await log.append_events(events([1, 2]))
    await log.close()
    (_, place) = places(ack)

    assert log.reader.find_event(event_id(2)) == UsedId(2, OWNER, place.time_ms)
    assert log.reader.find_event(event_id(3)) is None
    assert behind.find_event(event_id(2)) is None
    with pytest.raises(ProofError, match=r"no entries \[0, 3\) at size 1"):
        behind.records(0, 3)


async def test_records_are_read_over_several_bundles() -> None:
    log = opened()
    await log.append_events(events(range(600)))
    await log.close()

    for start, stop in ((0, 601), (1, 2), (255, 258), (256, 512), (600, 601), (9, 9)):
        rows = log.reader.records(start, stop)
        assert [index for index, _, _ in rows] == list(range(max(start, 1), stop))
    with pytest.raises(ProofError, match="no entries"):
        log.reader.records(5, 4)
    with pytest.raises(ProofError, match="no entries"):
        log.reader.records(5, 602)


class Rotten(FaultyStore):
    """A store in which entries, records and ids are wrong, once it is told so."""

    def __init__(self, inner: LogStore) -> None:
        super().__init__(inner)
        self.entry: tuple[int, bytes] | None = None
        self.records: dict[int, StoredRecord | None] = {}
        self.ids: dict[bytes, UsedId | None] = {}

    def read_entries(self, start: int, stop: int) -> list[bytes]:
        found = super().read_entries(start, stop)
        if self.entry is not None and start <= self.entry[0] < stop:
            found[self.entry[0] - start] = self.entry[1]
        return found

    def read_records(self, start: int, stop: int) -> list[StoredRecord]:
        found = [
            self.records.get(one.index, one)
            for one in super().read_records(start, stop)
        ]
        return [one for one in found if one is not None]

    def find_ids(self, ids: Sequence[bytes]) -> Mapping[bytes, UsedId]:
        found = {**super().find_ids(ids), **self.ids}
        return {one: used for one, used in found.items() if used and one in ids}


def filled(count: int = 9) -> tuple[MemoryLog, Rotten]:
    """A log of events in memory, and its store, to be damaged."""
    log = memory_log(EVENTS)
    writer_of(log).commit([events(range(count))])
    return log, Rotten(log.store)


def writer_of(log: MemoryLog, store: LogStore | None = None) -> Writer:
    state, _ = load_state(log.store, log_key().verifier)
    return Writer(
        store=store or log.store,
        signer=log.signer,
        state=state,
        clock=log.clock,
        anchor=None,
    )


def test_a_record_that_does_not_fit_its_leaf_is_told_and_not_given_out() -> None:
    log, store = filled()
    told: list[str] = []
    reader = Reader(store, log.store.load().head)
    reader.watch(told.append)
    one, other = log.store.read_records(3, 5)
    store.records = {3: replace(one, record=other.record)}

    with pytest.raises(IntegrityError, match="record 3: its groups are not those"):
        reader.records(1, 9)
    store.records = {3: None}
    with pytest.raises(IntegrityError, match="record 3 is missing"):
        reader.records(1, 9)
    store.records, store.entry = {}, (3, log.store.read_entries(4, 5)[0])
    with pytest.raises(IntegrityError, match="entry 3 does not lead to the signed"):
        reader.records(1, 9)

    assert len(told) == 3
    assert [index for index, _, _ in reader.records(4, 9)] == [4, 5, 6, 7, 8]


def test_a_log_of_events_loads_as_it_was_left() -> None:
    log, _ = filled(300)

    state, _ = load_state(log.store, log_key().verifier)
    state_before, _ = load_state(memory_log(EVENTS).store, log_key().verifier)

    assert (state.head.size, state.vault) == (301, VAULT)
    assert state_before.vault is None


def test_a_start_finds_the_last_events_without_their_records_or_ids() -> None:
    log, store = filled()
    used = log.store.find_ids([event_id(4)])[event_id(4)]
    one, other = log.store.read_records(5, 7)
    cases: list[tuple[dict[int, StoredRecord | None], dict[bytes, UsedId | None]]] = [
        ({5: None}, {}),
        ({5: replace(one, record=other.record)}, {}),
        ({5: replace(one, index_entry=other.index_entry)}, {}),
        ({}, {event_id(4): None}),
        ({}, {event_id(4): replace(used, index=6)}),
    ]

    for records, ids in cases:
        store.records, store.ids = records, ids
        with pytest.raises(IntegrityError, match=r"record 5|of entry 5"):
            load_state(store, log_key().verifier)

    store.records, store.ids = {}, {}
    assert load_state(store, log_key().verifier)[0].head.size == 10


def test_an_entry_like_a_leaf_is_nothing_in_a_raw_log() -> None:
    leaf = filled()[0].store.read_entries(1, 2)[0]
    log = memory_log()

    writer_of(log).commit([submission("a", leaf)])

    assert load_state(log.store, log_key().verifier)[0].head.size == 2


def test_repeats_alone_store_and_sign_nothing() -> None:
    log, store = filled()
    before = log.store.load()

    released = writer_of(log, store).commit([events([3, 4])])

    assert (released.tree, store.commits) == (None, 0)
    assert released.head == before.head
    assert log.store.load() == before


@pytest.mark.parametrize("how", ["not stored", "stored"])
def test_after_a_failed_commit_a_restart_answers_from_the_truth(how: str) -> None:
    log, store = filled()
    writer = writer_of(log, store)
    store.fail_commit = how
    with pytest.raises(StoreError):
        writer.commit([events([20, 21])])

    log.store.reopen()
    released = writer_of(log).commit([events([20, 21, 22])])

    (outcome,) = released.outcomes
    stored = how == "stored"
    assert [place.is_repeat for place in places_of(outcome)] == [stored, stored, False]
    assert [place.index for place in places_of(outcome)] == [10, 11, 12]


def places_of(outcome: object) -> list[EventPlace]:
    found = getattr(outcome, "places", ())
    assert all(isinstance(place, EventPlace) for place in found)
    return list(found)


class DamagedIds(FaultyStore):
    """A store whose event ids have rotted."""

    def find_ids(self, ids: Sequence[bytes]) -> Mapping[bytes, UsedId]:
        raise IntegrityError("event id 00: it is damaged")


def test_a_damaged_id_stops_the_signing_and_stores_nothing() -> None:
    log, _ = filled()
    writer = writer_of(log, DamagedIds(log.store))

    for _ in range(2):
        with pytest.raises(SigningStoppedError, match="event id 00: it is damaged"):
            writer.commit([events([20])])

    assert log.store.load().head.size == 10


@pytest.mark.parametrize("bound", ["entries", "bytes"])
async def test_events_wait_in_the_queue_by_their_number_and_their_bytes(
    bound: str,
) -> None:
    log = memory_log(EVENTS)
    store = GateStore(log)
    one, two, three = events([1, 2]), events([3, 4]), events([5])
    most = QueueLimits(queue_entries=2)
    if bound == "bytes":
        most = QueueLimits(queue_bytes=two.bytes + three.bytes - 1)
    sequencer = Sequencer(writer_of(log, store), limits=most, on_head=lambda _: None)
    sequencer.start()
    store.gate.clear()

    writing = asyncio.ensure_future(sequencer.append(one))
    await asyncio.to_thread(store.entered.wait, 30)
    waiting = asyncio.ensure_future(sequencer.append(two))
    await asyncio.sleep(0)
    depth = sequencer.depth
    with pytest.raises(QueueFullError):
        await sequencer.append(three)
    store.gate.set()
    acks = [await writing, await waiting, await sequencer.append(three)]
    await sequencer.close()

    assert depth == 2
    assert [(ack.outcome.first, ack.outcome.count) for ack in acks] == [
        (1, 2),
        (3, 2),
        (5, 1),
    ]
