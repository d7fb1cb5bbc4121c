"""A promoted log is kept like any other: told to stop, it ends; held, it may begin."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

from tallystick_merkle.exchange.base import Reply, Request
from tallystick_server.config.model import LogSettings
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.marker import Marker, read_marker, write_marker
from tallystick_server.log.publishing import PublishSettings
from tallystick_server.log.reader import Reader
from tallystick_server.log.startup import load_state
from tallystick_server.web.services import Standing
from tallystick_server.wiring.confirming import UNCONFIRMED
from tallystick_server.wiring.keeping import Keeper
from tallystick_server.wiring.opening import OpenedLog
from tallystick_server.wiring.running import limits_of
from tallystick_server.wiring.writing import start_writer
from tests.fakes.logs import NAME, ORIGIN, log_key
from tests.fakes.witnesses import DOWN, always, policy_of, ring_of, targets
from tests.unit.server.wiring.test_confirming import GIB, Copy


def opened_of(copy: Copy) -> OpenedLog:
    state, published = load_state(copy.inner.store, log_key().verifier)
    return OpenedLog(
        name=NAME,
        settings=LogSettings(),
        policy=copy.policy,
        key=log_key().verifier,
        store=copy.inner.store,
        state=state,
        published=published,
        signer=copy.inner.signer,
        anchor=None,
        is_anchored=False,
        marker=read_marker(copy.data, NAME),
        closing=ExitStack(),
    )


def log_of(copy: Copy, opened: OpenedLog) -> Log:
    return Log(
        Identity(NAME, ORIGIN, "raw", opened.key),
        reader=Reader(opened.store, opened.state.head),
        head=opened.state.head,
        published=opened.published,
        policy=copy.policy,
        clock=copy.clock,
        limits=LogLimits(),
        free_bytes=lambda: GIB,
    )


def promote_again(copy: Copy, *, unwitnessed: bool) -> None:
    head = opened_of(copy).state.head
    marker = Marker(head.size, head.root, 1000)
    write_marker(copy.data, NAME, marker.promoted(now_ms=2000, unwitnessed=unwitnessed))


def keeper_of(copy: Copy, failures: list[BaseException]) -> Keeper:
    opened = opened_of(copy)
    return Keeper(
        opened,
        log_of(copy, opened),
        Standing(),
        targets(copy.policy),
        ring_of(*copy.witnesses),
        copy.evidence,
        copy.clock,
        copy.data,
        start_writer=lambda log: start_writer(
            opened,
            copy.inner.signer,
            clock=copy.clock,
            on_failure=failures.append,
            log=log,
        ),
        make_held=lambda: log_of(copy, opened),
        publish_settings=PublishSettings(),
    )


async def test_a_stop_that_comes_while_a_log_is_confirmed_ends_its_keeper(
    tmp_path: Path,
) -> None:
    copy, failures = Copy(tmp_path, "all", "a"), list[BaseException]()
    keeper = keeper_of(copy, failures)

    async def cosign_at_the_end(request: Request) -> Reply:
        keeper.stop()
        return copy["a"].add(request)

    copy["a"].tell = cosign_at_the_end
    await keeper.clear()
    async with asyncio.timeout(10):  # where it is not told, it runs for good
        await keeper.run()
    await keeper.close()
    await keeper.log.close()

    assert copy.state is None
    assert keeper.log.head.size == 4
    assert failures == []


async def test_a_log_whose_witnesses_are_gone_signs_on_the_word_of_its_promotion(
    tmp_path: Path,
) -> None:
    copy, failures = Copy(tmp_path, "all", "a"), list[BaseException]()
    assert await copy.confirm()
    promote_again(copy, unwitnessed=True)
    copy.policy = policy_of("none")
    keeper = keeper_of(copy, failures)

    await keeper.clear()
    keeper.stop()
    is_cleared = keeper.standing.blocked == UNCONFIRMED

    assert is_cleared
    assert failures == []


async def test_that_word_counts_for_nothing_where_witnesses_are_asked(
    tmp_path: Path,
) -> None:
    copy, failures = Copy(tmp_path, "all", "a"), list[BaseException]()
    assert await copy.confirm()
    promote_again(copy, unwitnessed=True)
    copy["a"].tell_head = always(DOWN)
    keeper = keeper_of(copy, failures)

    await keeper.clear()

    assert "no quorum of witnesses has confirmed" in (keeper.standing.blocked or "")


def test_what_no_witness_saw_never_keeps_a_promotion_entry_out() -> None:
    settings = LogSettings(max_unwitnessed_s=60, max_unwitnessed_entries=100)

    assert limits_of(settings, 7, is_held=True) == LogLimits(7, None, None)
    assert limits_of(settings, 7, is_held=False) == LogLimits(7, 100, 60_000)
