"""One suite for both clients: what they promise about receipts, heads and evidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick_client.errors import (
    BeyondHeadError,
    ForkError,
    ShrunkenLogError,
    StaleHeadError,
    StateError,
)
from tallystick_client.guard import size_of
from tallystick_client.results import Head
from tallystick_client.session import Patience, Session
from tallystick_client.transport import drive
from tallystick_client.trust import MemoryTrust
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.errors import (
    InvalidSignatureError,
    MalformedError,
    PolicyNotMetError,
    ProofError,
    RefusedError,
    TreeMismatchError,
    UnreachableError,
)
from tallystick_merkle.exchange.base import Failure
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.policy import Policy
from tallystick_merkle.receipt import Status, check_receipt
from tallystick_merkle.tile import format_bundle, parse_bundle
from tests.unit.client.drivers import KINDS, Driver, open_driver
from tests.unit.client.fake_log import (
    LOG,
    NO_WITNESS,
    ORIGIN,
    POLICY,
    WITNESSES,
    FakeLog,
    FakeTransport,
    Tree,
    problem,
    sign,
)

Open = Callable[..., Driver]


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture(params=KINDS)
def connect(request: pytest.FixtureRequest, log: FakeLog, tmp_path: Path) -> Open:
    """Open a client of one kind on the log, with its state below the test's path."""

    def open_one(*, policy: Policy = POLICY, keep: bool = True) -> Driver:
        return open_driver(
            request.param, log, tmp_path / "state" if keep else None, policy
        )

    return open_one


@pytest.fixture
def trust(tmp_path: Path) -> DirectoryTrust:
    return DirectoryTrust(tmp_path / "state", ORIGIN)


def rewrite(index: int, entry: bytes) -> Callable[[bytes], bytes]:
    """Change one entry in the first bundle."""

    def change(data: bytes) -> bytes:
        entries = parse_bundle(data)
        entries[index] = entry
        return format_bundle(entries)

    return change


def test_an_append_gives_a_checked_promise_and_keeps_it(
    connect: Open, trust: DirectoryTrust
) -> None:
    done = connect().append(b"an event")

    assert (done.index, done.status, done.is_repeat) == (1, Status.PROMISED, False)
    assert [held.leaf for held in trust.promised()] == [leaf_hash(b"an event")]
    assert trust.witnessed_files() == []


def test_an_append_that_waits_for_witnesses_keeps_a_witnessed_receipt(
    connect: Open, trust: DirectoryTrust
) -> None:
    done = connect().append(b"an event", wait="witnessed")

    assert done.status is Status.WITNESSED
    assert trust.promised() == []
    assert [path.name for path, _ in trust.witnessed_files()] == ["1.tlog-proof"]


