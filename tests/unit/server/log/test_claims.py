"""What a witness's last checkpoint says about our log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import sign_checkpoint
from tallystick_merkle.hashing import EMPTY_ROOT
from tallystick_merkle.note import Note, format_note, parse_note, sign_note
from tallystick_server.log.claims import Claim, Stand, judge_claim
from tests.fakes.logs import ORIGIN, log_key
from tests.fakes.publishing import WrittenLog
from tests.fakes.witnesses import FakeWitness, policy_of


def log_of(size: int) -> WrittenLog:
    log = WrittenLog(policy_of("none"))
    if size > 1:
        log.append(size - 1)
    return log


def judged(log: WrittenLog, witness: FakeWitness, note: bytes | None = None) -> Claim:
    shown = witness.note if note is None else note
    assert shown is not None
    return judge_claim(
        shown,
        log_key=log.key,
        witness_keys=witness.verifiers,
        held_size=log.head.size,
        root_at=log.reader.root,
    )


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_head_of_ours_agrees(size: int) -> None:
    log = log_of(7)
    witness = FakeWitness("a", log.clock)
    witness.saw(size, log.reader.root(size))

    claim = judged(log, witness)

    assert claim == Claim(Stand.AGREES, size, witness.verifiers, "")
    assert not claim.contradicts


def test_the_empty_tree_agrees_with_every_log() -> None:
    log = log_of(7)
    witness = FakeWitness("a", log.clock)
    witness.saw(0, EMPTY_ROOT)

    assert judged(log, witness).stand is Stand.AGREES


def test_a_head_larger_than_ours_is_ahead() -> None:
    log = log_of(7)
    witness = FakeWitness("a", log.clock)
    witness.saw(8, b"r" * 32)

    claim = judged(log, witness)

    assert (claim.stand, claim.size, claim.contradicts) == (Stand.AHEAD, 8, True)
    assert "size 8 under our key, we hold only 7" in claim.problem


@pytest.mark.parametrize("size", [0, 3, 7])
def test_another_root_at_a_size_of_ours_differs(size: int) -> None:
    log = log_of(7)
    witness = FakeWitness("a", log.clock)
    witness.saw(size, b"r" * 32)

    claim = judged(log, witness)

    assert (claim.stand, claim.size, claim.contradicts) == (Stand.DIFFERS, size, True)


def test_a_head_with_extension_lines_under_our_key_is_not_ours() -> None:
    log = log_of(7)
    text = parse_note(log.head.note).text + b"extra\n"
    note = format_note(Note(text, (sign_note(text, log_key()),)))

    assert judged(log, FakeWitness("a", log.clock), note).stand is Stand.DIFFERS


def test_a_head_under_another_key_proves_nothing() -> None:
    log = log_of(7)
    witness = FakeWitness("a", log.clock)
    witness.saw(9, b"r" * 32, seed=2)

    claim = judged(log, witness)

    assert (claim.stand, claim.contradicts) == (Stand.UNPROVEN, False)
    assert claim.problem


def test_a_head_of_another_origin_proves_nothing() -> None:
    log = log_of(7)
    text = b"example.com/other\n9\n" + parse_note(log.head.note).text.split(b"\n")[2]
    note = format_note(Note(text + b"\n", (sign_note(text + b"\n", log_key()),)))

    assert judged(log, FakeWitness("a", log.clock), note).stand is Stand.UNPROVEN


@pytest.mark.parametrize("part", [0, 1])
def test_a_forged_line_backs_nothing(part: int) -> None:
    log = log_of(7)
    witness = FakeWitness("a", log.clock)
    witness.saw(7, log.head.root)
    assert witness.note is not None
    note = parse_note(witness.note)
    line = note.signatures[part]
    bad = type(line)(line.name, line.key_id, line.blob[:-1] + b"?")

    claim = judged(log, witness, format_note(note.with_signatures([bad])))

    stand = Stand.UNPROVEN if part == 0 else Stand.AGREES
    assert (claim.stand, claim.cosigners) == (stand, ())


def test_a_witness_is_not_backed_by_the_line_of_another() -> None:
    log = log_of(7)
    witness, other = FakeWitness("a", log.clock), FakeWitness("b", log.clock)
    other.saw(7, log.head.root)

    claim = judged(log, witness, other.note)

    assert (claim.stand, claim.cosigners) == (Stand.AGREES, ())


def test_proof_needs_no_cosignature() -> None:
    log = log_of(7)
    witness, other = FakeWitness("a", log.clock), FakeWitness("b", log.clock)
    other.saw(8, b"r" * 32)

    assert judged(log, witness, other.note).contradicts


@given(st.binary(max_size=400))
def test_hostile_bytes_prove_nothing(note: bytes) -> None:
    claim = judge_claim(
        note,
        log_key=log_key().verifier,
        witness_keys=(),
        held_size=1,
        root_at=lambda size: bytes([size]) * 32,
    )

    assert claim.stand is Stand.UNPROVEN


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_damage_to_a_head_never_makes_it_proof(place: int, damage: bytes) -> None:
    checkpoint = Checkpoint(ORIGIN, 1, b"\1" * 32)
    whole = format_note(sign_checkpoint(checkpoint, log_key()))
    damaged = whole[:place] + damage + whole[place + len(damage) :]

    claim = judge_claim(
        damaged,
        log_key=log_key().verifier,
        witness_keys=(),
        held_size=checkpoint.size,
        root_at=lambda _: checkpoint.root,
    )

    assert not claim.contradicts
