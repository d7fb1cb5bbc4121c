"""The writer: nothing is seen before it is durable, and doubt ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.frontier import load_edge
from tallystick_merkle.keys import VerifierKey
from tallystick_server.errors import IntegrityError, SigningStoppedError, StoreError
from tallystick_server.log.anchor import Anchor, MemoryAnchor
from tallystick_server.log.commit import LogState, Placed
from tallystick_server.log.keyring import Signer
from tallystick_server.log.writer import Writer
from tallystick_server.storage.base import LogStore, Published, UsedKey
from tests.fakes.faults import FaultyStore
from tests.fakes.logs import (
    ORIGIN,
    MemoryLog,
    check_log,
    memory_log,
    submission,
)


def writer_of(
    log: MemoryLog,
    *,
    store: LogStore | None = None,
    signer: Signer | None = None,
    anchor: Anchor | None = None,
) -> Writer:
    return Writer(
        store=store or log.store,
        signer=signer or log.signer,
        state=log.state,
        clock=log.clock,
        anchor=anchor,
    )


def restarted(log: MemoryLog) -> Writer:
    """A writer on what is stored, as after a crash."""
    log.store.reopen()
    head = log.store.load().head
    edge = load_edge(head.size, log.store.read_row)
    log.state = LogState(ORIGIN, edge, head)
    return writer_of(log)


def test_a_commit_is_stored_before_it_is_returned() -> None:
    log = memory_log()

    released = writer_of(log).commit([submission("a", b"1"), submission("b", b"2")])

    assert released.head.size == 3
    assert released.outcomes[1] == Placed(2, 1, log.clock.now_ms(), is_repeat=False)
    assert check_log(log.store)[1:] == [b"1", b"2"]
    assert log.store.load().head == released.head


def test_repeats_alone_store_and_sign_nothing() -> None:
    log = memory_log()
    writer = writer_of(log)
    first = writer.commit([submission("a", b"1")])

    again = writer.commit([submission("a", b"1")])

    assert again.head == first.head
    assert again.tree is None
    assert len(list(log.store.heads())) == 2


class SpySigner:
    """Signs, and counts how often it was asked."""

    def __init__(self, log: MemoryLog) -> None:
        self._inner = log.signer
        self.signed = 0

    @property
    def key(self) -> VerifierKey:
        return self._inner.key

    def sign(self, checkpoint: Checkpoint) -> bytes:
        self.signed += 1
        return self._inner.sign(checkpoint)


@pytest.mark.parametrize("how", ["not stored", "stored", "foreign"])
def test_a_failed_commit_kills_the_writer_and_a_restart_goes_on_from_the_truth(
    how: str,
) -> None:
    log = memory_log()
    store = FaultyStore(log.store)
    signer = SpySigner(log)
    writer = writer_of(log, store=store, signer=signer)
    writer.commit([submission("a", b"1")])
    store.fail_commit = how

    with pytest.raises(StoreError):
        writer.commit([submission("b", b"2")])
    store.fail_commit = None
    signed = signer.signed
    with pytest.raises(SigningStoppedError, match="commit of size 3 failed"):
        writer.commit([submission("c", b"3")])
    assert signer.signed == signed

    after = restarted(log).commit([submission("b", b"2"), submission("c", b"3")])
    assert check_log(log.store)[1:] == [b"1", b"2", b"3"]
    assert after.outcomes[0] == Placed(
        2, 1, log.clock.now_ms(), is_repeat=how != "not stored"
    )


class DamagedKeys(FaultyStore):
    """A store whose idempotency keys have rotted."""

    def find_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, UsedKey]:
        raise IntegrityError("idempotency key: it is damaged")


def test_a_damaged_key_stops_the_signing_and_not_the_process() -> None:
    log = memory_log()
    signer = SpySigner(log)
    writer = writer_of(log, store=DamagedKeys(log.store), signer=signer)

    for _ in range(2):
        with pytest.raises(SigningStoppedError, match="it is damaged"):
            writer.commit([submission("a", b"1")])

    assert writer.stopped == "what is stored is wrong: idempotency key: it is damaged"
    assert (signer.signed, log.store.load().head.size) == (0, 1)


def test_the_anchor_stands_before_anything_is_released() -> None:
    log = memory_log()
    anchor = MemoryAnchor()
    writer = writer_of(log, anchor=anchor)

    released = writer.commit([submission("a", b"1")])

    assert anchor.last() == (released.head.size, released.head.root)


class BrokenAnchor(MemoryAnchor):
    """An anchor whose disk is gone."""

    def record(self, size: int, root: bytes) -> None:
        raise OSError(f"cannot record {size} {root.hex()}")


def test_an_anchor_that_fails_stops_the_log() -> None:
    log = memory_log()
    writer = writer_of(log, anchor=BrokenAnchor())

    with pytest.raises(StoreError):
        writer.commit([submission("a", b"1")])

    assert writer.stopped is not None


def test_a_stopped_writer_signs_and_publishes_nothing() -> None:
    log = memory_log()
    signer = SpySigner(log)
    writer = writer_of(log, signer=signer)
    writer.stop_signing("a fork was seen")
    writer.stop_signing("a later reason")

    with pytest.raises(SigningStoppedError, match="a fork was seen"):
        writer.commit([submission("a", b"1")])
    with pytest.raises(SigningStoppedError):
        writer.publish(Published(1, log.state.head.note, 0))

    assert signer.signed == 0
    assert log.store.load().published is None


@pytest.mark.parametrize("step_ms", [5_001, -5_001])
def test_a_clock_that_steps_stops_intake_before_anything_is_stamped(
    step_ms: int,
) -> None:
    log = memory_log()
    writer = writer_of(log)
    log.clock.wall_ms += step_ms

    with pytest.raises(SigningStoppedError, match="clock stepped"):
        writer.commit([submission("a", b"1")])

    assert log.store.load().head.size == 1


def test_the_first_reason_to_stop_signing_is_kept_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    writer = writer_of(memory_log())

    writer.stop_signing("a fork was seen")
    writer.stop_signing("the writer failed")

    assert writer.stopped == "a fork was seen"
    (record,) = caplog.records
    assert record.getMessage() == "signing stopped"
    assert vars(record)["reason"] == "a fork was seen"
    assert vars(record)["origin"] == ORIGIN


def test_a_clock_that_is_slewed_is_followed_and_never_goes_back() -> None:
    log = memory_log()
    writer = writer_of(log)
    before = writer.commit([submission("a", b"1")]).head.time_ms
    log.clock.wall_ms -= 4_000

    after = writer.commit([submission("b", b"2")]).head.time_ms

    assert after == before


def test_a_stop_that_comes_while_a_commit_is_planned_still_prevents_the_signature() -> (
    None
):
    log = memory_log()
    signer = SpySigner(log)

    class LateStore(FaultyStore):
        """Somebody stops the log just as its keys are looked up."""

        def find_keys(self, keys: Sequence[bytes]) -> Mapping[bytes, UsedKey]:
            writer.stop_signing("a fork was seen")
            return super().find_keys(keys)

    writer = writer_of(log, store=LateStore(log.store), signer=signer)

    with pytest.raises(SigningStoppedError, match="a fork was seen"):
        writer.commit([submission("a", b"1")])

    assert signer.signed == 0
    assert log.store.load().head.size == 1


def test_only_committed_sizes_can_be_published() -> None:
    log = memory_log()
    writer = writer_of(log)
    head = writer.commit([submission("a", b"1")]).head

    with pytest.raises(StoreError, match="never committed"):
        writer.publish(Published(head.size + 1, head.note, head.time_ms))
    writer.publish(Published(head.size, head.note, head.time_ms))

    assert writer.mark_publishable() == head
    published = log.store.load().published
    assert published is not None
    assert published.size == head.size
