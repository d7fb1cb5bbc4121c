"""What a schema says of a field, as the intake does it: one by one and in a batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.leaf import parse_leaf
from tallystick_merkle.opening import check_opening
from tallystick_merkle.tags import parse_index_entry
from tallystick_server.errors import EventError, UnprocessableError
from tallystick_server.ingest.results import Refused, Result, Taken
from tests.fakes.intakes import IntakeBench, event_json, make_event
from tests.unit.merkle.schemas import document

BOTH = pytest.mark.parametrize("is_batch", [False, True], ids=["one", "batch"])


async def register(bench: IntakeBench, **properties: dict[str, Any]) -> None:
    """Register marks of fields: those of `details`, and others by their names."""
    marked = {
        name: value if name == "details" else {"x-tallystick": value}
        for name, value in properties.items()
    }
    body = json.dumps(document(properties=marked)).encode()
    await bench.registry.register(body, bench.intake.emit_own, by="ops")


async def send(bench: IntakeBench, is_batch: bool, **members: Any) -> Result:  # noqa: ANN401 -- any
    if not is_batch:
        event = make_event(1, **members)
        return (await bench.intake.submit("billing", [event])).results[0]
    raws = [json.dumps(event_json(1, **members)).encode()]
    done = await bench.intake.submit_batch("billing", raws, is_cbor=False)
    return done.results[0]


@BOTH
async def test_a_field_that_belongs_to_a_target_is_in_the_group_of_that_person(
    tmp_path: Path, is_batch: bool
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await register(bench, after={"subject": "target/0"})

        taken = await send(bench, is_batch)

        assert isinstance(taken, Taken)
        (opened,) = await bench.intake.records.read(taken.index, taken.index + 1)
        _, actor, person = opened.groups
        assert actor is not None
        assert person is not None
        assert person.names == ("target", "names", "after/role")
        assert person.fields["after/role"] == "administrator"
        assert "after/role" not in actor.names


@BOTH
async def test_the_opening_of_a_repeat_is_that_of_the_first_answer(
    tmp_path: Path, is_batch: bool
) -> None:
    async with IntakeBench(tmp_path) as bench:
        mine, thing, nobody = ({"subject": f"target/{n}"} for n in range(3))
        await register(bench, after=mine, before=thing, reason=nobody, decision=mine)

        first = await send(bench, is_batch)
        again = await send(bench, is_batch)

        assert isinstance(first, Taken)
        assert isinstance(again, Taken)
        assert (first.is_repeat, again.is_repeat) == (False, True)
        assert first.opening is not None
        assert first.opening == again.opening
        assert first.opening.places == {"after/role": 0}
        check_opening(make_event(1), first.opening, parse_leaf(first.leaf))


@BOTH
async def test_a_field_that_can_be_searched_for_has_a_tag(
    tmp_path: Path, is_batch: bool
) -> None:
    async with IntakeBench(tmp_path) as bench:
        mark = {"type": "string", "x-tallystick": {"indexed": True}}
        await register(bench, details={"properties": {"mailbox": mark}})

        taken = await send(bench, is_batch, details={"mailbox": "bob", "other": "bob"})

        assert isinstance(taken, Taken)
        assert taken.opening is not None
        _, tags, _ = parse_index_entry(taken.opening.index_entry)
        assert len(tags) == 3 + 2 + 1


@BOTH
@pytest.mark.parametrize("target", [1, 2], ids=["a thing", "nobody"])
async def test_the_submitter_is_told_of_a_field_that_belongs_to_no_person(
    tmp_path: Path, is_batch: bool, target: int
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await register(bench, after={"subject": f"target/{target}"})

        taken = await send(bench, is_batch)

        why = f"after belongs to target/{target}, and that is no person"
        assert isinstance(taken, Taken)
        assert taken.warning == why


@BOTH
async def test_a_sensitive_field_that_belongs_to_no_person_is_refused(
    tmp_path: Path, is_batch: bool
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await register(
            bench,
            after={"subject": "target/1"},
            before={"subject": "target/1", "sensitive": True},
        )
        size = bench.log.head.size

        refused = await send(bench, is_batch)

        assert isinstance(refused, Refused)
        assert isinstance(refused.error, EventError)
        assert refused.error.pointer == "/before"
        assert "before belongs to target/1, and that is no person" in str(refused.error)
        assert bench.log.head.size == size


@BOTH
async def test_a_field_that_belongs_to_a_person_is_taken_without_a_word(
    tmp_path: Path, is_batch: bool
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await register(bench, after={"subject": "target/0", "sensitive": True})
        alice = {"type": "user", "id": "alice@example.com"}

        for number, targets in enumerate((event_json()["targets"], [alice])):
            event_id = make_event(number).event_id
            taken = await send(bench, is_batch, targets=targets, event_id=event_id)

            assert isinstance(taken, Taken)
            assert taken.warning == ""


@BOTH
async def test_a_field_that_is_not_there_needs_no_person(
    tmp_path: Path, is_batch: bool
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await register(bench, decision={"subject": "target/9", "sensitive": True})

        taken = await send(bench, is_batch)

        assert isinstance(taken, Taken)
        assert taken.warning == ""


async def test_nobody_is_the_server_itself_in_a_batch_either(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        raws = [json.dumps(event_json(1)).encode()]

        with pytest.raises(UnprocessableError, match="the server's own"):
            await bench.intake.submit_batch("tallystick", raws, is_cbor=False)
        with pytest.raises(UnprocessableError, match="the server's own"):
            await bench.intake.submit("tallystick", [make_event(1)])

        assert bench.log.head.size == 1
