"""One suite for both clients: evidence is on the disk before its error is told."""

from __future__ import annotations

import json

import pytest

from tallystick_client.errors import (
    ForkError,
    ShrunkenLogError,
    StaleHeadError,
    StateError,
)
from tallystick_client.guard import Reading, guarded
from tallystick_client.results import Head
from tallystick_client.session import Session
from tallystick_client.transport import ClientExchange, drive
from tallystick_client.trust import MemoryTrust
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.errors import TreeMismatchError
from tallystick_merkle.exchange.base import Pause
from tests.unit.client.drivers import Open
from tests.unit.client.fake_log import (
    LOG,
    ORIGIN,
    POLICY,
    WITNESSES,
    FakeLog,
    FakeTransport,
    Tree,
    sign,
)


def test_two_promises_of_one_size_with_different_roots_are_a_fork(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    client = connect()
    client.append(b"an event", "key-1")
    other = FakeLog(entries=[b"another genesis"])
    log.script = [other.answer(log.seen[-1])]

    with pytest.raises(ForkError) as caught:
        client.append(b"an event", "key-1")

    kept = {path.read_bytes() for path in caught.value.files}
    assert kept == {caught.value.first, caught.value.second}
    assert len(trust.promised()) == 1


@pytest.mark.parametrize("size", [5, 6, 300])
def test_a_fork_is_on_the_disk_before_it_is_told(
    connect: Open, log: FakeLog, trust: DirectoryTrust, size: int
) -> None:
    client = connect()
    log.grow(4)
    log.publish()
    client.head()
    before = log.served
    log.entries = [b"rewritten %d" % at for at in range(size)]
    log.publish()

    with pytest.raises(ForkError) as caught:
        client.head()

    first, second = caught.value.files
    assert (first.read_bytes(), second.read_bytes()) == (before, log.served)
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)
    assert json.loads((first.parent / "report.json").read_text())["origin"] == ORIGIN
    assert trust.believed() == before


def test_the_same_fork_is_kept_once(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    client = connect()
    client.head()
    log.entries = [b"another genesis"]
    log.publish()

    for _ in range(3):
        with pytest.raises(ForkError):
            client.head()

    assert len(list((trust.path / "evidence").iterdir())) == 1


def test_a_fork_is_told_even_if_the_disk_is_of_no_use(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    client = connect()
    client.head()
    log.entries = [b"another genesis"]
    log.publish()
    (trust.path / "evidence").write_text("in the way")

    with pytest.raises(ForkError, match="could not be kept") as caught:
        client.head()

    assert caught.value.second == log.served


def test_a_client_without_state_still_finds_a_fork(connect: Open, log: FakeLog) -> None:
    client = connect(keep=False)
    client.head()
    log.entries = [b"another genesis"]
    log.publish()

    with pytest.raises(ForkError) as caught:
        client.head()

    assert (caught.value.files, caught.value.second) == ((), log.served)


def test_an_older_head_that_agrees_is_stale_and_moves_nothing(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    client = connect()
    old = log.served
    log.grow(10)
    log.publish()
    client.head()
    new, log.served = log.served, old

    head = client.head()

    assert (head.size, head.served_size, head.is_stale) == (11, 1, True)
    assert trust.believed() == new
    with pytest.raises(StaleHeadError, match="size 1, older than the one of size 11"):
        client.audit()


def test_a_log_that_shrank_is_found_and_put_on_record(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    client = connect()
    log.grow(10)
    log.publish()
    client.head()
    believed = log.served
    log.entries = log.entries[:5]
    log.publish()

    with pytest.raises(ShrunkenLogError, match="shrank from size 11 to 5"):
        client.audit()

    (folder,) = (trust.path / "evidence").iterdir()
    assert (folder / "served.checkpoint").read_bytes() == log.served
    assert (folder / "believed.checkpoint").read_bytes() == believed


def test_a_promise_of_a_history_that_is_gone_is_a_fork(
    connect: Open, log: FakeLog
) -> None:
    client = connect()
    client.append(b"one")
    promised = log.entries
    log.entries = [b"genesis", b"two", b"three"]
    log.publish()

    with pytest.raises(ForkError) as caught:
        client.upgrade()

    assert caught.value.first == sign(Tree(promised))
    assert caught.value.second == log.served


class Racing(MemoryTrust):
    """Memory in which another program advances just before we do."""

    def __init__(self, theirs: list[bytes]) -> None:
        super().__init__()
        self.theirs = theirs

    def advance(self, *, old: bytes | None, new: bytes) -> bool:
        if self.theirs:
            super().advance(old=old, new=self.theirs.pop(0))
        return super().advance(old=old, new=new)


class AlwaysLate(MemoryTrust):
    """Memory that other programs keep advancing."""

    def advance(self, *, old: bytes | None, new: bytes) -> bool:
        return False


def read_head_racing(log: FakeLog, trust: MemoryTrust) -> Head:
    slept: list[float] = []
    return drive(
        Session(LOG, POLICY, trust).head(),
        FakeTransport(log),
        sleep=slept.append,
        random=lambda: 0.0,
    )


def test_trust_that_another_program_advanced_is_checked_again(log: FakeLog) -> None:
    trust = Racing([log.served])
    log.grow(5)
    log.publish()

    head = read_head_racing(log, trust)

    assert (head.size, trust.believed()) == (6, log.served)


def test_a_fork_that_another_program_believed_is_found(log: FakeLog) -> None:
    trust = Racing([sign(Tree([b"another genesis"]), WITNESSES)])

    with pytest.raises(ForkError):
        read_head_racing(log, trust)


def test_a_race_that_never_ends_is_given_up(log: FakeLog) -> None:
    trust = AlwaysLate()

    with pytest.raises(StateError, match="keep advancing"):
        read_head_racing(log, trust)


def test_a_mismatch_before_any_head_was_read_is_told_as_it_is(log: FakeLog) -> None:
    def failing() -> ClientExchange[None]:
        yield Pause(0.0, 0.0)
        raise TreeMismatchError("no such tile", index=5)

    reader = Reading(LOG.read_url, retry=None)
    slept: list[float] = []

    with pytest.raises(TreeMismatchError, match=r"^no such tile$"):
        drive(
            guarded(failing(), MemoryTrust(), origin=ORIGIN, reader=reader),
            FakeTransport(log),
            sleep=slept.append,
            random=lambda: 0.0,
        )
