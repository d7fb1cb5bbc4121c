"""Stored records in the clear: what is gone stays closed, what is wrong is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tallystick_merkle.event import id_bytes
from tallystick_merkle.sealing import Record, parse_record
from tallystick_server.errors import IntegrityError
from tallystick_server.ingest.opened import CHUNK, Records
from tallystick_server.vault.base import Vault, VaultKey
from tests.fakes.intakes import IntakeBench, event_json, make_event
from tests.fakes.logs import check_log


async def submit(bench: IntakeBench, *numbers: int) -> None:
    await bench.intake.submit("billing", [make_event(number) for number in numbers])


async def lose(bench: IntakeBench, index: int, *groups: int) -> None:
    (opened,) = await bench.intake.records.read(index, index + 1)
    bench.reading.lost |= {opened.record.groups[one].kid for one in groups}


async def test_a_record_is_found_by_the_id_of_its_event(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await submit(bench, 1, 2)
        records = bench.intake.records

        found = await records.find(id_bytes(event_json(2)["event_id"]))

        assert found is not None
        assert (found.index, found.event) == (2, make_event(2))
        assert await records.find(id_bytes(event_json(3)["event_id"])) is None


async def test_its_leaf_is_that_of_the_log(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await submit(bench, 1, 2)

        opened = await bench.intake.records.read(1, 3)

        assert [one.leaf for one in opened] == check_log(bench.store)[1:]
        assert {one.received_ms for one in opened} == {bench.inner.clock.now_ms()}


async def test_entries_without_a_record_are_passed_over(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await submit(bench, 1)

        assert [one.index for one in await bench.intake.records.read(0, 2)] == [1]
        assert await bench.intake.records.read(0, 1) == []
        assert await bench.intake.records.read(1, 1) == []


async def test_more_records_than_a_chunk_come_in_order(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await submit(bench, *range(1, CHUNK + 20))

        opened = await bench.intake.records.read(0, CHUNK + 20)

        assert [one.index for one in opened] == list(range(1, CHUNK + 20))


@pytest.mark.parametrize("groups", [(0,), (1,), (2,), (0, 1, 2)])
async def test_a_group_without_key_stays_closed(
    tmp_path: Path, groups: tuple[int, ...]
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await submit(bench, 1)
        await lose(bench, 1, *groups)

        (opened,) = await bench.intake.records.read(1, 2)

        assert opened.erased == list(groups)
        assert opened.event is None
        assert opened.leaf == check_log(bench.store)[1]
        for number, shown in enumerate(opened.shown):
            digest = opened.record.groups[number].digest
            assert (shown == digest) == (number in groups)


async def test_who_follows_the_log_needs_only_the_facts(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await submit(bench, 1)
        await lose(bench, 1, 1, 2)

        (opened,) = await bench.intake.records.read(1, 2)
        outline = opened.outline
        await lose(bench, 1, 0)
        (closed,) = await bench.intake.records.read(1, 2)

        assert outline is not None
        event = make_event(1)
        assert (outline.event_id, outline.action) == (event.event_id, event.action)
        assert outline.producer == event.producer
        assert outline.occurred_ms == event.occurred_ms
        assert (outline.actor.id, outline.targets) == ("", ())
        assert closed.outline is None


async def test_a_record_is_not_shown_by_accident(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await submit(bench, 1)

        (opened,) = await bench.intake.records.read(1, 2)

        assert "alice" not in repr(opened)


@dataclass
class WrongKeys:
    """A vault that gives another key under the ids of its own."""

    vault: Vault

    def by_kid(self, kids: Sequence[bytes]) -> dict[bytes, VaultKey]:
        other = VaultKey(b"k" * 8, bytes(32), bytes(32))
        return dict.fromkeys(self.vault.by_kid(kids), other)


async def test_a_group_that_its_key_does_not_open_is_told_to_the_log(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        await submit(bench, 1)
        records = Records(bench.log, WrongKeys(bench.vault), bench.pool)

        with pytest.raises(IntegrityError, match="the record of entry 1"):
            await records.read(1, 2)

        assert bench.writer.stopped is not None


def groups_of(record: Record) -> Iterator[bytes]:
    for group in record.groups:
        yield group.digest


async def test_what_is_read_is_what_was_committed(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await submit(bench, 1)

        ((_, _, data),) = bench.log.reader.records(1, 2)
        (opened,) = await bench.intake.records.read(1, 2)

        assert list(groups_of(opened.record)) == list(groups_of(parse_record(data)))
