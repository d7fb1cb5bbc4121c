"""May this start sign: what the log holds against what its witnesses show (D7)."""

from __future__ import annotations

import asyncio

import pytest

from tallystick_merkle.checkpoint import Checkpoint
from tallystick_merkle.cosignature import sign_checkpoint
from tallystick_merkle.exchange.base import Reply
from tallystick_merkle.note import format_note, parse_note
from tallystick_merkle.policy import Policy
from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.log.clearance import (
    Answer,
    Decision,
    OwnView,
    check_witnesses,
    decide,
)
from tallystick_server.log.evidence import MemoryEvidence
from tallystick_server.storage.base import Published
from tests.fakes.logs import ORIGIN, check_log, log_key
from tests.fakes.publishing import WrittenLog
from tests.fakes.witnesses import (
    DOWN,
    FakeWitness,
    always,
    never,
    policy_of,
    ring_of,
    status,
    targets,
)

OTHER_ROOT = b"r" * 32


class Start:
    """A log that starts, with what it has published, and its witnesses."""

    def __init__(self, quorum: str, names: str, *, size: int = 1) -> None:
        self.log = WrittenLog(policy_of("none"))
        if size > 1:
            self.log.append(size - 1)
        self.witnesses = [FakeWitness(name, self.log.clock) for name in names.split()]
        self.policy: Policy = policy_of(quorum, *self.witnesses)
        self.published: Published | None = None
        self.evidence = MemoryEvidence()

    def __getitem__(self, name: str) -> FakeWitness:
        return next(one for one in self.witnesses if one.name == name)

    def publish(self, size: int, *names: str) -> None:
        """Have published at `size`, cosigned by some witnesses, who remember it."""
        checkpoint = Checkpoint(ORIGIN, size, self.log.reader.root(size))
        note = sign_checkpoint(checkpoint, log_key())
        for name in names:
            self[name].saw(size, self.log.reader.root(size))
            shown = self[name].note
            assert shown is not None
            note = note.with_signatures(parse_note(shown).signatures)
        self.published = Published(size, format_note(note), 1)

    async def ask(self, *, timeout_s: float = 60.0) -> tuple[Answer, ...]:
        view = OwnView(
            self.log.key, self.log.head, self.published, self.log.reader.root
        )
        return await check_witnesses(
            ring_of(*self.witnesses),
            targets(self.policy),
            view=view,
            policy=self.policy,
            evidence=self.evidence,
            timeout_s=timeout_s,
        )

    async def decision(
        self, *, anchored: bool = False, override: bool = False
    ) -> Decision:
        answers = await self.ask()
        check_log(self.log.store)
        return decide(
            self.policy,
            answers,
            size=self.log.head.size,
            anchored=anchored,
            published=self.published,
            override=override,
        )


async def test_a_new_log_whose_witnesses_have_seen_nothing_may_sign() -> None:
    decision = await Start("all", "a b").decision()

    assert decision == Decision(
        True, "the log is new, and no witness has seen more of it"
    )


async def test_a_log_that_its_witnesses_have_seen_may_sign() -> None:
    start = Start("all", "a b", size=9)
    start.publish(9, "a", "b")

    decision = await start.decision()

    assert decision == Decision(True, "a quorum of witnesses has seen this log")


@pytest.mark.parametrize("seen", [3, 9])
async def test_a_log_that_grew_since_its_witnesses_saw_it_may_sign(seen: int) -> None:
    start = Start("2", "a b c", size=3)
    start.publish(3, "a", "b", "c")
    start.log.append(6)
    for witness in start.witnesses[:2]:
        witness.saw(seen, start.log.reader.root(seen))

    assert (await start.decision()).may_sign


async def test_a_policy_that_asks_nobody_lets_the_log_sign() -> None:
    assert (await Start("none", "", size=9).decision()).may_sign
    assert (await Start("none", "a b", size=9).decision()).may_sign


async def test_a_log_that_was_cosigned_does_not_sign_when_nobody_is_asked() -> None:
    """One forgotten --config would undo all that the witnesses are for."""
    start = Start("any", "a", size=9)
    start.publish(9, "a")
    start.policy = policy_of("none")

    refused = await start.decision()

    assert not refused.may_sign
    assert "start with the configuration that does" in refused.reason
    assert (await start.decision(anchored=True)).may_sign
    assert (await start.decision(override=True)).is_override


