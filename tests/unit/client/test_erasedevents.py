"""A log that says an event was erased: only what was checked before is believed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from tallystick_client.errors import UnprovenError
from tallystick_client.results import Unproven
from tallystick_client.trust import HeldEvent
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.errors import MalformedError, ProofError
from tallystick_merkle.exchange.events import Claim, draft, submit_event
from tallystick_merkle.exchange.trusting import Held
from tallystick_merkle.receipt import Status
from tests.fakes.driving import drive
from tests.unit.client.drivers import Open
from tests.unit.client.fake_events import EventsLog, event_json
from tests.unit.client.fake_log import LOG, POLICY


@pytest.fixture
def log() -> EventsLog:
    return EventsLog()


IDS = [str(event_json(number)["event_id"]) for number in range(6)]

Lie = Callable[[dict[str, Any]], object]


def erased_as(log: EventsLog, event_id: str, status: int = 200) -> Lie:
    """Say of an event that it is the entry of another one, and was erased."""

    def lie(body: dict[str, Any]) -> None:
        other = log.stored[event_id]
        items = body.get("results", [body])
        items[-1].update(
            status=status,
            index=other.index,
            leaf=b64encode(other.leaf).decode(),
            opening=None,
            content="erased",
        )
        if "receipt" in body:
            body["receipt"] = log.receipt(other).decode()

    return lie


def test_a_first_event_that_is_called_erased_is_unproven(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    connect(keep=False).emit(event_json(1))
    log.forge, log.are_repeats = erased_as(log, IDS[1]), True

    with pytest.raises(UnprovenError, match="unproven: the log says") as caught:
        connect().emit(event_json(2))

    assert (caught.value.event_id, caught.value.exit_code) == (IDS[2], 3)
    assert trust.promised() == []


def test_a_first_event_of_a_batch_that_is_called_erased_is_unproven(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    connect(keep=False).emit_batch([event_json(1), event_json(3)])
    log.forge = erased_as(log, IDS[1])

    done = connect().emit_batch([event_json(2), event_json(3)])

    assert done.unproven == {1: Unproven(IDS[3], 1)}
    assert list(done.kept) == list(done.receipts) == [0]
    assert [held.receipt.index for held in trust.promised()] == [3]


def test_a_new_event_without_its_opening_is_not_believed(
    connect: Open, log: EventsLog
) -> None:
    log.erased = {IDS[1]}

    with pytest.raises(MalformedError, match="no opening"):
        connect().emit(event_json(1))


def test_an_entry_that_was_checked_for_another_event_is_a_lie(
    connect: Open, log: EventsLog
) -> None:
    client = connect()
    client.emit(event_json(1))
    log.forge, log.are_repeats = erased_as(log, IDS[1]), True

    with pytest.raises(ProofError, match=f"to be event {IDS[1]}"):
        client.emit(event_json(2))
    log.are_repeats = False
    with pytest.raises(ProofError, match=f"to be event {IDS[1]}"):
        client.emit_batch([event_json(3)])


def test_a_repeat_that_was_checked_before_it_was_erased_is_still_a_repeat(
    connect: Open, log: EventsLog
) -> None:
    client = connect()
    first = client.emit(event_json(1))
    log.erased = {IDS[1]}

    again = client.emit(event_json(1))
    batch = client.emit_batch([event_json(1)])

    assert (again.kept.opening, again.kept.index) == (None, first.kept.index)
    assert (batch.kept[0].opening, batch.unproven) == (None, {})
    assert batch.receipts[0].index == first.kept.index


def test_a_repeat_that_was_erased_and_of_which_nothing_is_known_is_unproven(
    connect: Open, log: EventsLog
) -> None:
    connect(keep=False).emit(event_json(1))
    log.erased = {IDS[1]}

    with pytest.raises(UnprovenError):
        connect().emit(event_json(1))
    done = connect().emit_batch([event_json(1)])

    assert done.unproven == {0: Unproven(IDS[1], 1)}
    assert (dict(done.kept), dict(done.receipts)) == ({}, {})


def test_an_event_that_is_erased_while_its_receipt_is_asked_for_is_unproven(
    connect: Open, log: EventsLog
) -> None:
    connect(keep=False).emit(event_json(1))

    def erase(_: dict[str, Any]) -> None:
        log.erased = {IDS[1]}

    log.forge = erase
    done = connect().emit_batch([event_json(1)])

    assert done.unproven == {0: Unproven(IDS[1], 1)}
    assert dict(done.kept) == {}


def test_a_log_that_has_an_event_twice_is_caught(connect: Open, log: EventsLog) -> None:
    client = connect(keep=False)
    client.emit(event_json(1))

    def store_again(_: dict[str, Any]) -> None:
        stored = log.stored.pop(IDS[1], None)
        log.forge = lambda body: body
        assert stored is not None

    log.forge = store_again
    with pytest.raises(ProofError, match="and then that it is entry 2"):
        client.emit_batch([event_json(1)])


def test_whose_a_leaf_is_stays_known_when_its_receipt_is_replaced(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    client = connect()
    done = client.emit(event_json(1))
    log.publish()
    client.upgrade()
    client.prove(1, done.kept.leaf)
    plain = trust.receipt(1)
    assert plain is not None
    trust.keep_witnessed([Held(plain[0].receipt, plain[0].leaf)])

    held = trust.checked_event(1)

    assert isinstance(held, HeldEvent)
    assert (held.event_id, plain[1]) == (IDS[1], Status.WITNESSED)


def test_another_leaf_does_not_inherit_the_event(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    connect().emit(event_json(1), wait="witnessed")
    before = trust.receipt(1)
    assert before is not None

    trust.keep_witnessed([Held(before[0].receipt, b"x" * 32)])

    assert trust.checked_event(1) is None


def test_the_kernel_gives_a_claim_apart_from_what_was_checked(log: EventsLog) -> None:
    event = draft(event_json(1))
    drive(submit_event(LOG, event, policy=POLICY), log.answer)
    log.erased = {IDS[1]}

    assert isinstance(drive(submit_event(LOG, event, policy=POLICY), log.answer), Claim)


def test_a_log_of_another_tenant_than_before_is_not_believed(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    connect().emit(event_json(1))
    log.tenant = "tenant-2"

    for emit in (connect().emit, lambda one: connect().emit_batch([one])):
        with pytest.raises(ProofError, match="'tenant-2', and is of 'tenant-1'"):
            emit(event_json(2))
    assert [held.receipt.index for held in trust.promised()] == [1]
    assert trust.tenant() == "tenant-1"


def test_the_tenant_is_that_of_the_genesis_entry_where_it_can_be_read(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    log.found(tenant=b"t" * 16)

    with pytest.raises(ProofError, match=f"is of '{(b't' * 16).hex()}'"):
        connect().emit(event_json(1))
    log.tenant = (b"t" * 16).hex()

    assert connect().emit(event_json(2)).kept.index == 2
    assert trust.tenant() == log.tenant


def test_where_entry_0_is_not_for_us_the_first_tenant_is_remembered(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    log.found(tenant=b"t" * 16)
    log.served = b""

    connect().emit(event_json(1))

    assert trust.tenant() == "tenant-1"


def test_a_batch_of_two_tenants_is_refused_and_neither_is_remembered(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    client = connect(keep=False)
    client.emit(event_json(1))
    log.tenant = "tenant-2"

    def own_up(body: dict[str, Any]) -> None:
        for item in body["results"]:
            item["opening"]["tenant"] = log.stored[item["event_id"]].opening.tenant

    log.forge = own_up
    with pytest.raises(ProofError, match="for two tenants"):
        connect().emit_batch([event_json(1), event_json(2)])
    assert trust.tenant() is None


@pytest.mark.parametrize("tenant", ["x" * 257, "two\nlines"], ids=["long", "lines"])
def test_a_tenant_that_cannot_be_one_is_refused(
    tenant: str, connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    log.tenant = tenant

    with pytest.raises(ProofError, match="no such name"):
        connect().emit(event_json(1))
    assert trust.tenant() is None


def test_a_client_without_a_directory_remembers_the_tenant_while_it_lives(
    connect: Open, log: EventsLog
) -> None:
    client = connect(keep=False)
    client.emit(event_json(1))
    log.tenant = "tenant-2"

    with pytest.raises(ProofError, match="'tenant-2', and is of 'tenant-1'"):
        client.emit(event_json(2))
