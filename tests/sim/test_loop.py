"""Virtual time: sleeps cost nothing, and order is that of the clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.sim import loop
from tests.sim.process import Crashed, Process, is_crash


def run(main: Any) -> Any:  # noqa: ANN401 -- whatever the coroutine gives
    lost: list[dict[str, Any]] = []
    result = loop.run(main, latency=lambda: 0.5, on_error=lost.append)
    assert lost == []
    return result


def test_an_hour_passes_at_once_and_to_the_second() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(3600)


def test_who_sleeps_less_wakes_first() -> None:
    order: list[int] = []

    async def sleeper(seconds: int) -> None:
        await asyncio.sleep(seconds)
        order.append(seconds)

    async def main() -> None:
        await asyncio.gather(*map(sleeper, [30, 10, 20]))

    run(main())

    assert order == [10, 20, 30]


def test_a_thread_s_job_takes_its_latency_and_runs_on_the_loop() -> None:
    async def main() -> tuple[str, float]:
        result = await asyncio.to_thread(lambda: "done")
        return result, asyncio.get_running_loop().time()

    assert run(main()) == ("done", pytest.approx(0.5))


def test_a_world_in_which_nothing_can_happen_is_reported() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(loop.DeadlockError):
        run(main())


def test_an_armed_process_dies_at_that_step_and_no_other() -> None:
    ends: list[str] = []

    async def main() -> int:
        process = Process("p", lambda _, why: ends.append(why))
        process.arm(3)
        process.step()
        process.step()
        with pytest.raises(Crashed):
            process.step()
        with pytest.raises(Crashed):
            process.step()
        return process.steps

    assert run(main()) == 2
    assert ends == ["killed"]


def test_the_tasks_of_a_process_end_with_it_and_those_of_others_do_not() -> None:
    async def nap(seconds: float, done: list[float]) -> None:
        await asyncio.create_task(asyncio.sleep(seconds))
        done.append(seconds)

    async def main() -> list[float]:
        done: list[float] = []
        dies, lives = (Process(name, lambda *_: None) for name in "ab")
        dies.spawn(nap(2, done), "first")
        lives.spawn(nap(3, done), "second")
        await asyncio.sleep(1)
        dies.die("killed")
        await asyncio.sleep(5)
        return done

    assert run(main()) == [3]


def test_a_group_of_deaths_is_a_death_and_one_with_an_error_is_not() -> None:
    assert is_crash(BaseExceptionGroup("", [Crashed(), asyncio.CancelledError()]))
    assert not is_crash(BaseExceptionGroup("", [Crashed(), ValueError()]))
