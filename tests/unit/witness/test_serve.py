"""How a serving witness ends: told to, with an error of its own, or with a bug."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tallystick_witness.desk import Desk
from tallystick_witness.errors import StoreError
from tallystick_witness.serve import wait_for_end
from tests.unit.witness.world import ED_KEY, World


class SweptDesk(Desk):
    """A desk whose sweep ends with an error, if it has one."""

    error: Exception | None = None

    async def sweep_every(self, interval_s: float) -> None:
        if self.error is not None:
            raise self.error
        await super().sweep_every(interval_s)


@pytest.fixture
def desk() -> Iterator[SweptDesk]:
    desk = SweptDesk(World(keys=(ED_KEY,)).witness, max_waiting=1)
    yield desk
    desk.close()


async def test_a_signal_ends_it_without_an_error(desk: SweptDesk) -> None:
    stop = asyncio.Event()
    stop.set()

    assert await wait_for_end(desk, stop) is None


async def test_an_error_of_the_store_ends_it_and_is_given(desk: SweptDesk) -> None:
    desk.error = StoreError("the reader table cannot be checked")

    assert await wait_for_end(desk, asyncio.Event()) is desk.error


async def test_a_bug_is_not_taken_for_a_stop(desk: SweptDesk) -> None:
    desk.error = RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await wait_for_end(desk, asyncio.Event())
