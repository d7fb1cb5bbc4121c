"""The publisher: whom it asks when, what it serves, and what never delays it."""

from __future__ import annotations

import pytest

from tallystick_merkle.keys import KeyType
from tallystick_merkle.note import parse_note
from tallystick_merkle.policy import Policy
from tallystick_server.log.publisher import Publisher
from tallystick_server.log.publishing import PublishSettings
from tests.fakes.publishing import Bench, settle
from tests.fakes.witnesses import (
    DOWN,
    FakeWitness,
    Held,
    always,
    never,
    policy_of,
    ring_of,
)


async def test_the_first_head_of_a_new_log_is_published_at_once() -> None:
    bench = Bench("all", "a b")

    await bench.publisher.publish_once()

    assert bench.sizes == [1]
    assert bench.log.cosigners() == {"a", "b"}
    assert bench.publisher.health().quorum_met


@pytest.mark.parametrize("policy", [None, policy_of("none")])
async def test_without_a_quorum_the_log_publishes_on_its_own_word(
    policy: Policy | None,
) -> None:
    bench = Bench("none", "")
    bench.publisher = Publisher(
        bench.log,
        policy=policy,
        targets=(),
        witnesses=ring_of(),
        clock=bench.clock,
        ticker=bench.ticker,
        evidence=bench.evidence,
    )
    bench.log.append(3)

    await bench.publisher.publish_once()

    assert bench.log.published is not None
    assert bench.log.published.note == bench.log.head.note
    health = bench.publisher.health()
    assert (health.published_size, health.quorum_met, health.is_degraded) == (
        4,
        True,
        False,
    )
    assert health.quorum_s_ago is None


async def test_with_quorum_none_listed_witnesses_cosign_all_the_same() -> None:
    bench = Bench("none", "a b")

    await bench.publisher.publish_once()

    assert bench.log.history[0].note == bench.log.head.note
    assert bench.log.cosigners() == {"a", "b"}


async def test_nothing_is_asked_or_published_while_nothing_changes() -> None:
    bench = Bench("all", "a b")
    await bench.publisher.publish_once()

    for _ in range(5):
        bench.clock.advance(1_000)
        await bench.publisher.publish_once()

    assert bench.sizes == [1]
    assert bench.log.marked == 1
    assert [len(one.requests) for one in bench.witnesses] == [1, 1]


async def test_each_growth_is_published_with_its_proof() -> None:
    bench = Bench("all", "a b")

    for size in (1, 2, 5, 300):
        if size > 1:
            bench.log.append(size - bench.log.head.size)
        await bench.publisher.publish_once()

    assert bench.sizes == [1, 2, 5, 300]
    assert bench.witnesses[0].submitted == [(0, 1), (1, 2), (2, 5), (5, 300)]


async def test_a_witness_with_two_keys_is_asked_once_and_both_lines_are_kept() -> None:
    bench = Bench("all", "a")
    both = FakeWitness("two", bench.clock, types=[KeyType.COSIGNATURE, KeyType.MLDSA44])
    bench.witnesses = [both]
    bench.policy = bench.log.policy = policy_of("all", both)
    bench.restart()

    await bench.publisher.publish_once()

    assert bench.sizes == [1]
    assert len(both.requests) == 1
    assert bench.log.published is not None
    assert len(parse_note(bench.log.published.note).signatures) == 3


async def test_a_restart_goes_on_where_the_witnesses_are() -> None:
    bench = Bench("all", "a b")
    bench.log.append(4)
    await bench.publisher.publish_once()

    bench.restart()
    assert bench.publisher.health().quorum_met
    await bench.publisher.publish_once()
    bench.log.append(2)
    await bench.publisher.publish_once()

    assert bench.sizes == [5, 7]
    assert bench.witnesses[0].submitted == [(0, 5), (5, 7)]


async def test_a_forgotten_size_is_found_again_by_a_409() -> None:
    bench = Bench("all", "a b")
    bench.witnesses[0].saw(1, bench.log.head.root)

    bench.log.append(2)
    await bench.publisher.publish_once()

    assert bench.sizes == [3]
    assert bench.witnesses[0].submitted == [(0, 3), (1, 3)]


