"""One suite for both clients: what they promise about receipts and heads."""

from __future__ import annotations

import pytest

from tallystick_client.errors import (
    BeyondHeadError,
    ForkError,
)
from tallystick_client.guard import size_of
from tallystick_client.session import Patience
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.errors import (
    InvalidSignatureError,
    MalformedError,
    ProofError,
    RefusedError,
    UnreachableError,
)
from tallystick_merkle.exchange.base import Failure
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.receipt import Status, check_receipt
from tests.unit.client.drivers import Open
from tests.unit.client.fake_log import (
    NO_WITNESS,
    POLICY,
    WITNESSES,
    FakeLog,
    Tree,
    problem,
    sign,
)


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


def test_a_witnessed_repeat_does_not_make_a_broken_promise_forgotten(
    connect: Open, log: FakeLog, trust: DirectoryTrust
) -> None:
    client = connect()
    client.append(b"before")
    client.append(b"an event", "key-1")
    log.entries[1] = b"rewritten"

    again = client.append(b"an event", "key-1", wait="witnessed")

    assert again.status is Status.WITNESSED
    assert len(trust.promised()) == 2
    with pytest.raises(ForkError):
        client.upgrade()


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


def test_a_forged_cosignature_refuses_the_head(connect: Open, log: FakeLog) -> None:
    good = sign(Tree(log.entries), WITNESSES)
    log.grow(1)
    bare = sign(Tree(log.entries))
    log.served = bare + good.split(b"\n", 5)[-1]

    with pytest.raises(InvalidSignatureError):
        connect().head()


def test_one_append_that_is_given_is_upgraded(connect: Open, log: FakeLog) -> None:
    client = connect(keep=False)
    done = client.append(b"one")
    log.publish()

    assert [receipt.index for receipt in client.upgrade(done).upgraded] == [1]


def test_a_client_without_state_keeps_no_receipts(connect: Open, log: FakeLog) -> None:
    client = connect(keep=False)
    client.append(b"one")
    log.publish()

    done = client.upgrade()

    assert (done.upgraded, done.waiting) == ((), ())


def test_an_upgrade_needs_at_least_one_attempt(connect: Open) -> None:
    with pytest.raises(ValueError, match="no attempts"):
        connect().upgrade(patience=Patience(attempts=0))
