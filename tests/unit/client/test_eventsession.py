"""Both clients on a log of events: what is emitted, read and disclosed is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.errors import (
    ExchangeError,
    InvalidSignatureError,
    MalformedError,
    ProofError,
    RefusedError,
)
from tallystick_merkle.exchange.base import Failure
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Status, check_receipt
from tests.unit.client.drivers import Open
from tests.unit.client.fake_events import TIME_MS, EventsLog, event_json
from tests.unit.client.fake_log import POLICY, problem


@pytest.fixture
def log() -> EventsLog:
    return EventsLog()


IDS = [str(event_json(number)["event_id"]) for number in range(6)]


def test_an_event_gives_a_checked_promise_and_keeps_it(
    connect: Open, trust: DirectoryTrust
) -> None:
    done = connect().emit(event_json())

    assert (done.kept.index, done.status, done.kept.is_repeat) == (
        *(1, Status.PROMISED),
        False,
    )
    assert done.kept.time_ms == TIME_MS
    assert [held.leaf for held in trust.promised()] == [leaf_hash(done.kept.leaf)]


def test_an_event_that_waits_for_witnesses_is_witnessed(
    connect: Open, trust: DirectoryTrust
) -> None:
    assert connect().emit(event_json(), wait="witnessed").status is Status.WITNESSED
    assert len(trust.witnessed_files()) == 1


def test_an_event_that_is_emitted_again_is_in_the_log_once(
    connect: Open, log: EventsLog
) -> None:
    client = connect()

    first, again = client.emit(event_json()), client.emit(event_json())

    assert (again.kept.index, again.kept.is_repeat) == (first.kept.index, True)
    assert len(log.entries) == 2


def test_a_lost_answer_is_asked_for_again(connect: Open, log: EventsLog) -> None:
    log.script = [Failure("cut off"), problem(503, "later")]

    assert connect().emit(event_json()).kept.index == 1


def test_a_shape_that_is_no_event_is_refused_before_it_is_sent(
    connect: Open, log: EventsLog
) -> None:
    with pytest.raises(MalformedError, match="/outcome/result"):
        connect().emit(event_json(outcome={"result": "maybe"}))

    assert log.seen == []


def test_a_refusal_names_the_places_in_the_event(connect: Open, log: EventsLog) -> None:
    log.refused = {"user.role.updated"}

    with pytest.raises(RefusedError, match="/action: not this one") as caught:
        connect().emit(event_json())

    assert caught.value.status == 422


def test_an_event_of_the_same_id_and_other_content_is_refused(connect: Open) -> None:
    client = connect()
    client.emit(event_json())

    with pytest.raises(RefusedError) as caught:
        client.emit(event_json(reason="another one"))

    assert caught.value.status == 409


def test_a_batch_answers_each_event_for_itself(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    client = connect()
    client.emit(event_json(1))
    log.refused = {"a.b"}

    done = client.emit_batch(
        [event_json(0), event_json(1), event_json(2, action="a.b"), event_json(3)]
    )

    assert {at: one.index for at, one in done.kept.items()} == {0: 2, 1: 1, 3: 3}
    assert [one.is_repeat for one in done.kept.values()] == [False, True, False]
    assert str(done.refusals[2]) == "not allowed here; /action: not this one"
    for at, receipt in done.receipts.items():
        leaf = leaf_hash(done.kept[at].leaf)
        assert check_receipt(receipt, leaf=leaf, policy=POLICY).index == receipt.index
    assert [held.receipt.index for held in trust.promised()] == [1, 2, 3]


def test_a_repeat_whose_receipt_is_kept_is_not_asked_for(
    connect: Open, log: EventsLog
) -> None:
    client = connect()
    first = client.emit_batch([event_json(1), event_json(2)])
    asked = len(log.seen)

    again = client.emit_batch([event_json(1), event_json(2)])

    assert len(log.seen) == asked + 1
    assert again.receipts == first.receipts


def test_a_repeat_whose_receipt_is_lost_is_given_one(
    connect: Open, log: EventsLog
) -> None:
    connect(keep=False).emit_batch([event_json(1), event_json(2)])
    log.seen.clear()

    again = connect(keep=False).emit_batch([event_json(1), event_json(2)])

    assert [request.method for request in log.seen].count("POST") == 3
    assert sorted(again.receipts) == [0, 1]


def test_a_repeat_that_has_to_be_witnessed_is_asked_for(
    connect: Open, log: EventsLog
) -> None:
    client = connect()
    client.emit_batch([event_json(1)])

    again = client.emit_batch([event_json(1)], wait="witnessed")

    assert again.statuses == {0: Status.WITNESSED}


def test_a_log_that_commits_to_something_else_is_caught(
    connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    log.swap = {"user.role.updated": "user.role.viewed"}

    for emit in (connect().emit, lambda one: connect().emit_batch([one])):
        with pytest.raises(ProofError, match="commits to another event"):
            emit(event_json(1))
    assert trust.promised() == []


def in_result(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    def forge(body: dict[str, Any]) -> None:
        for item in [body, *body.get("results", [])]:
            if name in item:
                item[name] = value

    return forge


def swap_leaves(body: dict[str, Any]) -> None:
    one, other = body["results"]
    one["leaf"], other["leaf"] = other["leaf"], one["leaf"]


Forgery = tuple[Callable[[dict[str, Any]], object], tuple[type[Exception], ...]]

FORGERIES: dict[str, Forgery] = {
    "another id": (in_result("event_id", IDS[5]), (MalformedError,)),
    "another index": (in_result("index", 7), (MalformedError, ProofError)),
    "no leaf": (in_result("leaf", "AAAA"), (MalformedError,)),
    "another service": (in_result("service", "other"), (ProofError,)),
    "another tenant": (in_result("tenant", "other"), (ProofError,)),
    "swapped leaves": (swap_leaves, (ProofError,)),
    "no results": (in_result("results", []), (MalformedError,)),
    "no proof": (in_result("proof", {"left": [], "right": []}), (ProofError,)),
    "no checkpoint": (in_result("checkpoint", "x"), (MalformedError,)),
}


@pytest.mark.parametrize("name", list(FORGERIES))
def test_a_forged_answer_to_a_batch_is_not_believed(
    name: str, connect: Open, log: EventsLog, trust: DirectoryTrust
) -> None:
    log.forge, error = FORGERIES[name]

    with pytest.raises(error):
        connect().emit_batch([event_json(1), event_json(2)])

    assert trust.promised() == []


@pytest.mark.parametrize("name", ["another id", "another index", "no leaf"])
def test_a_forged_answer_to_one_event_is_not_believed(
    name: str, connect: Open, log: EventsLog
) -> None:
    log.forge, error = FORGERIES[name]

    with pytest.raises(error):
        connect().emit(event_json(1))


def test_an_answer_that_is_no_json_is_refused(connect: Open, log: EventsLog) -> None:
    log.script = [problem(200, "x")]

    with pytest.raises((ExchangeError, MalformedError)):
        connect().emit(event_json(1))


def test_an_event_is_read_with_the_receipt_of_its_leaf(connect: Open) -> None:
    client = connect()
    client.emit(event_json(1))

    shown = client.event(IDS[1])

    assert shown.status is Status.WITNESSED
    assert (shown.read.index, shown.read.received_ms) == (1, TIME_MS)
    assert shown.read.event["actor"] == {"type": "user", "id": "alice"}


def test_another_leaf_than_that_of_the_receipt_is_not_believed(
    connect: Open, log: EventsLog
) -> None:
    client = connect()
    client.emit_batch([event_json(1), event_json(2)])
    other = client.event(IDS[2]).read

    def forge(body: dict[str, Any]) -> None:
        body["index"] = other.index

    log.forge = forge
    with pytest.raises(MalformedError, match="index and receipt disagree"):
        client.event(IDS[1])


def test_an_event_that_is_not_there_is_refused(connect: Open) -> None:
    with pytest.raises(RefusedError) as caught:
        connect().event(IDS[3])

    assert caught.value.status == 404


def test_what_is_no_id_is_not_asked_for(connect: Open, log: EventsLog) -> None:
    with pytest.raises(MalformedError, match="UUIDv7"):
        connect().event("../../x")

    assert log.seen == []


def test_events_are_listed_in_order_page_by_page(connect: Open) -> None:
    client = connect()
    client.emit_batch([event_json(number) for number in range(5)])

    first = client.events(limit=3)
    rest = client.events(first.next_after, 3)

    assert [one.event_id for one in (*first.events, *rest.events)] == IDS[:5]
    assert (first.has_more, rest.has_more) == (True, False)


def test_a_disclosure_is_checked_as_its_reader_will(connect: Open) -> None:
    client = connect()
    client.emit(event_json(1))

    proof = client.disclose(IDS[1], "action", "after/role", "targets")

    shown = proof.found.disclosed.fields
    assert (shown["action"], shown["after/role"]) == ("user.role.updated", "auditor")
    assert "actor" not in shown
    assert proof.found.verdict.status is Status.WITNESSED


def test_a_group_that_stays_closed_could_hold_a_second_value(connect: Open) -> None:
    client = connect()
    client.emit(event_json(1))

    closed = client.disclose(IDS[1], "after/role").found.disclosed
    opened = client.disclose(IDS[1], "after/role", "targets").found.disclosed

    assert (closed.is_single, opened.is_single) == (False, True)


def test_the_names_of_all_groups_leave_no_room_for_a_second_value(
    connect: Open,
) -> None:
    client = connect()
    client.emit(event_json(1))

    proof = client.disclose(IDS[1], "after/role", all_names=True)

    assert proof.found.disclosed.is_single
    assert b"after/role" in proof.data


def test_names_can_be_hidden_too(connect: Open) -> None:
    client = connect()
    client.emit(event_json(1))

    shown = client.disclose(IDS[1], "after/role").data
    hidden = client.disclose(IDS[1], "after/role", show_names=False).data

    assert b"details/ticket" in shown
    assert b"details/ticket" not in hidden


def test_evidence_without_the_field_that_was_asked_for_is_not_believed(
    connect: Open, log: EventsLog
) -> None:
    client = connect()
    client.emit(event_json(1))
    answers: list[str] = []
    log.forge = lambda body: answers.append(body["evidence"])
    client.disclose(IDS[1], "action")
    log.forge = lambda body: body.update(evidence=answers[0])

    with pytest.raises(ProofError, match="does not show 'after/role'"):
        client.disclose(IDS[1], "after/role")


def test_evidence_of_another_event_is_not_believed(
    connect: Open, log: EventsLog
) -> None:
    client = connect()
    client.emit_batch([event_json(1), event_json(2)])
    answers: list[str] = []
    log.forge = lambda body: answers.append(body["evidence"])
    client.disclose(IDS[1], "action")
    log.forge = lambda body: body.update(evidence=answers[0])

    with pytest.raises(ProofError, match="of another event"):
        client.disclose(IDS[2], "action")


def test_evidence_that_hides_whose_it_is_is_not_believed(
    connect: Open, log: EventsLog
) -> None:
    client = connect()
    client.emit_batch([event_json(1), event_json(2)])
    log.hidden = {"event_id"}

    with pytest.raises(ProofError, match="does not show 'event_id'"):
        client.disclose(IDS[1], "action")


def test_the_id_of_the_event_is_always_shown(connect: Open) -> None:
    client = connect()
    client.emit(event_json(1))

    shown = client.disclose(IDS[1], "action").found.disclosed.fields

    assert shown == {"event_id": IDS[1], "action": "user.role.updated"}


def test_a_forged_signature_is_noticed(connect: Open, log: EventsLog) -> None:
    def forge(body: dict[str, Any]) -> None:
        head, mark, line = body["receipt"].rpartition("\n— ")
        body["receipt"] = head + mark + line[:-8] + "AAAA" + line[-4:]

    client = connect()
    client.emit(event_json(1))
    log.forge = forge

    with pytest.raises((InvalidSignatureError, MalformedError)):
        client.event(IDS[1])


def test_openings_are_not_in_what_is_shown_of_an_answer(connect: Open) -> None:
    done = connect().emit(event_json(1))
    opening = done.kept.opening

    assert opening is not None
    assert opening.seeds[0].hex() not in repr(done)
    assert opening.index_entry.hex() not in repr(done)