SILENT: list[Reply] = [DOWN, status(500), status(503), status(403), status(302)]


@pytest.mark.parametrize("reply", SILENT)
@pytest.mark.parametrize("size", [1, 9])
async def test_without_a_quorum_of_answers_the_log_does_not_sign(
    reply: Reply, size: int
) -> None:
    start = Start("2", "a b c", size=size)
    start.publish(size, "a", "b", "c")
    for name in "bc":
        start[name].tell_head = always(reply)

    decision = await start.decision()

    assert not decision.may_sign
    assert f"no quorum of witnesses has confirmed size {size}" in decision.reason
    assert "a0: agrees; b0: " in decision.reason


async def test_a_witness_that_never_answers_is_given_up() -> None:
    start = Start("all", "a b", size=9)
    start.publish(9, "a", "b")
    start["b"].tell_head = never()

    answers = await start.ask(timeout_s=0.001)

    assert answers[0].keys == start["a"].verifiers
    assert answers[1] == Answer("b0", None, (), "no answer within 0.001 s")


async def test_one_dead_witness_too_many_is_no_matter() -> None:
    start = Start("2", "a b c", size=9)
    start.publish(9, "a", "b", "c")
    start["c"].tell_head = always(DOWN)

    assert (await start.decision()).may_sign


async def test_an_anchor_that_was_kept_stands_for_the_witnesses() -> None:
    start = Start("all", "a b", size=9)
    for witness in start.witnesses:
        witness.tell_head = always(DOWN)

    assert not (await start.decision()).may_sign
    assert (await start.decision(anchored=True)).may_sign


async def test_an_override_is_taken_and_told() -> None:
    start = Start("all", "a", size=9)

    decision = await start.decision(override=True)

    assert (decision.may_sign, decision.is_override) == (True, True)
    assert "no quorum of witnesses" in decision.reason


async def test_an_override_that_was_not_needed_is_not_told() -> None:
    decision = await Start("all", "a").decision(override=True)

    assert not decision.is_override


async def test_a_witness_that_lost_its_state_does_not_clear_a_log() -> None:
    start = Start("all", "a", size=9)
    start.publish(5, "a")
    start["a"].note = None

    answers = await start.ask()

    assert answers[0].keys == ()
    assert "cosigned our published size 5" in answers[0].problem
    assert not (await start.decision()).may_sign


async def test_a_log_set_back_to_before_its_first_cosignature_is_not_cleared() -> None:
    start = Start("all", "a", size=9)  # the witness lost its state: it has no head

    decision = await start.decision()

    assert not decision.may_sign
    assert "a0: has never cosigned this log" in decision.reason


async def test_one_honest_answer_does_not_make_a_lost_state_count() -> None:
    start = Start("2", "a b c", size=9)
    start.publish(5, "a")  # set back to here; b and c cosigned later, c forgot it
    start["b"].tell_head = always(DOWN)

    assert not (await start.decision()).may_sign


async def test_a_log_set_back_to_its_first_entry_is_found_by_who_remembers() -> None:
    start = Start("1", "a b")
    start["b"].saw(9, OTHER_ROOT)

    with pytest.raises(IntegrityError, match="b0 contradicts"):
        await start.ask()


async def test_a_published_first_entry_needs_more_than_never_cosigned() -> None:
    start = Start("all", "a")
    start.publish(1, "a")
    start["a"].note = None

    assert not (await start.decision()).may_sign


async def test_a_witness_behind_what_it_gave_us_does_not_count() -> None:
    start = Start("all", "a", size=3)
    start.log.append(6)
    start.publish(9, "a")
    start["a"].saw(3, start.log.reader.root(3))

    answers = await start.ask()

    assert answers[0].keys == ()
    assert "shows size 3, but cosigned our published size 9" in answers[0].problem


async def test_a_witness_added_since_may_be_behind_what_others_cosigned() -> None:
    start = Start("all", "a b", size=3)
    start.log.append(6)
    start.publish(9, "a")
    start["b"].saw(3, start.log.reader.root(3))

    assert (await start.decision()).may_sign


async def test_a_head_without_the_witness_s_own_line_does_not_count() -> None:
    start = Start("all", "a b", size=9)
    start.publish(9, "a", "b")
    start["b"].note = start["a"].note

    answers = await start.ask()

    assert answers[1].problem == "its checkpoint lacks its own cosignature"
    assert not (await start.decision()).may_sign


