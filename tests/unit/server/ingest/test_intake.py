"""The intake: events in, durable, private, the same again when they are repeated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tallystick_merkle.disclosure import check_disclosure, disclose
from tallystick_merkle.event import Event
from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.opening import check_opening
from tallystick_server.errors import EventError, EventReusedError, RequestError
from tallystick_server.ingest.results import Refused, Taken
from tests.fakes.intakes import IntakeBench, event_json, make_event
from tests.fakes.logs import check_log


async def test_an_event_is_in_the_log_and_its_opening_leads_to_its_leaf(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        done = await bench.intake.submit("billing", [make_event(1)])

        taken = done.results[0]
        assert isinstance(taken, Taken)
        assert taken.opening is not None
        assert (taken.index, taken.is_repeat) == (1, False)
        check_opening(make_event(1), taken.opening, parse_leaf(taken.leaf))
        assert check_log(bench.store)[1] == taken.leaf


async def test_a_record_opens_to_the_event_that_was_sent(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("billing", [make_event(n) for n in range(20)])

        opened = await bench.intake.records.read(0, 21)

        assert [one.event for one in opened] == [make_event(n) for n in range(20)]


async def test_a_repeat_is_the_same_event_and_its_opening_again(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        first = (await bench.intake.submit("billing", [make_event(1)])).results[0]

        again = (await bench.intake.submit("billing", [make_event(1)])).results[0]

        assert isinstance(first, Taken)
        assert isinstance(again, Taken)
        assert again.is_repeat
        assert (again.index, again.leaf) == (first.index, first.leaf)
        assert again.opening == first.opening
        assert bench.log.head.size == 2


async def test_an_id_with_another_content_is_refused(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("billing", [make_event(1)])

        result = (
            await bench.intake.submit("billing", [make_event(1, reason="another")])
        ).results[0]

        assert isinstance(result, Refused)
        assert isinstance(result.error, EventReusedError)


async def test_an_id_of_another_principal_is_refused_with_the_same_words(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("shop", [make_event(1)])

        result = (await bench.intake.submit("billing", [make_event(1)])).results[0]

        assert isinstance(result, Refused)
        assert str(result.error) == str(EventReusedError())


async def test_a_bad_event_keeps_none_of_its_neighbours_out(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        events: list[Event | RequestError] = [
            make_event(1),
            EventError("no", pointer="/actor"),
            make_event(2),
        ]

        results = (await bench.intake.submit("billing", events)).results

        assert [type(one) for one in results] == [Taken, Refused, Taken]
        assert [one.index for one in results if isinstance(one, Taken)] == [1, 2]


async def test_an_id_twice_in_one_batch_is_committed_once(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        other = make_event(1, reason="another")

        results = (
            await bench.intake.submit("billing", [make_event(1), make_event(1), other])
        ).results

        assert [type(one) for one in results] == [Taken, Taken, Refused]
        assert bench.log.head.size == 2


async def facts_key(bench: IntakeBench, number: int, *, is_batch: bool) -> bytes:
    """Submit an event; give the id of the key that its facts are sealed with."""
    if is_batch:
        raws = [json.dumps(event_json(number)).encode()]
        done = await bench.intake.submit_batch("billing", raws, is_cbor=False)
    else:
        done = await bench.intake.submit("billing", [make_event(number)])
    taken = done.results[0]
    assert isinstance(taken, Taken)
    opened = await bench.intake.records.read(taken.index, taken.index + 1)
    return opened[0].record.groups[0].kid


@pytest.mark.parametrize("is_batch", [False, True], ids=["one", "batch"])
async def test_a_key_of_facts_is_for_one_part_of_the_log(
    tmp_path: Path, is_batch: bool
) -> None:
    async with IntakeBench(tmp_path) as bench:
        kids = [await facts_key(bench, number, is_batch=is_batch) for number in (1, 2)]
        head = bench.log.head
        bench.log.head = replace(head, size=2**24 + head.size)

        kids.append(await facts_key(bench, 3, is_batch=is_batch))

        assert kids[0] == kids[1] != kids[2]


async def test_keys_are_in_the_vault_before_the_log_has_the_event(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("billing", [make_event(1)])

        mark = bench.store.load().vault

        assert mark == bench.vault.mark()
        opened = (await bench.intake.records.read(1, 2))[0]
        kids = [group.kid for group in opened.record.groups]
        assert set(bench.vault.by_kid(kids)) == set(kids)


async def test_an_event_of_a_subject_without_key_still_proves_the_rest(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("billing", [make_event(1)])
        record = (await bench.intake.records.read(1, 2))[0].record

        bench.reading.lost.add(record.groups[1].kid)
        opened = (await bench.intake.records.read(1, 2))[0]
        again = (await bench.intake.submit("billing", [make_event(1)])).results[0]

        assert opened.erased == [1]
        assert "actor" not in opened.body
        shown = disclose(opened.shown, {"outcome", "action"})
        assert check_disclosure(shown, parse_leaf(opened.leaf)).fields == {
            "action": "user.role.updated",
            "outcome": ["success", "200"],
        }
        assert isinstance(again, Taken)
        assert again.is_erased


async def test_own_events_are_in_the_log_under_the_name_of_the_server(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        index = await bench.intake.emit_own("producer.noted", {"id": "x"})

        event = (await bench.intake.records.read(index, index + 1))[0].event
        assert event is not None
        assert event.producer.service == "tallystick"
        assert event.extra == {"details": {"id": "x"}}


async def test_followers_are_told_in_order_and_again_after_a_restart(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("billing", [make_event(n) for n in range(5)])
        assert bench.intake.followed.position == 0  # the genesis entry comes first
        await bench.intake.followed.catch_up()
        await bench.intake.submit("billing", [make_event(9)])
        assert bench.intake.followed.position == bench.log.head.size
        told = bench.producers.dump()

    async with IntakeBench(tmp_path, inner=bench.inner, vault=bench.vault) as after:
        await after.intake.followed.catch_up()

        assert after.producers.dump() == told


async def test_followers_see_an_event_of_an_erased_person_too(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.followed.catch_up()
        await bench.intake.submit("billing", [make_event(n) for n in range(3)])
        told = bench.producers.dump()
        record = (await bench.intake.records.read(1, 2))[0].record

    async with IntakeBench(tmp_path, inner=bench.inner, vault=bench.vault) as after:
        after.reading.lost.add(record.groups[1].kid)
        await after.intake.followed.catch_up()

        assert after.producers.dump() == told


@pytest.mark.parametrize(
    ("first", "second"),
    [({"n": 1}, {"n": True}), ({"n": 0}, {"n": False}), ({"n": [1]}, {"n": [True]})],
    ids=["one", "zero", "in-a-list"],
)
async def test_a_number_is_no_truth_value_when_a_repeat_is_compared(
    tmp_path: Path, first: dict[str, object], second: dict[str, object]
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("billing", [make_event(1, details=first)])

        done = await bench.intake.submit("billing", [make_event(1, details=second)])

        assert isinstance(done.results[0], Refused)


SCHEMA = json.dumps(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-tallystick": {"id": "role", "version": 1, "action": "user.role.updated"},
        "type": "object",
        "required": ["trace_id"],
    }
).encode()


@pytest.mark.parametrize("in_batch", [False, True], ids=["alone", "in-a-batch"])
async def test_a_schema_that_came_between_makes_no_repeat_wrong(
    tmp_path: Path, in_batch: bool
) -> None:
    async with IntakeBench(tmp_path) as bench:

        async def submit(number: int, **members: str) -> Taken | Refused:
            if in_batch:
                raw = json.dumps(event_json(number, **members)).encode()
                done = await bench.intake.submit_batch("billing", [raw], is_cbor=False)
            else:
                event = make_event(number, **members)
                done = await bench.intake.submit("billing", [event])
            return done.results[0]

        first = await submit(1)
        await bench.registry.register(SCHEMA, bench.intake.emit_own, by="ops")

        again, other = await submit(1), await submit(1, reason="another")
        fresh = await submit(2)

        assert isinstance(first, Taken)
        assert isinstance(again, Taken)
        assert (again.is_repeat, again.index) == (True, first.index)
        assert isinstance(other, Refused)
        assert other.error.code == "event-id-reused"
        assert isinstance(fresh, Refused)
        assert fresh.error.code == "invalid-event"
