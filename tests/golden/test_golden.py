"""R17: what a version has written is opened, checked, continued and shown as ever."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.exchange.auditing import audit_to
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.exchange.trusting import read_head, upgrade_receipts
from tallystick_merkle.frontier import EMPTY_EDGE
from tallystick_merkle.hashing import leaf_hash
from tallystick_merkle.policy import judge
from tallystick_merkle.receipt import Status, check_receipt
from tallystick_server.clock import SetClock
from tallystick_server.config.model import LogSettings
from tallystick_server.errors import UnauthorizedError
from tallystick_server.log.tokenfile import tokens_path
from tallystick_server.log.tokengate import TokenGate
from tallystick_server.wiring.checking import check_stored
from tallystick_witness.operating import open_table
from tallystick_witness.state import EvidenceKind, LogState
from tests.fakes.driving import drive
from tests.golden.data import VERSIONS, Golden
from tests.golden.deployment import (
    LOG,
    ORIGIN,
    POLICY,
    READ_URL,
    WITNESSES,
    opened_log,
)
from tests.golden.outputs import digests, outputs
from tests.golden.story import (
    BATCH_KEY,
    BEGAN_MS,
    PROMISED_INDEX,
    PUBLISHED,
    SIZE,
    WITNESSED_INDEXES,
    small,
    steps,
    tell,
)
from tests.rows.report import Figures

LATER_MS = BEGAN_MS + 3_600_000


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Say nothing of the evidence that is kept."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(params=VERSIONS, ids=lambda golden: golden.version)
def golden(request: pytest.FixtureRequest) -> Golden:
    found: Golden = request.param
    return found


@pytest.fixture
def place(golden: Golden, tmp_path: Path) -> Path:
    return golden.unpack(tmp_path)


def roots_of(golden: Golden) -> dict[int, bytes]:
    roots: dict[str, str] = golden.expected["roots"]
    return {int(size): bytes.fromhex(root) for size, root in roots.items()}


@pytest.mark.row("R17")
def test_a_golden_log_is_sound_and_has_its_roots(
    golden: Golden, place: Path, figures: Figures
) -> None:
    expected = roots_of(golden)

    report = check_stored(place / "server", LOG, LogSettings())
    with opened_log(place, SetClock(LATER_MS)) as log:
        found = {head.size: head.root for head in log.store.heads()}
        derived = {size: log.reader.root(size) for size in expected}

    differ = sum(root != expected[size] for size, root in derived.items())
    figures.record(
        f"golden data of {golden.version}: roots of every head",
        tried=len(expected),
        bad=differ + (found != expected) + (not report.is_sound),
        note=f"fsck of {report.size} entries, {report.heads} heads, {report.keys} keys",
    )
    assert report.problems == ()
    assert report.size == SIZE
    assert found == derived == expected


@pytest.mark.row("R17")
def test_the_public_bytes_are_those_of_the_version(
    golden: Golden, place: Path, figures: Figures
) -> None:
    with opened_log(place, SetClock(LATER_MS)) as log:
        made, sums = outputs(log), digests(log)

    expected = golden.outputs
    differ = [name for name in expected if made.get(name) != expected[name]]
    figures.record(
        f"golden data of {golden.version}: public bytes",
        tried=len(expected) + len(sums),
        bad=len(differ) + (sums != golden.expected["sha256"]),
        note="heads, receipts, tiles, bundles, answers, all proofs",
    )
    assert differ == []
    assert sums == golden.expected["sha256"]


def test_today_the_same_history_is_the_same_log(golden: Golden, tmp_path: Path) -> None:
    """All but the lines of ML-DSA-44, which are hedged."""
    tell(tmp_path)

    with opened_log(tmp_path, SetClock(LATER_MS)) as log:
        made, sums = outputs(log), digests(log)
        roots = {head.size: head.root for head in log.store.heads()}

    assert roots == roots_of(golden)
    assert sums == golden.expected["sha256"]
    hedged = {name for name, data in made.items() if golden.outputs[name] != data}
    assert all(b"w2.golden.example" in made[name] for name in hedged)
    assert {name: without_hedged(made[name]) for name in hedged} == {
        name: without_hedged(golden.outputs[name]) for name in hedged
    }


def without_hedged(data: bytes) -> bytes:
    """Leave out the lines of the second witness, also where JSON escapes them."""
    head, _, rest = data.partition(b"w2.golden.example ")
    return head + rest.lstrip(b"+/=" + bytes(range(48, 58)) + bytes(range(65, 123)))


@pytest.mark.row("R17")
def test_a_golden_log_goes_on(golden: Golden, place: Path, figures: Figures) -> None:
    """Append, cosign, publish, audit, upgrade: each from where the version stopped."""
    clock = SetClock(LATER_MS)
    trust = DirectoryTrust(place / "state", ORIGIN)
    with opened_log(place, clock) as log:
        repeat, _ = log.append(BATCH_KEY, *dict(steps())[BATCH_KEY])
        placed, _ = log.append("of today", *small(1000, 1300))
        published = log.publish()
        reader = TileReader(READ_URL)
        head = drive(
            read_head(reader, policy=POLICY, origin=ORIGIN, trusted=trust.believed()),
            log.answer,
        )
        held = trust.promised()
        upgraded = drive(
            upgrade_receipts(reader, held, head=head, policy=POLICY), log.answer
        )
        edges = [
            drive(
                audit_to(TileReader(READ_URL), edge, head=head, report=lambda _: None),
                log.answer,
            )
            for edge in (trust.edge(), EMPTY_EDGE)
        ]

    (receipt,) = upgraded
    assert receipt is not None
    verdict = check_receipt(receipt, leaf=held[0].leaf, policy=POLICY)
    figures.record(
        f"golden data of {golden.version}: continued",
        tried=placed.count,
        note="appended, cosigned by both, published, audited, a promise upgraded",
    )
    assert (repeat.first, repeat.is_repeat) == (1, True)
    assert (placed.first, published.size) == (SIZE, SIZE + 300)
    assert head.is_witnessed
    assert verdict.status is Status.WITNESSED
    assert edges[0] == edges[1]
    assert check_stored(place / "server", LOG, LogSettings()).is_sound


def test_the_kept_receipts_still_verify(place: Path) -> None:
    trust = DirectoryTrust(place / "state", ORIGIN)

    kept = [held for _, held in trust.witnessed_files()]
    verdicts = [
        check_receipt(held.receipt, leaf=held.leaf, policy=POLICY) for held in kept
    ]
    (promise,) = trust.promised()

    assert tuple(verdict.index for verdict in verdicts) == WITNESSED_INDEXES
    assert {verdict.status for verdict in verdicts} == {Status.WITNESSED}
    assert promise.receipt.index == PROMISED_INDEX
    assert promise.leaf == leaf_hash(dict(steps())["batch-4"][PROMISED_INDEX - 264])


def test_the_published_checkpoint_has_cosignatures_of_both_kinds(
    golden: Golden,
) -> None:
    judged = judge(golden.outputs["checkpoint"], POLICY, origin=ORIGIN)

    assert judged.is_witnessed
    assert len({found.key.type for found in judged.cosigners}) == 2


@pytest.mark.parametrize("name", WITNESSES)
def test_a_golden_witness_knows_what_it_knew(place: Path, name: str) -> None:
    with open_table(place / name) as store:
        logs = {log.origin: log for log in store.logs()}
        evidence = store.evidence()

    head = logs[ORIGIN].head
    assert head is not None
    assert head.size == PUBLISHED[-1]
    assert [one.kind for one in evidence] == [EvidenceKind.SPLIT_VIEW]
    others = [log.state for origin, log in logs.items() if origin != ORIGIN]
    assert others == [LogState.REMOVED] * (name == "w1")


def test_a_golden_token_is_taken_and_a_revoked_one_is_not(
    golden: Golden, place: Path
) -> None:
    path = tokens_path(place / "server", LOG)
    gate = TokenGate(LOG, path, SetClock(LATER_MS))

    assert gate.admit(f"Bearer {golden.expected['token']}", "append") == "producer"
    with pytest.raises(UnauthorizedError):
        gate.admit(f"Bearer {golden.expected['revoked_token']}", "append")