def test_witnesses_that_do_not_come_leave_a_promise_and_no_error(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.is_witnessing = False

    done = connect().append(b"an event", wait="witnessed")

    assert done.status is Status.PROMISED
    assert len(trust.promised()) == 1


def test_the_same_key_gives_the_same_place_again(connect: Open, log: FakeLog) -> None:
    client = connect()

    first = client.append(b"an event", "key-1")
    second = client.append(b"an event", "key-1")

    assert (second.index, second.is_repeat) == (first.index, True)
    assert len(log.entries) == 2


def test_without_a_key_every_append_is_new(connect: Open, log: FakeLog) -> None:
    client = connect()

    client.append(b"an event")
    client.append(b"an event")

    assert len(log.entries) == 3


def test_the_same_key_for_another_entry_is_refused(connect: Open) -> None:
    client = connect()
    client.append(b"an event", "key-1")

    with pytest.raises(RefusedError, match="409"):
        client.append(b"another", "key-1")


def test_an_append_is_repeated_until_it_is_answered(
    connect: Open, log: FakeLog
) -> None:
    client = connect()
    log.script = [Failure("connection reset"), problem(503, "busy")]

    done = client.append(b"an event")

    keys = {request.headers["Idempotency-Key"] for request in log.seen}
    assert (done.index, len(log.seen), len(keys)) == (1, 3, 1)
    assert client.slept == [0.05, 0.1]


def test_a_wish_to_retry_later_is_honoured(connect: Open, log: FakeLog) -> None:
    client = connect()
    log.script = [problem(429, "too fast", **{"retry-after": "7"})]

    client.append(b"an event")

    assert client.slept == [7.05]


def test_a_log_that_never_answers_is_unreachable(connect: Open, log: FakeLog) -> None:
    client = connect()
    log.script = [Failure("no route")] * 6

    with pytest.raises(UnreachableError, match="no route"):
        client.append(b"an event")


@pytest.mark.parametrize("size", [0, 65_536])
def test_an_entry_of_a_wrong_length_is_never_sent(
    connect: Open, log: FakeLog, size: int
) -> None:
    client = connect()

    with pytest.raises(MalformedError, match="entry"):
        client.append(b"x" * size)

    assert log.seen == []


def test_a_batch_gives_a_receipt_for_each_entry(
    connect: Open, trust: DirectoryTrust
) -> None:
    entries = [b"event %d" % at for at in range(300)]

    done = connect().append_batch(entries, wait="durable")

    for position, entry in enumerate(entries):
        check_receipt(done.receipt(position), leaf=leaf_hash(entry), policy=POLICY)
    assert [held.receipt.index for held in trust.promised()] == list(range(1, 301))


def test_a_refused_entry_does_not_lose_its_neighbours(
    connect: Open, trust: DirectoryTrust
) -> None:
    entries = [b"first", b"refuse me", b"last"]

    done = connect().append_batch(entries, wait="witnessed")

    assert (done.positions, list(done.refusals)) == ((0, 2), [1])
    assert [held.receipt.index for _, held in trust.witnessed_files()] == [1, 2]


def test_a_batch_of_which_nothing_was_taken_keeps_nothing(
    connect: Open, trust: DirectoryTrust
) -> None:
    done = connect().append_batch([b"refuse me"], wait="durable")

    assert done.positions == ()
    assert trust.promised() == []


def test_a_receipt_that_proves_nothing_is_refused(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    client = connect()
    done = client.append(b"an event", "key-1")
    stranger = FakeLog(entries=[b"genesis", b"something else"])
    log.script = [stranger.answer(log.seen[-1])]

    with pytest.raises(ProofError):
        client.append(b"another event")

    assert [held.leaf for held in trust.promised()] == [done.leaf]


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


def test_a_first_head_is_believed_and_kept(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    head = connect().head()

    assert (head.size, head.cosigners) == (1, ("w1.example", "w2.example"))
    assert trust.believed() == log.served


def test_a_head_that_extends_the_last_is_believed(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    client = connect()
    client.head()
    log.grow(700)
    log.publish()

    head = client.head()

    assert (head.size, head.is_stale) == (701, False)
    assert trust.believed() == log.served


def test_a_head_without_its_quorum_is_given_but_not_believed(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.witnesses = WITNESSES[:1]
    log.publish()

    head = connect().head()

    assert not head.judged.is_met
    assert trust.believed() is None


def test_without_any_witness_in_the_policy_heads_still_only_advance(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.witnesses = ()
    log.publish()
    client = connect(policy=NO_WITNESS)
    client.head()

    log.entries = [b"another genesis", b"and more"]
    log.publish()

    with pytest.raises(ForkError):
        client.head()
    assert size_of(trust.believed() or b"") == 1


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


def test_promises_are_upgraded_once_a_witnessed_head_holds_them(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    client = connect()
    client.append(b"one")
    log.grow(300)
    client.append(b"two")
    log.publish()

    done = client.upgrade()

    assert [receipt.index for receipt in done.upgraded] == [1, 302]
    assert (done.waiting, trust.promised()) == ((), [])
    for (_, held), entry in zip(trust.witnessed_files(), (b"one", b"two"), strict=True):
        verdict = check_receipt(held.receipt, leaf=leaf_hash(entry), policy=POLICY)
        assert verdict.status is Status.WITNESSED


def test_a_promise_beyond_the_witnessed_head_waits(
    connect: Open, trust: DirectoryTrust
) -> None:
    client = connect()
    client.append(b"one")

    done = client.upgrade()

    assert (done.upgraded, [item.index for item in done.waiting]) == ((), [1])
    assert len(trust.promised()) == 1


def test_patience_waits_for_the_witnesses(connect: Open, log: FakeLog) -> None:
    client = connect()
    client.append(b"one")
    log.heads = [log.served, log.served]
    log.publish()

    done = client.upgrade(patience=Patience(attempts=3, pause_s=0.5))

    assert [receipt.index for receipt in done.upgraded] == [1]
    assert client.slept == [0.5, 0.5]


def test_patience_ends(connect: Open) -> None:
    client = connect()
    client.append(b"one")

    done = client.upgrade(patience=Patience(attempts=2, pause_s=0.5))

    assert [item.index for item in done.waiting] == [1]
    assert client.slept == [0.5]


def test_receipts_that_are_given_are_upgraded_instead_of_those_kept(
    connect: Open, log: FakeLog
) -> None:
    client = connect()
    client.append(b"one")
    batch = client.append_batch([b"two", b"three"], wait="durable")
    log.publish()

    done = client.upgrade(batch)

    assert [receipt.index for receipt in done.upgraded] == [2, 3]


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


def test_a_receipt_can_be_made_for_any_entry(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.grow(400)
    log.publish()

    proven = connect().prove(300)

    assert (proven.entry, proven.status) == (b"entry 300", Status.WITNESSED)
    check_receipt(proven.receipt, leaf=leaf_hash(b"entry 300"), policy=POLICY)
    assert [path.name for path, _ in trust.witnessed_files()] == ["300.tlog-proof"]


def test_an_entry_that_is_not_the_one_in_the_log_has_no_receipt(
    connect: Open, log: FakeLog
) -> None:
    log.grow(5)
    log.publish()

    with pytest.raises(ProofError):
        connect().prove(3, b"never logged")


def test_an_entry_beyond_the_head_is_not_there_yet(connect: Open) -> None:
    with pytest.raises(BeyondHeadError, match="entry 1 is beyond"):
        connect().prove(1)


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


def test_an_audit_that_fails_keeps_what_was_found_right(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    log.grow(2500)
    log.publish()
    whole = log.entries
    log.served_entries = whole[:2100]

    with pytest.raises(TreeMismatchError):
        connect().audit()
    stopped = trust.edge().size
    log.served_entries = None

    assert stopped == 2048
    assert connect().audit().checked == 2501 - 2048


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


def test_a_forged_cosignature_refuses_the_head(connect: Open, log: FakeLog) -> None:
    good = sign(Tree(log.entries), WITNESSES)
    log.grow(1)
    bare = sign(Tree(log.entries))
    log.served = bare + good.split(b"\n", 5)[-1]

    with pytest.raises(InvalidSignatureError):
        connect().head()


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
