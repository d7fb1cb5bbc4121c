"""Single events that come together are sealed together, and answered one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tallystick_server.errors import EventReusedError, UnavailableError
from tallystick_server.ingest.gathering import ENOUGH, GROUPS, MOST, Gathering
from tallystick_server.ingest.results import Refused, Submitted


class Slow:
    """Submits groups when it is told to; the id of a result is its event."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, list[bytes], bool]] = []
        self.gates: list[asyncio.Event] = []
        self.failure: BaseException | None = None

    async def __call__(
        self, principal: str, raws: Sequence[bytes], is_cbor: bool
    ) -> Submitted:
        self.groups.append((principal, list(raws), is_cbor))
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        if self.failure is not None:
            raise self.failure
        results = [Refused(raw.decode(), EventReusedError()) for raw in raws]
        return Submitted(tuple(results), None)

    def sizes(self) -> list[int]:
        return [len(raws) for _, raws, _ in self.groups]


async def turns() -> None:
    for _ in range(20):
        await asyncio.to_thread(int)


def begin(
    gathering: Gathering, count: int, *, principal: str = "billing", start: int = 0
) -> list[asyncio.Task[Submitted]]:
    return [
        asyncio.create_task(gathering.submit(principal, b"%d" % n, is_cbor=False))
        for n in range(start, start + count)
    ]


async def test_what_comes_while_a_group_is_under_way_is_the_next_one() -> None:
    slow = Slow()
    gathering = Gathering(slow)
    tasks = begin(gathering, 1)
    await turns()
    tasks += begin(gathering, ENOUGH - 1, start=1)
    await turns()
    assert slow.sizes() == [1]

    slow.gates[0].set()
    await turns()

    assert slow.sizes() == [1, ENOUGH - 1]
    slow.gates[1].set()
    answers = await asyncio.gather(*tasks)
    assert [one.results[0].event_id for one in answers] == [
        str(n) for n in range(ENOUGH)
    ]


async def test_many_begin_another_group_and_groups_are_bounded() -> None:
    slow = Slow()
    gathering = Gathering(slow)
    tasks = []
    for number in range(GROUPS + 2):
        tasks += begin(gathering, ENOUGH, start=number * ENOUGH)
        await turns()

    assert len(slow.groups) == GROUPS

    for _ in range(GROUPS + 2):
        for gate in slow.gates:
            gate.set()
        await turns()
    assert sum(slow.sizes()) == len(tasks)
    await asyncio.gather(*tasks)


async def test_a_group_has_a_most() -> None:
    slow = Slow()
    gathering = Gathering(slow)
    first = begin(gathering, 1)
    await turns()
    rest = [*begin(gathering, ENOUGH, start=1)]
    await turns()
    rest += begin(gathering, MOST + 5, start=1 + ENOUGH)
    await turns()

    while not all(task.done() for task in [*first, *rest]):
        for gate in slow.gates:
            gate.set()
        await turns()

    assert max(slow.sizes()) <= MOST
    assert sum(slow.sizes()) == 1 + ENOUGH + MOST + 5


async def test_principals_and_spellings_are_not_mixed() -> None:
    slow = Slow()
    gathering = Gathering(slow)
    tasks = [*begin(gathering, 1), *begin(gathering, 1, principal="shop", start=1)]
    tasks.append(asyncio.create_task(gathering.submit("billing", b"2", is_cbor=True)))
    await turns()

    assert sorted(slow.groups) == [
        ("billing", [b"0"], False),
        ("billing", [b"2"], True),
        ("shop", [b"1"], False),
    ]
    for gate in slow.gates:
        gate.set()
    await asyncio.gather(*tasks)
    await gathering.close()


async def test_what_refuses_a_group_is_told_to_each_of_it() -> None:
    slow = Slow()
    slow.failure = UnavailableError("the log is read-only")
    gathering = Gathering(slow)
    tasks = begin(gathering, 1)
    await turns()
    tasks += begin(gathering, 3, start=1)
    while not all(task.done() for task in tasks):
        for gate in slow.gates:
            gate.set()
        await turns()

    for task in tasks:
        with pytest.raises(UnavailableError):
            await task


async def test_a_caller_that_goes_away_takes_nobody_with_it() -> None:
    slow = Slow()
    gathering = Gathering(slow)
    first, second = [*begin(gathering, 1), *begin(gathering, 1, start=1)]
    await turns()
    third = begin(gathering, 1, start=2)[0]
    await turns()
    second.cancel()
    first.cancel()
    for _ in range(3):
        for gate in slow.gates:
            gate.set()
        await turns()

    assert (await third).results[0].event_id == "2"
    await gathering.close()
