"""The pure part of clearance, and how a log waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tallystick_server.clock import SetClock
from tallystick_server.errors import IntegrityError
from tallystick_server.log.clearance import (
    Answer,
    Decision,
    decide,
    rollback_is_detectable,
    wait_for_clearance,
)
from tallystick_server.log.ticker import IntervalTicker
from tests.fakes.witnesses import FakeWitness, policy_of, targets


def answers(*kinds: tuple[FakeWitness, int]) -> Sequence[Answer]:
    return [
        Answer(one.name, size, one.verifiers, "" if size else "has never cosigned")
        for one, size in kinds
    ]


@pytest.mark.parametrize("size", [1, 2, 9])
def test_never_cosigned_counts_for_the_genesis_entry_alone(size: int) -> None:
    a, b = FakeWitness("a", SetClock()), FakeWitness("b", SetClock())
    policy = policy_of("all", a, b)

    for said in (answers((a, 0), (b, 0)), answers((a, 1), (b, 0))):
        decision = decide(policy, said, size=size, anchored=False)
        assert decision.may_sign == (size == 1)


def test_a_rollback_is_detectable_by_witnesses_or_an_anchor() -> None:
    some = targets(policy_of("none", FakeWitness("a", SetClock())))

    assert rollback_is_detectable(some, has_anchor=False)
    assert rollback_is_detectable((), has_anchor=True)
    assert not rollback_is_detectable((), has_anchor=False)


class Checks:
    """Decisions one after another; the last one is repeated."""

    def __init__(self, *decisions: Decision | Exception) -> None:
        self._decisions = list(decisions)
        self.count = 0

    async def __call__(self) -> Decision:
        self.count += 1
        found = self._decisions[min(self.count, len(self._decisions)) - 1]
        if isinstance(found, Exception):
            raise found
        return found


NO = Decision(False, "nobody answered")
YES = Decision(True, "a quorum")


async def test_waiting_ends_with_the_clearance() -> None:
    checks = Checks(NO, NO, YES)

    found = await wait_for_clearance(checks, IntervalTicker(0), asyncio.Event())

    assert (found, checks.count) == (YES, 3)


async def test_a_log_that_is_cleared_at_once_does_not_wait() -> None:
    checks = Checks(YES)

    found = await wait_for_clearance(checks, IntervalTicker(3600), asyncio.Event())

    assert (found, checks.count) == (YES, 1)


async def test_waiting_ends_when_stopped() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(
        wait_for_clearance(Checks(NO), IntervalTicker(3600), stop)
    )
    await asyncio.sleep(0)

    stop.set()

    assert await waiting is None


async def test_a_stop_during_a_check_lets_nothing_begin() -> None:
    stop = asyncio.Event()

    async def check() -> Decision:
        stop.set()
        return YES

    assert await wait_for_clearance(check, IntervalTicker(0), stop) is None


async def test_waiting_ends_with_proof_of_a_rollback() -> None:
    checks = Checks(NO, IntegrityError("set back"))

    with pytest.raises(IntegrityError, match="set back"):
        await wait_for_clearance(checks, IntervalTicker(0), asyncio.Event())