async def test_with_a_quorum_met_the_slow_witness_comes_later() -> None:
    bench = Bench("2", "a b c")
    slow = Held(bench.witnesses[2])
    task = await bench.start()

    assert bench.sizes == [1]
    assert bench.log.cosigners() == {"a", "b"}
    slow.go.set()
    await settle()

    assert bench.sizes == [1, 1]
    assert bench.log.cosigners() == {"a", "b", "c"}
    await bench.stop(task)


async def test_a_dead_witness_delays_neither_the_others_nor_the_next_round() -> None:
    bench = Bench("2", "a b c")
    bench["c"].tell = never()
    task = await bench.start()

    for size in (2, 3, 4):
        bench.log.append()
        await bench.tick()
        assert bench.sizes[-1] == size

    assert bench["c"].submitted == [(0, 1)]
    assert bench["b"].submitted == [(0, 1), (1, 2), (2, 3), (3, 4)]
    await bench.stop(task)


async def test_a_needed_slow_witness_still_gets_whole_rounds() -> None:
    bench = Bench("all", "a b")
    slow = Held(bench["b"])
    task = await bench.start()

    bench.log.append()
    await bench.tick()
    await bench.tick()
    assert bench.sizes == []
    assert bench["a"].submitted == [(0, 1)]  # no head that b cannot follow
    slow.go.set()
    await settle()
    assert bench.sizes == [1]
    await bench.tick()

    assert bench.sizes == [1, 2]
    await bench.stop(task)


async def test_two_slow_witnesses_out_of_step_do_not_starve_the_quorum() -> None:
    bench = Bench("all", "a b")
    task = await bench.start()

    for at in range(1, 9):
        slow = Held(bench["ab"[at % 2]])
        bench.log.append()
        await bench.tick()
        await bench.tick()
        slow.go.set()
        await settle()
        bench["ab"[at % 2]].tell = None

    assert len(set(bench.sizes)) > 4
    await bench.stop(task)


async def test_a_late_quorum_for_an_older_head_is_still_published() -> None:
    bench = Bench("2", "a b c")
    for name in "ab":
        bench[name].tell = always(DOWN)
    slow = Held(bench["c"])
    task = await bench.start()  # size 1: a and b fail, c is slow
    for name in "ab":
        bench[name].tell = None
    await bench.tick(2)  # a and b are asked again
    bench.log.append()
    await bench.tick()
    assert bench.sizes[-1] == 2

    slow.go.set()
    await settle()

    assert bench.sizes == sorted(bench.sizes)
    assert bench.log.cosigners() == {"a", "b"}
    await bench.stop(task)


async def test_an_older_head_is_published_if_it_is_news() -> None:
    bench = Bench("2", "a b c")
    slow = Held(bench["c"])
    bench["b"].tell = always(DOWN)
    task = await bench.start()  # size 1: a cosigned, b failed, c is slow
    bench["b"].tell = None
    hold_a, hold_b = Held(bench["a"]), Held(bench["b"])
    bench.log.append()
    await bench.tick(2)  # a and b get size 2
    assert bench.sizes == []

    slow.go.set()
    await settle()
    assert bench.sizes == [1]
    hold_a.go.set()
    hold_b.go.set()
    await settle()

    assert bench.sizes[:2] == [1, 2]
    await bench.stop(task)


async def test_a_round_that_cannot_meet_the_quorum_is_not_begun() -> None:
    bench = Bench("all", "a b")
    await bench.publisher.publish_once()
    bench["b"].tell = always(DOWN)
    bench.log.append()
    await bench.publisher.publish_once()
    assert bench["a"].submitted == [(0, 1), (1, 2)]

    bench.log.append()
    await bench.publisher.publish_once()

    assert bench["a"].submitted == [(0, 1), (1, 2)]
    health = bench.publisher.health()
    assert (health.published_size, health.quorum_met) == (1, False)
    assert health.is_degraded


