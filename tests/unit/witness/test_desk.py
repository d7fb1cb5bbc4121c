"""Many requests at once: one writer, consistent answers, a bounded line."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from tallystick_merkle.cosignature import verify_line
from tallystick_merkle.witnessing import parse_cosignatures, parse_size
from tallystick_witness.desk import Desk
from tallystick_witness.errors import BusyError, StoreError, UnavailableError
from tallystick_witness.keyring import identify
from tallystick_witness.service import Answer
from tallystick_witness.state import FollowedLog, Head
from tallystick_witness.store.memory import MemoryStore
from tests.unit.witness.world import ED_KEY, KEYS, LogTwin, World, ask

FORK = LogTwin(salt=b"fork")


@pytest.fixture
def world() -> World:
    return World(keys=(ED_KEY,))


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    desk = Desk(world.witness, max_waiting=1000)
    yield desk
    desk.close()


async def ask_all(desk: Desk, bodies: list[bytes]) -> list[Answer]:
    return list(await asyncio.gather(*map(desk.add_checkpoint, bodies)))


async def test_of_a_hundred_first_requests_one_size_wins(
    world: World, desk: Desk
) -> None:
    sizes = [1 + number % 50 for number in range(100)]

    answers = await ask_all(desk, [world.log.request(0, size) for size in sizes])

    won = {size for size, one in zip(sizes, answers, strict=True) if one.status == 200}
    told = {parse_size(one.body) for one in answers if one.status == 409}
    assert won == {world.size()}
    assert told == {world.size()}


async def test_a_fork_and_its_rival_never_both_get_a_size(
    world: World, desk: Desk
) -> None:
    await desk.add_checkpoint(world.log.request(0, 0))
    bodies = [(world.log, FORK)[number % 2].request(0, 8) for number in range(100)]

    answers = await ask_all(desk, bodies)

    winners = {number % 2 for number, one in enumerate(answers) if one.status == 200}
    assert len(winners) == 1


async def test_a_hundred_clients_that_follow_the_size_all_end_consistent(
    world: World, desk: Desk
) -> None:
    roots: dict[int, bytes] = {}
    order: list[int] = []

    async def grow(target: int) -> None:
        old = 0
        while old < target:
            twin = world.log if target % 3 else FORK
            body = ask(old, twin.proof(old, target), twin.note(target))
            answer = await desk.add_checkpoint(body)
            if answer.status == 409:
                seen = parse_size(answer.body)
                if seen >= target:
                    return
                old = seen
                continue
            if answer.status == 200:
                (line,) = parse_cosignatures(answer.body)
                verify_line(twin.head(target), ED_KEY.verifier, line)
                assert roots.setdefault(target, twin.tree.root(target)) == (
                    twin.tree.root(target)
                )
                order.append(target)
            return

    await asyncio.gather(*(grow(1 + number % 60) for number in range(100)))

    assert order == sorted(order)
    assert len(order) >= 1


async def test_refreshes_of_all_at_once_are_all_cosigned(
    world: World, desk: Desk
) -> None:
    await desk.add_checkpoint(world.log.request(0, 8))

    answers = await ask_all(desk, [world.log.request(8, 8)] * 100)

    assert {one.status for one in answers} == {200}


class SlowStore(MemoryStore):
    """A store that waits before it finds anything."""

    def __init__(self) -> None:
        super().__init__(identify(KEYS))
        self.gate = threading.Event()
        self.gate.set()

    def find(self, origin_hash: str) -> FollowedLog | None:
        self.gate.wait()
        return super().find(origin_hash)


async def test_the_line_is_bounded_and_nothing_waiting_is_lost() -> None:
    store = SlowStore()
    world = World(store=store, keys=(ED_KEY,))
    desk = Desk(world.witness, max_waiting=2)
    store.gate.clear()
    first = asyncio.create_task(desk.add_checkpoint(world.log.request(0, 5)))
    second = asyncio.create_task(desk.add_checkpoint(world.log.request(5, 8)))
    await asyncio.sleep(0)

    with pytest.raises(BusyError):
        await desk.add_checkpoint(world.log.request(0, 5))
    store.gate.set()

    assert [(await first).status, (await second).status] == [200, 200]
    desk.close()


class BrokenStore(MemoryStore):
    """A store whose every step fails."""

    def advance(self, origin: str, expected_old: Head | None, new_head: Head) -> None:
        raise StoreError("the disk is gone")


async def test_a_store_error_is_503_and_ends_the_process() -> None:
    world = World(store=BrokenStore(identify(KEYS)))
    desk = Desk(world.witness, max_waiting=10)
    failed = asyncio.create_task(desk.failure())

    with pytest.raises(UnavailableError, match="in doubt"):
        await desk.add_checkpoint(world.log.request(0, 5))

    assert isinstance(await failed, StoreError)
    desk.close()


async def test_a_failing_read_is_503_and_ends_the_process() -> None:
    class Blind(MemoryStore):
        def find(self, origin_hash: str) -> FollowedLog | None:
            if self.logs():
                raise StoreError("cannot be read")
            return None

    world = World(store=Blind(identify(KEYS)))
    desk = Desk(world.witness, max_waiting=10)

    with pytest.raises(UnavailableError):
        desk.checkpoint(world.log.place)

    assert isinstance(await desk.failure(), StoreError)
    desk.close()


async def test_a_page_is_read_while_nothing_waits(world: World, desk: Desk) -> None:
    assert desk.checkpoint(world.log.place) is None

    await desk.add_checkpoint(world.log.request(0, 5))

    assert desk.checkpoint(world.log.place) is not None
    assert desk.witness is world.witness


async def test_sweeping_goes_on_until_cancelled(world: World) -> None:
    swept = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Telling(MemoryStore):
        def sweep(self) -> None:
            loop.call_soon_threadsafe(swept.set)

    desk = Desk(World(store=Telling(identify(KEYS))).witness, max_waiting=1)
    task = asyncio.create_task(desk.sweep_every(0.0))

    await swept.wait()

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    desk.close()


async def test_a_step_in_work_is_no_failure_to_others() -> None:
    class Pausing(MemoryStore):
        def __init__(self) -> None:
            super().__init__(identify(KEYS))
            self.storing = threading.Event()
            self.gate = threading.Event()

        def advance(
            self, origin: str, expected_old: Head | None, new_head: Head
        ) -> None:
            self.storing.set()
            self.gate.wait()
            super().advance(origin, expected_old, new_head)

    store = Pausing()
    world = World(store=store, keys=(ED_KEY,))
    desk = Desk(world.witness, max_waiting=2)
    step = asyncio.create_task(desk.add_checkpoint(world.log.request(0, 5)))
    await asyncio.to_thread(store.storing.wait)

    desk.witness.check_ready()
    assert desk.checkpoint(world.log.place) is None
    assert desk.witness.failure is None
    store.gate.set()

    assert (await step).status == 200
    desk.close()
