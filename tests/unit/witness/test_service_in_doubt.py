"""Stores that fail, anchors that fail, and rivals: nothing is released in doubt."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tallystick_merkle.witnessing import parse_size
from tallystick_witness.anchor import NoAnchor
from tallystick_witness.errors import (
    AnchorError,
    IntegrityError,
    StoreError,
    UnavailableError,
)
from tallystick_witness.keyring import identify
from tallystick_witness.starting import check_heads
from tallystick_witness.state import FollowedLog, Head, LogState
from tallystick_witness.store.memory import MemoryStore
from tests.unit.witness.world import (
    KEYS,
    NOW_S,
    OWN,
    LogTwin,
    World,
)

FORK = LogTwin(salt=b"fork")


class FailingStore(MemoryStore):
    """A store whose next step fails: before it is stored, or after."""

    def __init__(self, *, stored: bool) -> None:
        super().__init__(identify(KEYS))
        self._stored = stored
        self.fails = False

    def advance(self, origin: str, expected_old: Head | None, new_head: Head) -> None:
        if self.fails and not self._stored:
            raise StoreError("not stored")
        super().advance(origin, expected_old, new_head)
        if self.fails:
            raise StoreError("stored, but the answer was lost")


class RacingStore(MemoryStore):
    """A store in which somebody else acts between the judgement and the step."""

    def __init__(self) -> None:
        super().__init__(identify(KEYS))
        self.meanwhile: list[Callable[[], None]] = []

    def advance(self, origin: str, expected_old: Head | None, new_head: Head) -> None:
        if self.meanwhile:
            self.meanwhile.pop()()
        super().advance(origin, expected_old, new_head)


class DeafAnchor(NoAnchor):
    """An anchor that cannot be written."""

    def record(self, origin_hash: str, size: int, root: bytes) -> None:
        raise AnchorError("no space")


@pytest.mark.parametrize("stored", [False, True], ids=["not stored", "answer lost"])
def test_nothing_is_released_or_signed_after_a_store_error(stored: bool) -> None:
    store = FailingStore(stored=stored)
    world = World(store=store)
    world.witness.add_checkpoint(world.log.request(0, 5))
    store.fails = True

    with pytest.raises(StoreError):
        world.witness.add_checkpoint(world.log.request(5, 8))
    store.fails = False

    assert isinstance(world.witness.failure, StoreError)
    with pytest.raises(UnavailableError, match="in doubt"):
        world.witness.add_checkpoint(world.log.request(5, 8))
    with pytest.raises(UnavailableError):
        world.witness.check_ready()


@pytest.mark.parametrize("stored", [False, True], ids=["not stored", "answer lost"])
def test_a_restart_after_a_store_error_goes_on_from_what_is_stored(
    stored: bool,
) -> None:
    store = FailingStore(stored=stored)
    world = World(store=store)
    world.witness.add_checkpoint(world.log.request(0, 5))
    store.fails = True
    with pytest.raises(StoreError):
        world.witness.add_checkpoint(world.log.request(5, 8))
    store.fails = False

    check_heads(store.logs(), OWN)
    again = world.start()
    first = again.add_checkpoint(world.log.request(5, 8))
    last = again.add_checkpoint(world.log.request(8, 8))

    assert first.status == (409 if stored else 200)
    assert last.status == 200


def test_any_unknown_error_while_storing_stops_signing() -> None:
    class Odd(MemoryStore):
        def advance(self, *_: object) -> None:
            raise RuntimeError("nobody thought of this")

    world = World(store=Odd(identify(KEYS)))

    with pytest.raises(RuntimeError):
        world.witness.add_checkpoint(world.log.request(0, 5))

    assert isinstance(world.witness.failure, StoreError)


def test_an_anchor_error_releases_nothing_and_stops_signing() -> None:
    world = World(anchor=DeafAnchor())

    with pytest.raises(AnchorError):
        world.witness.add_checkpoint(world.log.request(0, 5))

    assert isinstance(world.witness.failure, AnchorError)
    with pytest.raises(UnavailableError):
        world.witness.add_checkpoint(world.log.request(5, 5))


def test_a_read_that_fails_stops_signing() -> None:
    class Blind(MemoryStore):
        def find(self, origin_hash: str) -> FollowedLog | None:
            if self.logs():
                raise IntegrityError("damaged")
            return None

    steps: list[Callable[[World], object]] = [
        lambda world: world.witness.add_checkpoint(world.log.request(0, 5)),
        lambda world: world.witness.checkpoint(world.log.place),
    ]
    for step in steps:
        world = World(store=Blind(identify(KEYS)))
        with pytest.raises(IntegrityError):
            step(world)
        assert isinstance(world.witness.failure, IntegrityError)


def test_a_lost_race_is_judged_again_and_told_the_size() -> None:
    store = RacingStore()
    world = World(store=store)
    rival = world.start()

    def win() -> None:
        rival.add_checkpoint(world.log.request(0, 13))

    store.meanwhile = [win]
    answer = world.witness.add_checkpoint(world.log.request(0, 5))

    assert (answer.status, parse_size(answer.body)) == (409, 13)
    assert world.size() == 13
    assert world.witness.failure is None


def test_a_refresh_that_lost_its_race_is_cosigned_on_the_newer_head() -> None:
    store = RacingStore()
    world = World(store=store)
    world.witness.add_checkpoint(world.log.request(0, 5))
    rival = world.start()

    def win() -> None:
        world.clock.advance(3_000)
        rival.add_checkpoint(world.log.request(5, 5))

    store.meanwhile = [win]
    answer = world.witness.add_checkpoint(world.log.request(5, 5))

    log = store.find(world.log.place)
    assert answer.status == 200
    assert log is not None
    assert log.head is not None
    assert log.head.time_s == NOW_S + 3


def test_a_log_removed_in_between_is_not_cosigned() -> None:
    store = RacingStore()
    world = World(store=store)
    store.meanwhile = [
        lambda: store.mark(world.log.origin, LogState.REMOVED, since_s=1)
    ]

    answer = world.witness.add_checkpoint(world.log.request(0, 5))

    assert answer.status == 404


def test_losing_every_race_is_503_and_no_failure() -> None:
    store = RacingStore()
    world = World(store=store)
    world.witness.add_checkpoint(world.log.request(0, 5))
    rival = world.start()

    def win() -> None:
        world.clock.advance(1_000)
        rival.add_checkpoint(world.log.request(5, 5))

    # A win is itself an `advance`, and finds the next one waiting.
    store.meanwhile = []
    wins = 0

    def win_again() -> None:
        nonlocal wins
        wins += 1
        win()
        store.meanwhile = [win_again]

    store.meanwhile = [win_again]
    with pytest.raises(UnavailableError, match="keeps changing"):
        world.witness.add_checkpoint(world.log.request(5, 5))

    assert wins == 3
    assert world.witness.failure is None


class SetBackStore(MemoryStore):
    """A store that shows an older head, or none, once it has rotted."""

    def __init__(self) -> None:
        super().__init__(identify(KEYS))
        self.shown: list[FollowedLog | None] = []

    def find(self, origin_hash: str) -> FollowedLog | None:
        return self.shown[0] if self.shown else super().find(origin_hash)


@pytest.mark.parametrize("rotten", ["older", "another root", "no head"])
def test_a_store_that_goes_back_under_the_process_is_not_believed(rotten: str) -> None:
    log = LogTwin()
    store = SetBackStore()
    world = World(log=log, store=store)
    world.witness.add_checkpoint(log.request(0, 3))
    older = store.find(log.place)
    world.witness.add_checkpoint(log.request(3, 6))
    newest = store.find(log.place)
    assert older is not None
    assert newest is not None
    assert newest.head is not None
    other = replace(newest.head, root=bytes(32))
    shown = {
        "older": older,
        "another root": replace(newest, head=other),
        "no head": replace(newest, head=None),
    }
    store.shown.append(shown[rotten])

    with pytest.raises(IntegrityError, match=r"size 6 of .*it is damaged"):
        world.witness.add_checkpoint(log.request(3, 9))
    with pytest.raises(IntegrityError, match="it is damaged"):
        world.witness.checkpoint(log.place)
    with pytest.raises(UnavailableError):
        world.witness.add_checkpoint(log.request(6, 9))
    assert isinstance(world.witness.failure, IntegrityError)
