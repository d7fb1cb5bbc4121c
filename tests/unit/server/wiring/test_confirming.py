"""A promoted log acknowledges nothing until a quorum has cosigned a head it made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tallystick_merkle.exchange.base import Reply
from tallystick_merkle.policy import Policy
from tallystick_merkle.promotion import Promotion, parse_promotion
from tallystick_merkle.witnessing import SIZE_TYPE
from tallystick_server.clock import SetClock
from tallystick_server.errors import IntegrityError
from tallystick_server.log.evidence import MemoryEvidence
from tallystick_server.log.log import Identity, Log, LogLimits
from tallystick_server.log.marker import Marker, State, read_marker, write_marker
from tallystick_server.log.paths import log_directory
from tallystick_server.log.publisher import Publisher
from tallystick_server.log.reader import Reader
from tallystick_server.log.sequencer import QueueLimits, Sequencer
from tallystick_server.log.startup import load_state
from tallystick_server.log.writer import Writer
from tallystick_server.wiring.confirming import Confirmation
from tests.fakes.logs import NAME, ORIGIN, check_log, log_key, memory_log, submission
from tests.fakes.witnesses import (
    DOWN,
    FakeWitness,
    always,
    policy_of,
    ring_of,
    status,
    targets,
)

OTHER_ROOT = b"o" * 32
GIB = 1024 * 1024 * 1024


class Rounds:
    """A ticker: a minute passes each time; `after[n]` is called after round n."""

    def __init__(self, clock: SetClock, after: dict[int, Callable[[], None]]) -> None:
        self._clock = clock
        self._after = after
        self.done = 0

    async def wait(self, stop: asyncio.Event) -> None:
        self.done += 1
        self._clock.advance(60_000)
        self._after.get(self.done, lambda: None)()
        if self.done > max(self._after, default=0) + 9:
            stop.set()


class Copy:
    """A restored and promoted log of three entries, in memory; its marker in a file."""

    def __init__(self, data: Path, quorum: str, names: str) -> None:
        self.data = data
        self.inner = memory_log()
        self.clock = self.inner.clock
        writer = self._writer()
        writer.commit([submission("old", b"1", b"2")])
        self.inner.state = writer.state
        self.witnesses = [FakeWitness(name, self.clock) for name in names.split()]
        self.policy: Policy = policy_of(quorum, *self.witnesses)
        head = writer.state.head
        for witness in self.witnesses:
            witness.saw(head.size, head.root)
        log_directory(data, NAME).mkdir(parents=True)
        marker = Marker(head.size, head.root, 1000)
        write_marker(data, NAME, marker.promoted(now_ms=2000, unwitnessed=False))
        self.drawn = 0
        self.free = GIB
        self.doubts: list[str] = []
        self.evidence = MemoryEvidence()
        self.after: dict[int, Callable[[], None]] = {}

    async def confirm(self) -> bool:
        """What a whole process makes of it."""
        async with self.process() as confirmation:
            return await confirmation.run(asyncio.Event())

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Confirmation]:
        """A process over what is stored: it may be ended at any time."""
        state, published = load_state(self.inner.store, log_key().verifier)
        self.inner.state = state
        held = Log(
            Identity(NAME, ORIGIN, "raw", log_key().verifier),
            reader=Reader(self.inner.store, state.head),
            head=state.head,
            published=published,
            policy=self.policy,
            clock=self.clock,
            limits=LogLimits(),
            free_bytes=lambda: self.free,
        )
        writer = self._writer()
        sequencer = Sequencer(writer, limits=QueueLimits(), on_head=held.saw_head)
        sequencer.start()
        held.attach(sequencer, stop=writer.stop_signing, stopped=lambda: writer.stopped)
        marker = read_marker(self.data, NAME)
        assert marker is not None
        ticker = Rounds(self.clock, self.after)
        try:
            yield Confirmation(
                self.data,
                marker,
                held,
                self._publisher(held, ticker),
                self.clock,
                ticker,
                self._draw,
                self.doubts.append,
            )
        finally:
            await held.close()

    def __getitem__(self, name: str) -> FakeWitness:
        return next(one for one in self.witnesses if one.name == name)

    @property
    def state(self) -> State | None:
        marker = read_marker(self.data, NAME)
        return None if marker is None else marker.state

    @property
    def entries(self) -> list[bytes]:
        return check_log(self.inner.store)

    def _draw(self, size: int) -> bytes:
        self.drawn += 1
        return bytes([self.drawn]) * size

    def _writer(self) -> Writer:
        return Writer(
            store=self.inner.store,
            signer=self.inner.signer,
            state=self.inner.state,
            clock=self.clock,
            anchor=None,
        )

    def _publisher(self, held: Log, ticker: Rounds) -> Publisher:
        return Publisher(
            held,
            policy=self.policy,
            targets=targets(self.policy),
            witnesses=ring_of(*self.witnesses),
            clock=self.clock,
            ticker=ticker,
            evidence=self.evidence,
        )


async def test_a_quorum_that_cosigns_the_promotion_ends_it(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "all", "a b")

    is_confirmed = await copy.confirm()

    *before, last = copy.entries
    promotion = parse_promotion(last)
    assert is_confirmed
    assert copy.state is None
    assert len(before) == promotion.size == 3
    assert (copy["a"].size, copy["b"].size) == (4, 4)
    assert promotion.id == b"\x01" * 16


@pytest.mark.parametrize("reply", [DOWN, status(503), status(500)])
async def test_without_a_quorum_it_waits_and_says_for_whom(
    tmp_path: Path, reply: Reply
) -> None:
    copy = Copy(tmp_path, "all", "a b")
    copy["b"].tell = always(reply)

    is_confirmed = await copy.confirm()

    assert not is_confirmed
    assert copy.state is State.CONFIRMING
    assert "no quorum of witnesses has cosigned a head that it made" in copy.doubts[-1]
    assert "(a0: agrees; b0: " in copy.doubts[-1]


async def test_it_goes_on_by_itself_when_the_witnesses_are_back(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "all", "a b")
    copy["b"].tell = always(DOWN)

    def come_back() -> None:
        copy["b"].tell = None

    copy.after[2] = come_back

    assert await copy.confirm()
    assert len(copy.entries) == 4


async def test_a_process_that_died_is_followed_by_one_that_adds_nothing(
    tmp_path: Path,
) -> None:
    copy = Copy(tmp_path, "all", "a b")
    for witness in copy.witnesses:
        witness.tell = always(DOWN)
    first = await copy.confirm()
    written = copy.entries
    for witness in copy.witnesses:
        witness.tell = None

    second = await copy.confirm()

    assert (first, second) == (False, True)
    assert copy.entries == written
    assert copy.drawn == 1


async def test_a_process_that_died_before_it_appended_keeps_what_it_decided(
    tmp_path: Path,
) -> None:
    copy = Copy(tmp_path, "all", "a")
    marker = read_marker(tmp_path, NAME)
    assert marker is not None
    decided = Promotion(ORIGIN, 1, marker.size, marker.root, b"d" * 16)
    write_marker(tmp_path, NAME, marker.confirming(decided))

    assert await copy.confirm()
    assert parse_promotion(copy.entries[-1]) == decided


@pytest.mark.parametrize("quorum", ["1", "all"])
async def test_a_head_that_is_not_ours_ends_it_for_good(
    tmp_path: Path, quorum: str
) -> None:
    copy = Copy(tmp_path, quorum, "a b")
    copy["b"].saw(4, OTHER_ROOT)

    with pytest.raises(IntegrityError, match="nothing was acknowledged: witness b0"):
        await copy.confirm()

    assert copy.state is State.CONFIRMING
    assert len(copy.evidence.kept) == 1


@pytest.mark.parametrize("code", [409, 422])
async def test_a_hint_at_another_history_is_enough_to_wait(
    tmp_path: Path, code: int
) -> None:
    copy = Copy(tmp_path, "1", "a b")
    copy["b"].tell = always(status(code, b"9\n", content_type=SIZE_TYPE))

    is_confirmed = await copy.confirm()

    assert not is_confirmed
    assert copy.state is State.CONFIRMING
    assert "b0 hints at another history" in copy.doubts[-1]


async def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "all", "a")
    copy.free = 0

    assert not await copy.confirm()
    assert "bytes are free" in copy.doubts[-1]
    assert len(copy.entries) == 3


async def test_an_entry_in_its_place_ends_it(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "all", "a")
    async with copy.process() as confirmation:
        await confirmation.held.append(submission("a stranger", b"x"))
        with pytest.raises(IntegrityError, match="stands at 4, not at 3"):
            await confirmation.run(asyncio.Event())

    assert copy.state is State.CONFIRMING


async def test_a_stop_leaves_it_as_it_is(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "all", "a")
    stop = asyncio.Event()
    stop.set()

    async with copy.process() as confirmation:
        is_confirmed = await confirmation.run(stop)

    assert not is_confirmed
    assert copy.state is State.CONFIRMING
    assert len(copy.entries) == 3
