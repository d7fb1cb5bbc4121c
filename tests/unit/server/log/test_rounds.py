"""A head on its way: which cosignatures it takes, and how old its quorum is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.cosignature import cosign
from tallystick_merkle.errors import InvalidSignatureError, UnverifiedNoteError
from tallystick_merkle.keys import KeyType, SigningKey
from tallystick_merkle.note import Signature, format_note, parse_note
from tallystick_merkle.policy import Policy
from tallystick_server.clock import SetClock
from tallystick_server.errors import IntegrityError
from tallystick_server.log.rounds import (
    Lines,
    Round,
    quorum_time_s,
    round_of,
    round_of_published,
    verify_answer,
)
from tallystick_server.storage.base import Published
from tests.fakes.logs import log_key, memory_log
from tests.fakes.witnesses import FakeWitness, policy_of

CLOCK = SetClock()
A, B, C = (FakeWitness(name, CLOCK) for name in "abc")
TWO = FakeWitness("two", CLOCK, types=[KeyType.COSIGNATURE, KeyType.MLDSA44])
KEY = log_key().verifier
NOW_S = 1_700_000_000


def new_round() -> Round:
    return round_of(memory_log().state.head, started_ms=5)


def line_by(key: SigningKey, time_s: int = NOW_S) -> Signature:
    return cosign(new_round().checkpoint, key, time_s=time_s)


def verified(*lines: Signature, asked: FakeWitness = A) -> Lines:
    round_ = new_round()
    return verify_answer(
        round_.checkpoint,
        round_.note.text,
        lines,
        policy_keys=[*A.verifiers, *B.verifiers, *TWO.verifiers],
        own_keys=asked.verifiers,
        latest_s=NOW_S,
    )


def test_a_round_begins_with_the_log_s_own_line() -> None:
    head = memory_log().state.head
    round_ = round_of(head, started_ms=5)

    assert (round_.size, round_.checkpoint.root, round_.cosigned) == (1, head.root, {})
    assert round_.request(KEY) == head.note
    assert round_.published_at(9) == Published(1, head.note, 9)


def test_cosignatures_are_merged_and_never_sent_on() -> None:
    round_ = new_round()
    before = round_.request(KEY)

    round_.add(verified(line_by(A.keys[0])))
    round_.add(verified(line_by(B.keys[0]), asked=B))

    assert round_.cosigned == {A.verifiers[0]: NOW_S, B.verifiers[0]: NOW_S}
    assert len(parse_note(round_.published_at(9).note).signatures) == 3
    assert round_.request(KEY) == before


def test_a_newer_line_replaces_an_older_one_of_the_same_key() -> None:
    round_ = new_round()
    older, newer = line_by(A.keys[0], NOW_S - 10), line_by(A.keys[0])

    for line in (older, newer, older):
        round_.add(verified(line))

    assert round_.cosigned == {A.verifiers[0]: NOW_S}
    assert round_.note.signatures[1:] == (newer,)


def test_a_renewed_round_keeps_what_it_has() -> None:
    round_ = new_round()
    round_.add(verified(line_by(A.keys[0])))
    round_.answered.add(A.url)
    note = round_.note

    round_.renew(99)

    assert (round_.started_ms, round_.answered, round_.note) == (99, set(), note)


def test_all_lines_of_an_answer_are_verified() -> None:
    lines = [line_by(key) for key in TWO.keys]

    found = verified(*lines, asked=TWO)

    assert [(key, line) for key, line, _ in found] == list(
        zip(TWO.verifiers, lines, strict=True)
    )


def test_lines_of_unknown_keys_are_dropped() -> None:
    mine = line_by(A.keys[0])

    found = verified(line_by(C.keys[0]), mine)

    assert [line for _, line, _ in found] == [mine]


def test_a_line_of_another_known_witness_is_taken_beside_its_own() -> None:
    found = verified(line_by(B.keys[0]), line_by(A.keys[0]))

    assert {key for key, _, _ in found} == {A.verifiers[0], B.verifiers[0]}


@pytest.mark.parametrize("others", [(), (B,), (C,)])
def test_an_answer_without_a_line_of_its_own_is_refused(
    others: tuple[FakeWitness, ...],
) -> None:
    lines = [line_by(other.keys[0]) for other in others]

    with pytest.raises(UnverifiedNoteError, match="witness that was asked"):
        verified(*lines)


@pytest.mark.parametrize("by", [A, B])
def test_one_forged_line_of_a_known_key_refuses_the_answer(by: FakeWitness) -> None:
    line = line_by(by.keys[0])
    forged = Signature(line.name, line.key_id, line.blob[:-1] + b"?")
    good = [] if by is A else [line_by(A.keys[0])]

    with pytest.raises(InvalidSignatureError, match="does not verify"):
        verified(*good, forged)


def test_two_lines_of_one_key_are_refused() -> None:
    with pytest.raises(InvalidSignatureError, match="two signature lines"):
        verified(line_by(A.keys[0]), line_by(A.keys[0], NOW_S - 1))


def test_a_line_from_the_future_is_refused() -> None:
    with pytest.raises(InvalidSignatureError, match="1 s too far ahead"):
        verified(line_by(A.keys[0], NOW_S + 1))


def published_by(*witnesses: FakeWitness) -> Published:
    round_ = new_round()
    for witness in witnesses:
        round_.add(verified(line_by(witness.keys[0]), asked=witness))
    return round_.published_at(7)


def taken_up(published: Published, policy: Policy) -> Round:
    return round_of_published(published, log_key=KEY, policy=policy, started_ms=5)


def test_a_published_checkpoint_is_taken_up_with_its_cosignatures() -> None:
    published = published_by(A, B)

    round_ = taken_up(published, policy_of("1", A, C))

    assert round_.cosigned == {A.verifiers[0]: NOW_S}
    assert round_.published_at(7) == published


@pytest.mark.parametrize("part", [0, 1])
def test_a_published_checkpoint_with_a_bad_line_is_corrupt(part: int) -> None:
    published = published_by(A)
    note = parse_note(published.note)
    line = note.signatures[part]
    bad = Signature(line.name, line.key_id, line.blob[:-1] + b"?")
    forged = Published(1, format_note(note.with_signatures([bad])), 7)

    with pytest.raises(IntegrityError, match="published at size 1 is corrupt"):
        taken_up(forged, policy_of("1", A))


def test_an_unknown_line_does_not_make_it_corrupt() -> None:
    assert taken_up(published_by(A), policy_of("1", B)).cosigned == {}


@pytest.mark.parametrize(
    ("quorum", "times", "expected"),
    [
        ("none", {}, None),
        ("none", {"a": 5, "b": 6, "c": 7}, None),
        ("1", {}, None),
        ("1", {"b": 4}, 4),
        ("1", {"a": 5, "b": 9, "c": 7}, 9),
        ("2", {"b": 9}, None),
        ("2", {"a": 5, "b": 9, "c": 7}, 7),
        ("all", {"a": 5, "b": 9, "c": 7}, 5),
        ("all", {"a": 5, "b": 5, "c": 5}, 5),
    ],
)
def test_a_quorum_is_as_old_as_its_oldest_needed_line(
    quorum: str, times: dict[str, int], expected: int | None
) -> None:
    witnesses = {"a": A, "b": B, "c": C}
    cosigned = {witnesses[name].verifiers[0]: at for name, at in times.items()}

    assert quorum_time_s(policy_of(quorum, A, B, C), cosigned) == expected


@given(st.lists(st.integers(1, 100), min_size=3, max_size=3), st.integers(1, 3))
def test_lines_from_the_quorum_s_time_on_meet_it_and_later_ones_do_not(
    times: list[int], wanted: int
) -> None:
    policy = policy_of(str(wanted), A, B, C)
    keys = [one.verifiers[0] for one in (A, B, C)]
    cosigned = dict(zip(keys, times, strict=True))

    found = quorum_time_s(policy, cosigned)

    assert found is not None
    assert policy.is_met_by(key for key in keys if cosigned[key] >= found)
    assert not policy.is_met_by(key for key in keys if cosigned[key] > found)
