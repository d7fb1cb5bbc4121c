"""How publishing ends: a log that stops, an error of the log, a graceful stop."""

from __future__ import annotations

import asyncio

import pytest

from tallystick_merkle.exchange.base import Reply, Request
from tallystick_merkle.note import format_note, parse_note
from tallystick_server.errors import IntegrityError, StoreError, UnavailableError
from tallystick_server.log.publisher import Publisher
from tallystick_server.log.publishing import PublishSettings
from tallystick_server.storage.base import Published
from tests.fakes.publishing import Bench, settle
from tests.fakes.witnesses import DOWN, Held, always, never, policy_of, ring_of


async def test_a_log_that_does_not_sign_is_left_alone() -> None:
    bench = Bench("all", "a b")
    bench.log.stop_signing("a test says so")

    await bench.publisher.publish_once()

    assert bench.sizes == []
    assert bench["a"].requests == []
    assert bench.publisher.health().is_degraded


async def test_a_log_that_stops_while_a_head_is_marked_is_left_alone() -> None:
    bench = Bench("all", "a")
    bench.log.fails = UnavailableError("stopping")

    await bench.publisher.publish_once()

    assert bench["a"].requests == []


async def test_a_log_that_stops_while_witnesses_answer_publishes_nothing() -> None:
    bench = Bench("all", "a")
    slow = Held(bench["a"])
    task = await bench.start()
    bench.log.stop_signing("a test says so")

    slow.go.set()
    await settle()

    assert bench.sizes == []
    await bench.stop(task)


async def test_a_log_that_stops_while_a_checkpoint_is_stored_goes_on_serving() -> None:
    bench = Bench("all", "a")
    slow = Held(bench["a"])
    task = await bench.start()
    bench.log.fails = UnavailableError("the log does not sign")

    slow.go.set()
    await settle()

    assert bench.sizes == []
    assert not task.done()
    await bench.stop(task)


async def test_an_error_of_the_log_ends_the_loop() -> None:
    bench = Bench("none", "")
    bench.log.fails = StoreError("the disk said no")

    with pytest.raises(StoreError, match="said no"):
        await bench.publisher.run()


async def test_an_error_of_the_log_in_a_witness_task_ends_the_loop() -> None:
    bench = Bench("all", "a b")
    slow = Held(bench["a"])
    bench["b"].tell = never()
    task = await bench.start()
    bench.log.fails = StoreError("the disk said no")
    bench.policy = policy_of("1", *bench.witnesses)
    bench.publisher._policy = bench.policy

    slow.go.set()

    with pytest.raises(StoreError, match="said no"):
        await task


async def test_a_failed_round_by_hand_raises_the_error_of_the_log() -> None:
    bench = Bench("none", "")
    bench.log.fails = StoreError("the disk said no")

    with pytest.raises(StoreError, match="said no"):
        await bench.publisher.publish_once()


async def test_a_corrupt_published_checkpoint_is_not_taken_up() -> None:
    bench = Bench("all", "a")
    await bench.publisher.publish_once()
    published = bench.log.published
    assert published is not None
    note = parse_note(published.note)
    line = note.signatures[1]
    bad = type(line)(line.name, line.key_id, line.blob[:-1] + b"?")
    forged = Published(1, format_note(note.with_signatures([bad])), published.time_ms)
    bench.log.published = forged

    with pytest.raises(IntegrityError, match="published at size 1 is corrupt"):
        Publisher(
            bench.log,
            policy=bench.policy,
            targets=(),
            witnesses=ring_of(),
            clock=bench.clock,
            ticker=bench.ticker,
            evidence=bench.evidence,
        )


async def test_a_stop_publishes_the_last_head_first() -> None:
    bench = Bench("all", "a b")
    task = await bench.start()
    bench.log.append(3)

    await bench.stop(task)

    assert bench.sizes[-1] == 4
    assert bench.log.cosigners() == {"a", "b"}


async def test_a_stop_waits_for_a_slow_witness_that_is_needed() -> None:
    bench = Bench("all", "a b")
    task = await bench.start()
    slow = Held(bench["b"])
    bench.log.append()

    bench.publisher.stop()
    await settle()
    assert not task.done()
    slow.go.set()
    await task

    assert bench.sizes == [1, 2]


async def test_a_stop_asks_again_for_what_grew_meanwhile() -> None:
    bench = Bench("all", "a")
    task = await bench.start()
    bench.log.append()

    async def grow(request: Request) -> Reply:
        bench["a"].tell = None
        bench.log.append()
        return bench["a"].add(request)

    bench["a"].tell = grow
    await bench.stop(task)

    assert bench.sizes == [1, 2, 3]


async def test_a_stop_does_not_wait_for_a_witness_that_is_not_needed() -> None:
    bench = Bench("1", "a b")
    bench["b"].tell = never()
    task = await bench.start()
    bench.log.append()

    await bench.stop(task)

    assert bench.sizes == [1, 2]


async def test_a_stop_gives_up_after_its_time() -> None:
    bench = Bench("all", "a b", PublishSettings(stop_s=0))
    task = await bench.start()
    bench["b"].tell = never()
    bench.log.append()

    await bench.stop(task)

    assert bench.sizes == [1]


async def test_a_stop_with_everybody_down_ends_at_once() -> None:
    bench = Bench("all", "a b")
    task = await bench.start()
    bench["b"].tell = always(DOWN)
    bench.log.append()

    await bench.stop(task)

    assert bench.sizes == [1]


async def test_a_cancelled_publisher_ends() -> None:
    bench = Bench("all", "a")
    bench["a"].tell = never()
    task = await bench.start()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
