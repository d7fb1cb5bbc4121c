"""A server process, and the kernel's own exchanges against it, end to end."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick_merkle.errors import RefusedError
from tallystick_merkle.exchange.appending import (
    LogAddress,
    append_batch,
    append_entry,
)
from tallystick_merkle.exchange.auditing import audit_to
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.exchange.trusting import prove_entry, read_head
from tallystick_merkle.frontier import EMPTY_EDGE
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.policy import judge
from tallystick_merkle.proof import check_consistency, check_inclusion
from tallystick_merkle.receipt import Status, check_receipt, parse_receipt
from tests.system.drive import drive
from tests.system.one_log import API, OneLog
from tests.system.stack import ORIGIN, run_json

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneLog]:
    """A server that publishes at its start and then no more for an hour."""
    log = ("publish_interval_s = 3600.0",)
    with OneLog(tmp_path_factory.mktemp("http"), log=log) as one:
        one.start()
        yield one


def test_an_entry_is_appended_once_and_its_receipt_verifies(served: OneLog) -> None:
    first, again = (
        drive(append_entry(served.address, b"hello", policy=served.policy, key="once"))
        for _ in range(2)
    )

    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert first.index == again.index
    assert first.status is again.status is Status.PROMISED


def test_a_key_that_stands_for_another_body_is_a_conflict(served: OneLog) -> None:
    drive(append_entry(served.address, b"one", policy=served.policy, key="reused"))

    with pytest.raises(RefusedError) as caught:
        drive(append_entry(served.address, b"two", policy=served.policy, key="reused"))

    assert caught.value.status == 409
    assert caught.value.code.endswith("/idempotency-key-reused")


def test_a_batch_gives_a_receipt_for_each_of_its_entries(served: OneLog) -> None:
    entries = [b"batched %d" % number for number in range(1000)]

    batch, again = (
        drive(append_batch(served.address, entries, policy=served.policy, key="batch"))
        for _ in range(2)
    )

    assert batch.positions == tuple(range(1000))
    assert (batch.is_repeat, again.is_repeat) == (False, True)
    assert batch.index(999) == again.index(999) == batch.first + 999
    for position in (0, 255, 256, 999):
        for one in (batch, again):
            check_receipt(
                one.receipt(position),
                leaf=leaf_hash(entries[position]),
                policy=served.policy,
                origin=ORIGIN,
            )


@pytest.mark.parametrize("wait", ["durable", "witnessed"])
def test_without_witnesses_every_wait_is_promised_at_once(
    served: OneLog, wait: str
) -> None:
    answer = drive(
        append_entry(
            served.address, b"w", policy=served.policy, key=f"w-{wait}", wait=wait
        )
    )

    assert answer.status is Status.PROMISED


@pytest.mark.parametrize(
    ("name", "token"), [("events", ""), ("events", "tally_x"), ("other", "")]
)
def test_a_stranger_may_not_append(served: OneLog, name: str, token: str) -> None:
    address = LogAddress(ORIGIN, f"{served.url}/v1/logs/{name}", "", token)

    with pytest.raises(RefusedError) as caught:
        drive(
            append_entry(
                address, b"x", policy=served.policy, key="stranger", retry=NO_RETRY
            )
        )

    assert caught.value.status == (401 if name == "events" else 404)


def test_a_promised_head_that_is_not_published_can_be_checked_by_its_tiles(
    served: OneLog,
) -> None:
    entries = [b"promised %d" % number for number in range(300)]
    batch = drive(
        append_batch(served.address, entries, policy=served.policy, key="promised")
    )
    head = judge(batch.checkpoint, served.policy, origin=ORIGIN)
    drive(append_entry(served.address, b"later", policy=served.policy, key="later"))

    receipt = drive(
        prove_entry(
            TileReader(served.address.read_url),
            index=batch.index(150),
            leaf=leaf_hash(entries[150]),
            head=head,
            policy=served.policy,
        )
    )

    published = drive(TileReader(served.address.read_url).checkpoint())
    assert receipt.path == batch.receipt(150).path
    assert judge(published, served.policy).opened.checkpoint.size < (
        head.opened.checkpoint.size
    )


def test_proofs_and_receipts_of_the_server_verify(served: OneLog) -> None:
    appended = drive(
        append_entry(served.address, b"proven", policy=served.policy, key="proven")
    )
    index, size = appended.index, served.size()

    inclusion = served.get(f"{API}/proof/inclusion?index={index}&size={size}")
    consistency = served.get(f"{API}/proof/consistency?old={index}&new={size}")
    answer = served.fetch(f"{API}/receipts/{index}")

    check_inclusion(
        index=index,
        size=size,
        leaf=leaf_hash(b"proven"),
        path=[b64decode(one) for one in inclusion["path"]],
        root=b64decode(inclusion["root"]),
    )
    check_consistency(
        old=index,
        new=size,
        old_root=b64decode(consistency["old_root"]),
        new_root=b64decode(consistency["new_root"]),
        proof=[b64decode(one) for one in consistency["proof"]],
    )
    check_receipt(
        parse_receipt(answer.body), leaf=leaf_hash(b"proven"), policy=served.policy
    )
    assert answer.headers["tallystick-status"] == "promised"


def test_what_was_published_at_the_end_is_the_whole_log_to_an_auditor(
    tmp_path: Path,
) -> None:
    with OneLog(tmp_path, log=("publish_interval_s = 3600.0",)) as one:
        one.start()
        entries = [b"audited %d" % number for number in range(700)]
        drive(append_batch(one.address, entries, policy=one.policy, key="a"))
        assert one.daemon is not None
        code = one.daemon.stop()
        one.start("--read-only")
        reader = TileReader(one.address.read_url)
        head = drive(read_head(reader, policy=one.policy, origin=ORIGIN, trusted=None))
        edge = drive(audit_to(reader, EMPTY_EDGE, head=head, report=lambda _edge: None))
        report = run_json("server", "fsck", "--data", str(one.data))

    assert code == 0
    assert edge.size == head.opened.checkpoint.size == 701
    assert report["sound"]
