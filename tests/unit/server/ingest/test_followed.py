"""Followers are told every event once, in order, whatever was lost or damaged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle import canonical
from tallystick_merkle.event import Event, Value
from tallystick_server.errors import StoreError
from tallystick_server.ingest.followed import MAC_SIZE, Followed
from tallystick_server.ingest.opened import CHUNK
from tests.fakes.intakes import IntakeBench, fake_mac, make_event
from tests.fakes.logs import ORIGIN


class Counter:
    """Follows by keeping the index, sequence number and time of each event."""

    def __init__(self) -> None:
        self.seen: list[Value] = []

    def observe(self, index: int, event: Event, received_ms: int) -> None:
        self.seen.append([index, event.producer.sequence, received_ms])

    def dump(self) -> Value:
        return list(self.seen)

    def load(self, value: Value) -> None:
        if type(value) is not list:
            raise ValueError("expected a list")
        self.seen = list(value)

    @property
    def indexes(self) -> list[Value]:
        return [one[0] for one in self.seen if isinstance(one, list)]


class Place:
    """A log with events, and what follows it, anew as often as it is asked for."""

    def __init__(self, bench: IntakeBench, folder: Path) -> None:
        self.bench = bench
        self.path = folder / "derived" / "followed.cbor"
        self.first, self.second = Counter(), Counter()

    def follow(
        self,
        *,
        origin: str = ORIGIN,
        root_at: Callable[[int], bytes] | None = None,
        mac: Callable[[bytes], bytes] = fake_mac,
    ) -> Followed:
        """Begin again, as a process does that starts."""
        self.first, self.second = Counter(), Counter()
        return Followed(
            {"first": self.first, "second": self.second},
            self.bench.intake.records,
            origin=origin,
            path=self.path,
            size=lambda: self.bench.log.head.size,
            root_at=root_at or self.bench.log.reader.root,
            mac=mac,
        )

    async def add(self, *numbers: int) -> None:
        await self.bench.intake.submit("billing", [make_event(n) for n in numbers])

    async def saved(self) -> Followed:
        """Follow to the end, and save."""
        followed = self.follow()
        await followed.catch_up()
        work = followed.save()
        assert work is not None
        work()
        return followed


def at_time(bench: IntakeBench) -> int:
    return bench.inner.clock.now_ms()


async def test_events_told_out_of_order_are_observed_in_order(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        followed = place.follow()

        for index in (2, 0, 3):
            followed.see(index, make_event(index), 7)
        assert (place.first.indexes, followed.position) == ([0], 1)
        followed.see(1, make_event(1), 7)
        followed.see(1, make_event(1), 7)

        assert place.first.seen == [[index, index, 7] for index in range(4)]
        assert place.second.seen == place.first.seen
        assert followed.position == 4


async def test_what_nobody_told_of_is_read_from_the_log(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        await place.add(1, 2, 3)
        followed = place.follow()
        followed.see(3, make_event(3), at_time(bench))  # 0 to 2 were never told

        await followed.catch_up()

        now_ms = at_time(bench)
        assert place.first.seen == [[n, n, now_ms] for n in (1, 2, 3)]
        assert followed.position == 4


async def test_one_that_is_told_while_it_is_read_is_observed_once(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        await place.add(*range(1, 40))
        followed = place.follow()

        reading = asyncio.create_task(followed.catch_up())
        other = asyncio.create_task(followed.catch_up())
        await asyncio.to_thread(int)
        for index in range(1, 40):
            followed.see(index, make_event(index), at_time(bench))
        await asyncio.gather(reading, other)

        assert place.first.indexes == list(range(1, 40))


async def test_a_log_longer_than_a_chunk_is_followed_whole(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        await place.add(*range(1, CHUNK + 10))
        followed = place.follow()

        await followed.catch_up()

        assert place.first.indexes == list(range(1, CHUNK + 10))


async def test_after_a_start_only_the_rest_is_read_and_the_state_is_the_same(
    tmp_path: Path,
) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        await place.add(1, 2)
        await place.saved()
        await place.add(3)
        again = place.follow()

        again.load()
        assert again.position == 3
        assert place.first.indexes == [1, 2]
        await again.catch_up()

        afresh = place.first.seen
        await place.follow().catch_up()
        assert place.first.seen == afresh
        assert len(afresh) == 3


async def test_what_stands_already_is_not_saved_again(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        followed = await place.saved()

        assert followed.save() is None
        await place.add(1)
        await followed.catch_up()
        assert followed.save() is not None


async def test_without_a_snapshot_all_is_read(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        followed = Place(bench, tmp_path).follow()

        followed.load()

        assert followed.position == 0


async def test_a_snapshot_holds_nothing_of_what_events_say(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        await bench.intake.submit("billing", [make_event(n) for n in range(5)])
        await bench.intake.followed.catch_up()
        work = bench.intake.followed.save()
        assert work is not None
        work()

    data = (tmp_path / "derived" / "followed.cbor").read_bytes()
    assert b"billing" in data
    for word in (b"alice", b"bob", b"apollo", b"203.0", b"OPS", b"promoted"):
        assert word not in data


def signed(body: object) -> bytes:
    """A snapshot as whoever has the key of the MAC can write it."""
    packed = canonical.pack(body)
    return fake_mac(packed) + packed


def members(**more: Any) -> Callable[[Mapping[str, Any]], bytes]:  # noqa: ANN401 -- any
    return lambda body: signed({**body, **more})


DAMAGED: dict[str, Callable[[Mapping[str, Any]], bytes]] = {
    "nothing": lambda _: b"",
    "no mac": lambda body: canonical.pack(dict(body)),
    "another mac": lambda body: bytes(MAC_SIZE) + signed(dict(body))[MAC_SIZE:],
    "an emptied state under the mac of another": lambda body: (
        signed(dict(body))[:MAC_SIZE]
        + canonical.pack({**body, "state": {"first": [], "second": []}})
    ),
    "cut within the mac": lambda body: signed(dict(body))[: MAC_SIZE - 1],
    "cut short": lambda body: signed(dict(body))[:-1],
    "no cbor": lambda _: fake_mac(b"\xff\xff") + b"\xff\xff",
    "no map": lambda _: signed([1]),
    "another format": members(format=1),
    "another history": members(root=bytes(32)),
    "another log": members(log="example.com/other"),
    "no log": lambda body: signed(
        {name: one for name, one in body.items() if name != "log"}
    ),
    "ahead of the log": members(position=4),
    "before the log": members(position=-1),
    "a position that is none": members(position=True),
    "a state that is none": members(state=7),
    "a state of other things": members(state={"first": []}),
    "half a state": members(state={"first": [[9, 9, 9]], "second": 7}),
    "the other half": members(state={"first": None, "second": [[9, 9, 9]]}),
}


@pytest.mark.parametrize("how", DAMAGED)
async def test_a_snapshot_that_is_of_no_use_is_not_used_at_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        await place.add(1, 2)
        await place.saved()
        body = canonical.decode(place.path.read_bytes()[MAC_SIZE:])
        assert isinstance(body, dict)
        place.path.write_bytes(DAMAGED[how](body))
        followed = place.follow()

        followed.load()

        assert (followed.position, place.first.seen, place.second.seen) == (0, [], [])
        assert [one.getMessage() for one in caplog.records] == ["snapshot not used"]
        await followed.catch_up()
        assert place.first.indexes == place.second.indexes == [1, 2]


async def test_a_snapshot_holds_the_root_that_it_stands_on(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        await place.add(1, 2)
        await place.saved()
        root = bench.log.reader.root(3)
        await place.add(3)

        body = canonical.decode(place.path.read_bytes()[MAC_SIZE:])

        assert (body["position"], body["root"]) == (3, root)


async def test_without_a_key_no_snapshot_is_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def keyless(_: bytes) -> bytes:
        raise StoreError("no key")

    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        await place.add(1, 2)
        await place.saved()
        followed = place.follow(mac=keyless)

        followed.load()

        assert (followed.position, place.first.seen) == (0, [])
        assert [one.getMessage() for one in caplog.records] == ["snapshot not used"]


async def test_a_snapshot_that_cannot_be_read_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        place.path.mkdir(parents=True)
        followed = place.follow()

        with caplog.at_level(logging.WARNING):
            followed.load()

        assert followed.position == 0
        (record,) = caplog.records
        assert str(tmp_path) not in str(record.__dict__["why"])


async def test_events_of_erased_persons_are_followed_too(tmp_path: Path) -> None:
    async with IntakeBench(tmp_path) as bench:
        place = Place(bench, tmp_path)
        await place.add(1, 2)
        record = (await bench.intake.records.read(1, 2))[0].record
        bench.reading.lost |= {group.kid for group in record.groups[1:]}
        followed = place.follow()

        await followed.catch_up()

        assert place.first.indexes == [1, 2]
