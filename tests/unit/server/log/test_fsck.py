"""A stored log is checked against its entries, its keys and its policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import cosign
from tallystick_merkle.hashing import EMPTY_ROOT
from tallystick_merkle.keys import KeyType, format_vkey, make_signing_key
from tallystick_merkle.note import format_note, parse_note
from tallystick_merkle.policy import parse_policy
from tallystick_server.log.findings import Findings, Kind, Problem
from tallystick_server.log.fsck import Known, check_log
from tallystick_server.log.keyring import KeySigner
from tallystick_server.storage.records import (
    HEADS,
    KEYS,
)
from tests.unit.server.log.damage import of_head, of_key
from tests.unit.server.log.stored_logs import (
    SIZE,
    StoredLog,
    opened,
)
from tests.unit.server.storage.lmdb_bench import raw


def test_a_sound_log_has_no_problem(log: StoredLog) -> None:
    with opened(log.place) as store:
        head = store.load().head
        seen: list[tuple[int, int]] = []
        report = check_log(
            store, log.known, on_progress=lambda done, size: seen.append((done, size))
        )

    assert report.problems == ()
    assert report.is_sound
    assert (report.size, report.root) == (SIZE, head.root)
    assert (report.heads, report.keys, report.doubt_count) == (9, 8, 0)
    assert seen == [(SIZE, SIZE)]


def test_a_head_signed_for_another_root_is_named(log: StoredLog) -> None:
    forged = Checkpoint(log.key.name, 3, bytes(32))
    note = KeySigner(log.key).sign(forged)
    with raw(log.place, HEADS) as cursor:
        of_head(lambda head: replace(head, note=note, root=bytes(32)))(cursor)

    texts = [problem.text for problem in log.check().problems]

    assert texts == [
        "head of size 3: its root is not that of the entries",
        "head of size 3: signed is size 3 and a root that is not that of the entries",
    ]


def test_a_head_signed_for_another_size_is_named(log: StoredLog) -> None:
    with opened(log.place) as store:
        root = next(head.root for head in store.heads() if head.size == 3)
    note = KeySigner(log.key).sign(Checkpoint(log.key.name, 4, root))
    with raw(log.place, HEADS) as cursor:
        of_head(lambda head: replace(head, note=note))(cursor)

    (problem,) = log.check().problems

    assert problem.text == (
        "head of size 3: signed is size 4 and a root that is that of the entries"
    )


def test_a_lost_last_head_leaves_entries_beyond(log: StoredLog) -> None:
    with raw(log.place, HEADS) as cursor:
        cursor.last()
        cursor.delete()

    report = log.check()

    assert report.size == SIZE - 3
    assert report.counts[Kind.ENTRY] == 3
    assert Kind.HEAD not in report.counts


def test_a_log_without_any_head_is_named(log: StoredLog) -> None:
    with raw(log.place, HEADS) as cursor:
        cursor.first()
        while cursor.delete():
            pass

    report = log.check()

    assert report.counts[Kind.HEAD] == 1
    assert (report.size, report.root, report.heads) == (0, EMPTY_ROOT, 0)
    assert report.counts[Kind.ENTRY] == SIZE


def test_under_another_key_every_head_is_wrong(log: StoredLog) -> None:
    stranger = make_signing_key(
        name=log.key.name, type=KeyType.ED25519, seed=b"s" * 32
    ).verifier

    report = log.check(Known(stranger))

    assert report.counts == {Kind.HEAD: 9, Kind.PUBLISHED: 1}


def test_under_a_key_of_another_origin_genesis_is_wrong_too(log: StoredLog) -> None:
    stranger = make_signing_key(
        name="another.example", type=KeyType.ED25519, seed=b"s" * 32
    ).verifier

    report = log.check(Known(stranger))

    assert report.counts[Kind.GENESIS] == 1


@pytest.mark.parametrize("which", ["next", "recovery"])
def test_a_key_that_genesis_did_not_commit_to_is_named(
    log: StoredLog, which: str
) -> None:
    other = log.known.key
    wrong = {
        "next": replace(log.known, next_key=other),
        "recovery": replace(log.known, recovery_key=other),
    }

    (problem,) = log.check(wrong[which]).problems

    assert problem.kind is Kind.GENESIS
    assert f"the {which} key is not the one" in problem.text


def test_a_policy_that_is_not_met_is_named_and_one_that_is_met_is_not(
    log: StoredLog,
) -> None:
    witness = make_signing_key(
        name="witness.example", type=KeyType.COSIGNATURE, seed=b"w" * 32
    )
    text = (
        f"log {format_vkey(log.known.key)}\n"
        f"witness w {format_vkey(witness.verifier)}\nquorum w\n"
    )
    known = replace(log.known, policy=parse_policy(text.encode()))

    (problem,) = log.check(known).problems

    assert problem.kind is Kind.PUBLISHED
    assert "does not meet the policy's quorum" in problem.text
    with opened(log.place) as store:
        published = store.published()
        assert published is not None
        head = next(head for head in store.heads() if head.size == published.size)
        line = cosign(Checkpoint(log.key.name, head.size, head.root), witness, time_s=1)
        note = format_note(parse_note(published.note).with_signatures([line]))
        store.publish(replace(published, note=note))
    assert log.check(known).problems == ()


def test_a_digest_that_cannot_be_derived_is_a_doubt_and_no_problem(
    log: StoredLog,
) -> None:
    with raw(log.place, KEYS) as cursor:
        of_key(lambda used: replace(used, digest=bytes(32)))(cursor)

    report = log.check()

    assert report.is_sound
    assert report.doubt_count == 1
    assert report.doubts[0].index == 2


def test_findings_keep_the_first_and_count_all() -> None:
    findings = Findings(most=2)

    for index in range(5):
        findings.add(Problem(Kind.ENTRY, "text", index=index))

    assert [problem.index for problem in findings.problems] == [0, 1]
    assert findings.counts == {Kind.ENTRY: 5}
