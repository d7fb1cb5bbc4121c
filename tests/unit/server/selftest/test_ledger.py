"""What contradicts an answer is found, and what fits is left alone."""

from __future__ import annotations

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.frontier import EMPTY_EDGE, grow
from tallystick_merkle.hashing import leaf_hashes
from tallystick_server.selftest.ledger import Ack, Kind, Ledger
from tallystick_server.selftest.plan import Parcel

GENESIS = b"genesis"
OTHER = b"\x01" * 32


def parcel(number: int, count: int = 1) -> Parcel:
    entries = tuple(b"entry %d %d" % (number, place) for place in range(count))
    return Parcel(f"key-{number}", entries)


class Told:
    """A log that grows by parcels, and a ledger that is told all of it."""

    def __init__(self) -> None:
        self.entries = [GENESIS]
        self.ledger = Ledger()

    @property
    def leaves(self) -> list[bytes]:
        return leaf_hashes(self.entries)

    def head(self, size: int | None = None) -> Checkpoint:
        leaves = self.leaves[: len(self.entries) if size is None else size]
        return Checkpoint("log.example", len(leaves), grow(EMPTY_EDGE, leaves).root)

    def append(self, sent: Parcel) -> Ack:
        first = len(self.entries)
        self.entries += sent.entries
        self.ledger.offer(sent)
        ack = Ack(sent, first, self.head(), is_repeat=False)
        self.ledger.note_ack(ack)
        return ack

    def kinds(self) -> list[Kind]:
        return [fault.kind for fault in self.ledger.faults]


def grown() -> Told:
    told = Told()
    for number, count in enumerate((1, 3, 1, 2)):
        told.append(parcel(number, count))
        told.ledger.note_published(told.head(), is_cosigned=True)
    return told


def test_a_log_that_keeps_its_word_has_no_fault() -> None:
    told = grown()
    told.ledger.offer(parcel(9))  # sent, never answered, and carried out all the same
    told.entries += parcel(9).entries

    told.ledger.judge_served(told.leaves, told.head())
    told.ledger.note_witness(told.head(8))

    assert told.ledger.faults == []
    assert told.ledger.acked == 7
    assert told.ledger.size == 9


def test_a_repeat_that_gives_the_same_entry_is_fine_and_another_one_is_a_fault() -> (
    None
):
    told = grown()
    again = told.ledger.acks["key-1"]
    told.ledger.note_ack(Ack(again.parcel, again.first, told.head(), is_repeat=True))
    assert told.kinds() == []

    told.ledger.note_ack(Ack(again.parcel, 20, told.head(), is_repeat=False))

    assert told.kinds() == [Kind.REPEATS]
    assert "entry 2" in told.ledger.faults[0].text


def test_two_entries_at_one_index_are_a_fault() -> None:
    told = grown()

    told.ledger.note_ack(Ack(parcel(9), 1, told.head(), is_repeat=False))

    assert told.kinds() == [Kind.ACKED]


def test_two_roots_for_one_size_are_a_fault() -> None:
    told = grown()

    told.ledger.note_head(Checkpoint("log.example", 5, OTHER))

    assert told.kinds() == [Kind.HEADS]


def test_a_served_checkpoint_that_goes_back_is_a_fault() -> None:
    told = grown()

    told.ledger.note_published(told.head(5), is_cosigned=True)

    assert told.kinds() == [Kind.HEADS]


def test_lost_entries_are_a_fault_of_entries_and_of_heads() -> None:
    told = grown()
    del told.entries[-2:]

    told.ledger.judge_served(told.leaves, told.head())

    assert told.kinds() == [Kind.ACKED, Kind.HEADS]
    assert "2 acked entries are gone, from index 6 on" in told.ledger.faults[0].text


def test_a_changed_entry_is_named_and_no_head_fits_it() -> None:
    told = grown()
    told.entries[3] = b"changed"

    told.ledger.judge_served(told.leaves, told.head(2))

    assert told.kinds() == [Kind.ACKED, Kind.HEADS, Kind.ACKED]
    assert "index 3" in told.ledger.faults[0].text


def test_an_entry_that_is_there_twice_is_a_fault() -> None:
    told = grown()
    told.entries += parcel(2).entries

    told.ledger.judge_served(told.leaves, told.head())

    assert told.kinds() == [Kind.REPEATS]
    assert "key-2" in told.ledger.faults[0].text


def test_an_entry_that_nobody_sent_is_a_fault() -> None:
    told = grown()
    told.entries += [b"stranger"]

    told.ledger.judge_served(told.leaves, told.head())

    assert told.kinds() == [Kind.ACKED]
    assert "index 8" in told.ledger.faults[0].text


def test_a_served_root_that_is_not_that_of_the_entries_is_a_fault() -> None:
    told = grown()

    told.ledger.judge_served(told.leaves, Checkpoint("log.example", 8, OTHER))

    assert Kind.HEADS in told.kinds()


def test_a_witness_that_is_behind_what_it_cosigned_is_a_fault() -> None:
    for shown in (None, 5):
        told = grown()

        told.ledger.note_witness(None if shown is None else told.head(shown))

        assert told.kinds() == [Kind.WITNESS]


def test_what_a_witness_shows_it_may_never_forget_again() -> None:
    told = Told()
    told.append(parcel(0))
    told.ledger.note_witness(told.head())

    told.ledger.note_witness(told.head(1))

    assert told.kinds() == [Kind.WITNESS]


def test_a_witness_with_another_root_is_a_fault() -> None:
    told = grown()

    told.ledger.note_witness(Checkpoint("log.example", 8, OTHER))

    assert told.kinds() == [Kind.HEADS]
