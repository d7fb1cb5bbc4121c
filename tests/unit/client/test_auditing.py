"""One suite for both clients: what an audit finds, and where it goes on."""

from __future__ import annotations

import pytest

from tallystick_client.auditing import hash_to
from tallystick_client.errors import StateError
from tallystick_client.guard import Reading
from tallystick_client.results import Head
from tallystick_client.transport import drive
from tallystick_client.trust import MemoryTrust
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.errors import (
    PolicyNotMetError,
    TreeMismatchError,
)
from tallystick_merkle.frontier import EMPTY_EDGE, Edge
from tallystick_merkle.policy import judge
from tests.unit.client.drivers import Open
from tests.unit.client.fake_log import (
    LOG,
    POLICY,
    WITNESSES,
    FakeLog,
    FakeTransport,
    Tree,
    rewrite,
)


def test_an_audit_hashes_the_whole_log_and_then_only_what_is_new(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.grow(600)
    log.publish()
    client = connect()
    told: list[tuple[int, int]] = []

    first = client.audit(lambda done, total: told.append((done, total)))
    log.grow(5)
    log.publish()
    second = client.audit()

    assert (first.checked, second.checked, second.head.size) == (601, 5, 606)
    assert told[-1] == (601, 601)
    assert trust.edge().size == 606
    assert second.head.root == Tree(log.entries).root


def test_an_audit_from_the_start_hashes_what_was_hashed_before(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.grow(20)
    log.publish()
    connect().audit()
    log.bundles = rewrite(7, b"nothing happened")

    assert connect().audit().checked == 0
    with pytest.raises(TreeMismatchError, match="entry 7 does not hash"):
        connect().audit(from_start=True)
    log.bundles = None
    assert connect().audit(from_start=True).checked == 21
    assert trust.edge().size == 21


def test_an_audit_goes_on_where_another_client_stopped(
    connect: Open, log: FakeLog
) -> None:
    log.grow(600)
    log.publish()
    connect().audit()
    log.grow(1)
    log.publish()

    assert connect().audit().checked == 1


def test_a_rewritten_entry_is_named_and_put_on_record(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.grow(20)
    log.publish()
    log.bundles = rewrite(7, b"nothing happened")

    with pytest.raises(TreeMismatchError, match="entry 7 does not hash") as caught:
        connect().audit()

    assert caught.value.index == 7
    (folder,) = (trust.path / "evidence").iterdir()
    assert (folder / "served.checkpoint").read_bytes() == log.served
    assert str(folder) in str(caught.value)


def test_an_audit_that_finds_something_wrong_gives_up_its_place(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.grow(2500)
    log.publish()
    whole = log.entries
    log.served_entries = [*whole[:7], b"forged, tiles and all", *whole[8:]]

    with pytest.raises(TreeMismatchError):
        connect().audit()
    kept = trust.edge()
    log.served_entries = None

    assert kept == EMPTY_EDGE
    assert connect().audit().checked == 2501


def test_an_audit_needs_the_quorum(connect: Open, log: FakeLog) -> None:
    log.witnesses = WITNESSES[:1]
    log.publish()

    with pytest.raises(PolicyNotMetError, match=r"w1\.example"):
        connect().audit()


def test_an_audit_whose_head_was_forgotten_begins_anew(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.grow(10)
    log.publish()
    connect().audit()
    (trust.path / "checkpoint").unlink()
    log.entries = log.entries[:4]
    log.publish()

    assert connect().audit().checked == 4


class CountingTrust(MemoryTrust):
    """Memory that notes each edge it is given, and may refuse to keep it."""

    def __init__(self, *, is_broken: bool = False) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.is_broken = is_broken

    def keep_edge(self, edge: Edge) -> None:
        self.sizes.append(edge.size)
        if self.is_broken:
            raise StateError("the disk is full")


def hash_all(log: FakeLog, trust: CountingTrust, *, save_every: int) -> None:
    head = Head(judge(log.served, POLICY), 0)
    slept: list[float] = []
    drive(
        hash_to(
            Reading(LOG.read_url, retry=None),
            EMPTY_EDGE,
            head=head,
            trust=trust,
            progress=None,
            save_every=save_every,
        ),
        FakeTransport(log),
        sleep=slept.append,
        random=lambda: 0.0,
    )


def test_a_long_audit_keeps_its_place_now_and_then(log: FakeLog) -> None:
    log.grow(6000)
    log.publish()
    trust = CountingTrust()

    hash_all(log, trust, save_every=4000)

    assert trust.sizes == [4096, 6001]


def test_what_an_audit_finds_counts_more_than_where_it_stood(log: FakeLog) -> None:
    log.grow(100)
    log.publish()
    log.bundles = rewrite(7, b"nothing happened")

    with pytest.raises(TreeMismatchError, match="entry 7") as caught:
        hash_all(log, CountingTrust(is_broken=True), save_every=4000)

    assert caught.value.__notes__ == [
        "and the audit's state was not kept: the disk is full"
    ]
