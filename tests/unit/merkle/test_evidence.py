"""Evidence in one file: one spelling, and nothing of it can be somebody else's."""

import json
from dataclasses import replace

import pytest
from hypothesis import given

from tallystick_merkle.disclosure import MAX_DISCLOSURE, disclose
from tallystick_merkle.errors import (
    MalformedError,
    PolicyNotMetError,
    ProofError,
    UnverifiedNoteError,
)
from tallystick_merkle.evidence import (
    MAX_EVIDENCE,
    Evidence,
    check_evidence,
    format_evidence,
    parse_evidence,
)
from tallystick_merkle.keys import KeyType, format_vkey
from tallystick_merkle.policy import parse_policy
from tallystick_merkle.receipt import Status
from tallystick_merkle.sealing import MAX_RECORD
from tests.unit.merkle.hostile import check_parser, hostile
from tests.unit.merkle.people import ORIGIN, key, two_of_two
from tests.unit.merkle.test_disclosure import opened
from tests.vectors.ev1bundles import BOTH, receipt
from tests.vectors.ev1events import Sealed, base, other, seal

BASE = base()
NESTED: object = 1
for _ in range(11):
    NESTED = [NESTED]


def evidence_of(sealed: Sealed, *wanted: str, proof: bytes | None = None) -> Evidence:
    made = disclose(opened(sealed), wanted)
    return Evidence(sealed.leaf, proof or receipt(sealed), made)


GOOD = evidence_of(BASE, "action", "actor", "after/role")


def test_witnessed_evidence_shows_its_fields() -> None:
    found = check_evidence(parse_evidence(format_evidence(GOOD)), policy=two_of_two())

    found.verdict.require_witnessed()
    assert found.index == 5
    assert sorted(found.disclosed.fields) == ["action", "actor", "after/role"]


def test_evidence_without_its_witnesses_is_only_promised() -> None:
    promised = evidence_of(BASE, "action", proof=receipt(BASE, by=BOTH[:1]))

    found = check_evidence(promised, policy=two_of_two())

    assert found.verdict.status is Status.PROMISED
    with pytest.raises(PolicyNotMetError):
        found.verdict.require_witnessed()


@given(hostile(format_evidence(GOOD), format_evidence(evidence_of(BASE))))
def test_any_evidence_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_evidence, format_evidence)


def test_the_leaf_of_another_event_is_not_in_the_tree() -> None:
    foreign = evidence_of(other(), "action", proof=receipt(BASE))

    with pytest.raises(ProofError, match="not in the tree"):
        check_evidence(foreign, policy=two_of_two())


def test_the_disclosure_of_another_event_is_refused() -> None:
    mixed = replace(GOOD, disclosure=evidence_of(other(), "action").disclosure)

    with pytest.raises(ProofError, match="not of this leaf"):
        check_evidence(mixed, policy=two_of_two())


def test_another_key_under_the_name_of_the_log_is_not_enough() -> None:
    impostor = format_vkey(key(ORIGIN, KeyType.ED25519, 9).verifier)
    policy = parse_policy(f"log {impostor}\nquorum none\n".encode())

    with pytest.raises(UnverifiedNoteError):
        check_evidence(GOOD, policy=policy)


@pytest.mark.parametrize(
    "evidence",
    [
        replace(GOOD, leaf=GOOD.leaf[:-1]),
        replace(GOOD, leaf=b"\x02" + GOOD.leaf[1:]),
        replace(GOOD, receipt=b"receipt"),
        replace(GOOD, disclosure=GOOD.disclosure[:1]),
    ],
    ids=["short-leaf", "no-leaf", "no-receipt", "one-group"],
)
def test_evidence_that_would_not_be_read_is_not_written(evidence: Evidence) -> None:
    with pytest.raises(MalformedError):
        format_evidence(evidence)


def test_evidence_of_absurd_length_is_refused() -> None:
    with pytest.raises(MalformedError, match="longer than"):
        parse_evidence(bytes(MAX_EVIDENCE + 1))


def test_a_value_of_the_deepest_nesting_fits_evidence() -> None:
    event = json.loads(json.dumps(BASE.origin["event"])) | {"details": {"deep": NESTED}}
    evidence = evidence_of(seal(event), "details")

    found = check_evidence(
        parse_evidence(format_evidence(evidence)), policy=two_of_two()
    )

    assert found.disclosed.fields == {"details/deep": NESTED}


def test_the_lengths_are_those_that_the_formats_name() -> None:
    assert (MAX_EVIDENCE, MAX_DISCLOSURE, MAX_RECORD) == (
        777 * 1024, 136 * 1024, 68 * 1024,
    )  # fmt: skip
