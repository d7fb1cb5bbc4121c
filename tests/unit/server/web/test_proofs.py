"""Proofs, receipts and facts over HTTP, held against the kernel's own checks."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest

from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.keys import format_vkey
from tallystick_merkle.proof import check_consistency, check_inclusion
from tallystick_merkle.receipt import Status, check_receipt, parse_receipt
from tallystick_merkle.tile import format_bundle
from tests.fakes.cosigned import cosigned, policy
from tests.fakes.logs import NAME, ORIGIN, log_key
from tests.fakes.web import Reply, WebBench

API = f"/v1/logs/{NAME}"
SIZE = 301


async def fill(bench: WebBench, count: int = SIZE - 1) -> None:
    entries = [b"entry %d" % number for number in range(count)]
    await bench.batch(format_bundle(entries), key="fill")


async def publish_cosigned(bench: WebBench) -> None:
    """Publish the last head with the witness's cosignature."""
    await bench.log.publish(cosigned(bench.log.head))


async def test_a_log_says_what_it_is_and_where_it_stands(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        await bench.append(b"hello")
        before = await bench.get(API)
        await bench.publish()
        after = await bench.get(API)

    assert before.json() == {
        "log": NAME,
        "kind": "raw",
        "origin": ORIGIN,
        "vkey": format_vkey(log_key().verifier),
        "size": 2,
        "published_size": 0,
        "witnessed": False,
        "read_path": f"/t/{NAME}",
    }
    assert after.json()["published_size"] == 2


@pytest.mark.parametrize(
    ("index", "size"), [(0, 1), (0, SIZE), (255, 256), (256, 257), (300, SIZE)]
)
async def test_an_inclusion_proof_verifies(
    tmp_path: Path, index: int, size: int
) -> None:
    async with WebBench(tmp_path) as bench:
        await fill(bench)
        reply = await bench.get(f"{API}/proof/inclusion?index={index}&size={size}")
        (entry,) = bench.store.read_entries(index, index + 1)

    proof = reply.json()
    assert (proof["index"], proof["size"]) == (index, size)
    assert proof["leaf_hash"] == leaf_hash(entry).hex()
    check_inclusion(
        index=index,
        size=size,
        leaf=leaf_hash(entry),
        path=[b64decode(one) for one in proof["path"]],
        root=b64decode(proof["root"]),
    )


@pytest.mark.parametrize(("old", "new"), [(1, 1), (1, 2), (128, 129), (256, SIZE)])
async def test_a_consistency_proof_verifies(tmp_path: Path, old: int, new: int) -> None:
    async with WebBench(tmp_path) as bench:
        await fill(bench)
        reply = await bench.get(f"{API}/proof/consistency?new={new}&old={old}")

    proof = reply.json()
    check_consistency(
        old=proof["old"],
        new=proof["new"],
        old_root=b64decode(proof["old_root"]),
        new_root=b64decode(proof["new_root"]),
        proof=[b64decode(one) for one in proof["proof"]],
    )
    assert (proof["old"], proof["new"]) == (old, new)


@pytest.mark.parametrize(
    "path",
    [
        "inclusion",
        "inclusion?index=0",
        "inclusion?size=1",
        "inclusion?index=1&size=1",
        "inclusion?index=0&size=0",
        f"inclusion?index=0&size={SIZE + 1}",
        "inclusion?index=00&size=1",
        "inclusion?index=-1&size=1",
        "inclusion?index=0&size=1&x=1",
        "inclusion?index=0&size=1&size=1",
        "inclusion?index=%30&size=1",
        "inclusion?index=0&size=" + "9" * 60,
        "inclusion?old=1&new=1",
        "consistency",
        "consistency?old=0&new=1",
        "consistency?old=2&new=1",
        f"consistency?old=1&new={SIZE + 1}",
        "consistency?old=1&new=1_0",
        "consistency?index=0&size=1",
    ],
)
async def test_a_proof_that_cannot_be_is_refused(tmp_path: Path, path: str) -> None:
    async with WebBench(tmp_path) as bench:
        await fill(bench)
        reply = await bench.get(f"{API}/proof/{path}")

    assert reply.is_problem(400, "bad-request")


async def test_a_query_is_refused_where_there_is_none(tmp_path: Path) -> None:
    async with WebBench(tmp_path) as bench:
        facts = await bench.get(f"{API}?x=1")
        receipt = await bench.get(f"{API}/receipts/0?size=1")

    assert facts.is_problem(400, "bad-request")
    assert receipt.is_problem(400, "bad-request")


def status_of(reply: Reply, entry: bytes) -> Status:
    return check_receipt(
        parse_receipt(reply.body), leaf=leaf_hash(entry), policy=policy(), origin=ORIGIN
    ).status


async def test_a_receipt_is_witnessed_once_the_published_head_covers_it(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path, policy=policy()) as bench:
        await bench.append(b"one", key="1")
        promised = await bench.get(f"{API}/receipts/1")
        await publish_cosigned(bench)
        witnessed = await bench.get(f"{API}/receipts/1")
        await bench.append(b"two", key="2")
        later = await bench.get(f"{API}/receipts/2")
        facts = await bench.get(API)

    names = [one.headers["tallystick-status"] for one in (promised, witnessed, later)]
    assert names == ["promised", "witnessed", "promised"]
    assert status_of(promised, b"one") is Status.PROMISED
    assert status_of(witnessed, b"one") is Status.WITNESSED
    assert status_of(later, b"two") is Status.PROMISED
    assert witnessed.headers["content-type"] == "text/plain; charset=utf-8"
    assert facts.json()["witnessed"] is True


async def test_the_policy_of_a_server_need_not_list_its_own_log(
    tmp_path: Path,
) -> None:
    async with WebBench(tmp_path, policy=policy(with_log=False)) as bench:
        await publish_cosigned(bench)
        reply = await bench.get(f"{API}/receipts/0")

    assert reply.headers["tallystick-status"] == "witnessed"


@pytest.mark.parametrize("quorum", ["w", "none"])
async def test_what_nobody_cosigned_is_never_called_witnessed(
    tmp_path: Path, quorum: str
) -> None:
    async with WebBench(tmp_path, policy=policy(quorum)) as bench:
        await bench.publish()
        reply = await bench.get(f"{API}/receipts/0")

    assert reply.headers["tallystick-status"] == "promised"