async def test_our_own_checkpoint_shown_as_a_witness_s_does_not_count() -> None:
    start = Start("all", "a", size=9)
    start["a"].tell_head = always(status(200, start.log.head.note))

    assert not (await start.decision()).may_sign


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("size", [5, 99])
async def test_a_head_under_another_key_is_no_proof_and_no_answer(
    seed: int, size: int
) -> None:
    start = Start("all", "a", size=9)
    start["a"].saw(size, OTHER_ROOT, seed=seed)

    decision = await start.decision()

    assert not decision.may_sign
    assert "proves nothing" in decision.reason
    assert start.evidence.kept == []


@pytest.mark.parametrize("quorum", ["none", "1", "all"])
@pytest.mark.parametrize(
    ("size", "said"),
    [
        (10, "size 10 under our key, we hold only 9"),
        (9, "size 9 and root"),
        (5, "size 5 and root"),
    ],
)
async def test_a_head_under_our_key_that_is_not_ours_refuses_the_start(
    quorum: str, size: int, said: str
) -> None:
    start = Start(quorum, "a b", size=9)
    start["a"].saw(9, start.log.head.root)
    start["b"].saw(size, OTHER_ROOT)

    with pytest.raises(IntegrityError, match="witness b0") as caught:
        await start.ask()

    assert said in str(caught.value)
    ((_, ours, theirs),) = start.evidence.kept
    assert (ours, theirs) == (start.log.head.note, start["b"].note)


FAULTS = ["down", "never cosigned", "forged", "other key"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_proof_holds_whatever_else_is_wrong(fault: str) -> None:
    start = Start("1", "a b", size=9)
    spoil(start, "a", fault)
    start["b"].saw(12, OTHER_ROOT)

    with pytest.raises(IntegrityError, match="witness b0"):
        await start.ask()


@pytest.mark.parametrize("first", FAULTS)
@pytest.mark.parametrize("second", FAULTS)
async def test_two_faults_at_once_never_clear_a_log(first: str, second: str) -> None:
    start = Start("2", "a b c", size=9)
    start.publish(9, "a", "b", "c")
    spoil(start, "a", first)
    spoil(start, "b", second)

    assert not (await start.decision()).may_sign
    assert (await start.decision(anchored=True)).may_sign


def spoil(start: Start, name: str, fault: str) -> None:
    witness = start[name]
    if fault == "down":
        witness.tell_head = always(DOWN)
    elif fault == "never cosigned":
        witness.note = None
    elif fault == "other key":
        witness.saw(9, start.log.head.root, seed=2)
    else:
        witness.saw(9, start.log.head.root)
        note = parse_note(witness.note or b"")
        line = note.signatures[1]
        bad = type(line)(line.name, line.key_id, line.blob[:-1] + b"?")
        witness.note = format_note(note.with_signatures([bad]))


async def test_proof_is_told_even_if_it_cannot_be_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class NoDisk(MemoryEvidence):
        def keep(self, *, reason: str, ours: bytes, theirs: bytes) -> str:
            raise StoreError("the disk is full")

    start = Start("all", "a", size=9)
    start["a"].saw(12, OTHER_ROOT)
    start.evidence = NoDisk()

    with pytest.raises(IntegrityError, match="we hold only 9"):
        await start.ask()

    assert "the disk is full" in caplog.text


async def test_a_corrupt_published_checkpoint_refuses_the_start() -> None:
    start = Start("all", "a", size=9)
    start.publish(9, "a")
    assert start.published is not None
    note = parse_note(start.published.note)
    line = note.signatures[1]
    bad = type(line)(line.name, line.key_id, line.blob[:-1] + b"?")
    start.published = Published(9, format_note(note.with_signatures([bad])), 1)

    with pytest.raises(IntegrityError, match="published at size 9 is corrupt"):
        await start.ask()


async def test_all_witnesses_are_asked_at_once() -> None:
    start = Start("all", "a b", size=9)
    start.publish(9, "a", "b")
    both = asyncio.Barrier(2)
    for witness in start.witnesses:

        async def tell(_: object, witness: FakeWitness = witness) -> Reply:
            await both.wait()
            return status(200, witness.note or b"")

        witness.tell_head = tell

    assert (await start.decision()).may_sign