async def test_an_unmet_quorum_keeps_the_older_checkpoint_and_heals() -> None:
    bench = Bench("all", "a b")
    await bench.publisher.publish_once()
    bench["b"].tell = always(DOWN)
    bench.log.append()
    await bench.publisher.publish_once()
    assert bench.sizes == [1]
    assert not bench.publisher.health().quorum_met

    bench["b"].tell = None
    bench.clock.advance(1_000)
    await bench.publisher.publish_once()

    assert bench.sizes == [1, 2]
    assert not bench.publisher.health().is_degraded
    assert bench["a"].submitted == [(0, 1), (1, 2)]  # its answer was kept


async def test_a_failing_witness_is_asked_less_and_less_often() -> None:
    bench = Bench("1", "a b")
    bench["b"].tell = always(DOWN)

    for _ in range(200):
        await bench.publisher.publish_once()
        bench.clock.advance(1_000)

    assert 7 <= len(bench["b"].requests) <= 10
    assert len(bench["a"].requests) == 1


async def test_a_witness_that_was_away_gets_the_head_without_growth() -> None:
    bench = Bench("1", "a b")
    bench["b"].tell = always(DOWN)
    await bench.publisher.publish_once()
    assert bench.log.cosigners() == {"a"}

    bench["b"].tell = None
    bench.clock.advance(1_000)
    await bench.publisher.publish_once()

    assert bench.log.cosigners() == {"a", "b"}


async def test_a_new_witness_of_the_policy_gets_the_head_without_growth() -> None:
    bench = Bench("1", "a")
    await bench.publisher.publish_once()
    bench.witnesses.append(FakeWitness("b", bench.clock))
    bench.policy = bench.log.policy = policy_of("1", *bench.witnesses)

    bench.restart()
    await bench.publisher.publish_once()

    assert bench.log.cosigners() == {"a", "b"}
    assert len(bench["a"].requests) == 1


def times_of(bench: Bench) -> list[int]:
    """When each cosignature of the published checkpoint was made."""
    assert bench.log.published is not None
    lines = parse_note(bench.log.published.note).signatures[1:]
    return [int.from_bytes(line.blob[:8], "big") for line in lines]


async def test_old_cosignatures_are_renewed_without_growth() -> None:
    bench = Bench("all", "a b", PublishSettings(republish_s=600))
    await bench.publisher.publish_once()
    first = times_of(bench)
    bench.clock.advance(599_000)
    await bench.publisher.publish_once()
    assert times_of(bench) == first
    assert bench.publisher.health().quorum_s_ago == 599

    bench.clock.advance(1_000)
    await bench.publisher.publish_once()

    assert times_of(bench) == [time_s + 600 for time_s in first]
    assert set(bench.sizes) == {1}
    assert bench["a"].submitted == [(0, 1), (1, 1)]
    assert bench.publisher.health().quorum_s_ago == 0


async def test_renewal_is_not_repeated_for_those_who_answered() -> None:
    bench = Bench("all", "a b", PublishSettings(republish_s=600))
    await bench.publisher.publish_once()
    bench["b"].tell = always(DOWN)

    for _ in range(599):
        bench.clock.advance(2_000)
        await bench.publisher.publish_once()
    assert len(bench["a"].requests) == 2
    assert not bench.publisher.health().is_degraded
    for _ in range(70):
        bench.clock.advance(1_000)
        await bench.publisher.publish_once()

    assert len(bench["a"].requests) == 3
    assert bench.publisher.health().quorum_met
    assert bench.publisher.health().is_degraded  # overdue: twice the time has passed


async def test_a_straggler_of_a_renewed_round_loses_nothing() -> None:
    bench = Bench("1", "a b", PublishSettings(republish_s=5, answer_s=60))
    slow = Held(bench["b"])
    task = await bench.start()
    await bench.tick(6)
    renewed = times_of(bench)

    slow.go.set()
    await settle()

    assert bench.log.cosigners() == {"a", "b"}
    assert times_of(bench)[0] == renewed[0]
    await bench.stop(task)


async def test_publishing_never_goes_back_in_time() -> None:
    bench = Bench("all", "a")
    await bench.publisher.publish_once()
    assert bench.log.published is not None
    before_ms = bench.log.published.time_ms
    bench.log.append()
    bench.clock.wall_ms -= 4_000

    await bench.publisher.publish_once()

    assert bench.sizes == [1, 2]
    assert bench.log.published.time_ms == before_ms
