"""The rule: each row of the table, their order, and what must never happen."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.checkpoint import Checkpoint, format_checkpoint
from tallystick_merkle.hashing import EMPTY_ROOT
from tallystick_merkle.keys import KeyType, make_signing_key
from tallystick_merkle.note import Note, Signature, format_note, parse_note, sign_note
from tallystick_witness.cosigning import make_head
from tallystick_witness.rule import Decision, Reason, decide
from tallystick_witness.state import EvidenceKind, FollowedLog, Head, LogState
from tests.unit.witness.world import KEYS, NOW_S, LogTwin, ask

LOG = LogTwin()
FORK = LogTwin(salt=b"fork")
OTHER_HASH = b"\x55" * 32


def at(size: int | None, *, log: LogTwin = LOG, time_s: int = NOW_S) -> FollowedLog:
    """A followed log whose head has `size`, None for never cosigned."""
    if size is None:
        return log.followed()
    head = Head(size, log.tree.root(size), time_s, b"what was cosigned before")
    return replace(log.followed(), head=head)


def judge(body: bytes, known: FollowedLog | None, *, now_s: int = NOW_S) -> Decision:
    def find(origin: str) -> FollowedLog | None:
        return known if known and known.origin == origin else None

    return decide(body, find=find, now_s=now_s)


def test_the_first_checkpoint_is_cosigned_from_old_zero() -> None:
    decision = judge(LOG.request(0, 8), at(None))

    assert (decision.status, decision.reason) == (200, Reason.COSIGNED)
    assert decision.acceptance is not None
    assert decision.acceptance.checkpoint == LOG.head(8)
    assert decision.acceptance.time_s == NOW_S


def test_growth_with_a_proof_is_cosigned() -> None:
    decision = judge(LOG.request(5, 13), at(5))

    assert decision.status == 200


def test_the_empty_tree_is_cosigned_and_grown_from() -> None:
    first = judge(LOG.request(0, 0), at(None))
    grown = judge(LOG.request(0, 3), at(0))

    assert (first.status, grown.status) == (200, 200)


def test_the_same_head_again_is_cosigned_afresh() -> None:
    decision = judge(LOG.request(8, 8), at(8), now_s=NOW_S + 5)

    assert (decision.status, decision.reason) == (200, Reason.REFRESHED)
    assert decision.acceptance is not None
    assert decision.acceptance.time_s == NOW_S + 5


def test_a_log_may_sign_with_mldsa() -> None:
    log = LogTwin(kind=KeyType.MLDSA44)

    assert judge(log.request(0, 8), at(None, log=log)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        LOG.note(8),
        LOG.request(0, 8)[:-1],
        LOG.request(0, 8).replace(b"old 0", b"old 00"),
        LOG.request(0, 8).replace(b"old 0", b"old +0"),
        LOG.request(0, 8).replace(b"old 0", b"old 0\r"),
        LOG.request(5, 13).replace(b"=\n", b"\n", 1),
        ask(1, (OTHER_HASH,) * 64, LOG.note(8)),
        LOG.request(0, 8).replace(b"\n8\n", b"\n08\n"),
        LOG.request(0, 8).replace(b"\xe2\x80\x94", b"-"),
        LOG.request(0, 8) + b"\x00" * (128 * 1024),
        ask(
            0,
            (),
            format_note(Note(b"no checkpoint\n", (Signature("a", b"1234", b"5"),))),
        ),
        ask(0, (), format_note(LOG.sign(replace(LOG.head(8), extension=("more",))))),
    ],
)
def test_a_malformed_body_is_400(body: bytes) -> None:
    decision = judge(body, at(None))

    assert (decision.status, decision.reason) == (400, Reason.MALFORMED)


def test_a_proof_of_63_hashes_is_judged_as_a_proof() -> None:
    decision = judge(ask(8, (OTHER_HASH,) * 63, LOG.note(9)), at(8))

    assert decision.reason is Reason.WRONG_PROOF


def test_an_unknown_origin_is_404() -> None:
    assert judge(LOG.request(0, 8), None).status == 404


def test_a_removed_log_is_404() -> None:
    removed = replace(at(8), state=LogState.REMOVED)

    assert judge(LOG.request(8, 9), removed).status == 404


def test_a_checkpoint_the_log_did_not_sign_is_403() -> None:
    stranger = make_signing_key(
        name=LOG.origin, type=KeyType.ED25519, seed=b"\x09" * 32
    )
    text = format_checkpoint(LOG.head(8))
    body = ask(0, (), format_note(Note(text, (sign_note(text, stranger),))))

    decision = judge(body, at(None))

    assert (decision.status, decision.reason) == (403, Reason.NOT_SIGNED)


def broken(line: Signature) -> Signature:
    return replace(line, blob=bytes([line.blob[0] ^ 1]) + line.blob[1:])


def test_a_line_of_the_log_that_fails_is_403() -> None:
    note = LOG.sign(LOG.head(8))
    body = ask(0, (), format_note(Note(note.text, (broken(note.signatures[0]),))))

    assert judge(body, at(None)).status == 403


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_failing_line_beside_a_good_one_is_403(order: tuple[int, int]) -> None:
    note = LOG.sign(LOG.head(8))
    lines = (note.signatures[0], broken(note.signatures[0]))
    mixed = Note(note.text, tuple(lines[place] for place in order))

    assert judge(ask(0, (), format_note(mixed)), at(None)).status == 403


def test_an_mldsa_line_without_a_time_is_403() -> None:
    log = LogTwin(kind=KeyType.MLDSA44)
    note = log.sign(log.head(8))
    timeless = replace(note.signatures[0], blob=b"\0" * 8 + note.signatures[0].blob[8:])
    body = ask(0, (), format_note(Note(note.text, (timeless,))))

    assert judge(body, at(None, log=log)).status == 403


def test_lines_of_strangers_are_dropped() -> None:
    stranger = Signature("stranger.example", b"1234", b"not a signature")
    note = LOG.sign(LOG.head(8)).with_signatures([stranger])

    decision = judge(ask(0, (), format_note(note)), at(None))

    assert decision.acceptance is not None
    assert decision.acceptance.note == LOG.sign(LOG.head(8))


def test_an_old_size_over_the_new_one_is_400() -> None:
    decision = judge(ask(9, (), LOG.note(8)), at(9))

    assert (decision.status, decision.reason) == (400, Reason.OLD_OVER_SIZE)


def test_an_empty_tree_with_a_root_is_422_and_evidence() -> None:
    note = format_note(LOG.sign(Checkpoint(LOG.origin, 0, OTHER_HASH)))

    decision = judge(ask(0, (), note), at(None))

    assert (decision.status, decision.reason) == (422, Reason.EMPTY_ROOT)
    assert decision.evidence is not None
    assert decision.evidence.kind is EvidenceKind.EMPTY_ROOT
    assert decision.evidence.held == b""


@pytest.mark.parametrize(("old", "known"), [(0, 5), (4, 5), (6, 5), (3, None)])
def test_another_old_size_is_409_with_ours(old: int, known: int | None) -> None:
    decision = judge(LOG.request(old, 13), at(known))

    assert (decision.status, decision.size) == (409, known or 0)
    assert decision.evidence is None


def test_a_fork_behind_a_wrong_old_size_is_409_and_evidence() -> None:
    decision = judge(FORK.request(0, 8), at(8))

    assert (decision.status, decision.size) == (409, 8)
    assert decision.evidence is not None
    assert decision.evidence.kind is EvidenceKind.SPLIT_VIEW


@pytest.mark.parametrize("known", [None, 0])
def test_a_proof_from_zero_is_422_and_no_evidence(known: int | None) -> None:
    decision = judge(ask(0, (OTHER_HASH,), LOG.note(8)), at(known))

    assert (decision.status, decision.reason) == (422, Reason.WRONG_PROOF)
    assert decision.evidence is None


def test_a_proof_that_fails_is_422_and_evidence() -> None:
    decision = judge(ask(5, FORK.proof(5, 13), FORK.note(13)), at(5))

    assert (decision.status, decision.reason) == (422, Reason.WRONG_PROOF)
    assert decision.evidence is not None
    assert decision.evidence.kind is EvidenceKind.UNPROVEN
    assert decision.evidence.note == FORK.note(13)
    assert decision.evidence.held == b"what was cosigned before"


@pytest.mark.parametrize("proof", [(), (OTHER_HASH,)])
def test_another_root_for_the_same_size_is_422_and_evidence(
    proof: tuple[bytes, ...],
) -> None:
    decision = judge(ask(8, proof, FORK.note(8)), at(8))

    assert (decision.status, decision.reason) == (422, Reason.SPLIT_VIEW)
    assert decision.evidence is not None
    assert decision.evidence.kind is EvidenceKind.SPLIT_VIEW
    assert decision.evidence.time_s == NOW_S


def test_a_refresh_with_a_proof_is_422_and_no_evidence() -> None:
    decision = judge(ask(8, (OTHER_HASH,), LOG.note(8)), at(8))

    assert (decision.status, decision.reason) == (422, Reason.WRONG_PROOF)
    assert decision.evidence is None


def test_a_clock_slightly_behind_is_clamped() -> None:
    decision = judge(LOG.request(8, 9), at(8, time_s=NOW_S + 10))

    assert decision.acceptance is not None
    assert decision.acceptance.time_s == NOW_S + 10


def test_a_clock_far_behind_is_503() -> None:
    decision = judge(LOG.request(8, 9), at(8, time_s=NOW_S + 11))

    assert (decision.status, decision.reason) == (503, Reason.CLOCK_BEHIND)


def _violations() -> list[tuple[str, int]]:
    """The rows in the order of the table, with their statuses."""
    return [
        ("malformed", 400),
        ("unknown", 404),
        ("unsigned", 403),
        ("old over size", 400),
        ("empty root", 422),
        ("wrong old", 409),
        ("wrong proof", 422),
        ("clock", 503),
    ]


def _violate(names: frozenset[str]) -> tuple[bytes, FollowedLog | None]:
    """Make a request and a state that break exactly the rows named.

    Two rows cannot be broken beside "empty root" in every way: an old size over the
    size 0 is over it, and stands in no proof.
    """
    last_s = NOW_S + 60 if "clock" in names else NOW_S
    size = 0 if "empty root" in names else 8
    held = 0 if "empty root" in names else 8
    old = held
    if "old over size" in names:
        old = size + 1
        held = held if "wrong old" in names else old
    elif "wrong old" in names:
        held = held + 1
    root = OTHER_HASH if "empty root" in names else LOG.tree.root(size)
    proof = (OTHER_HASH,) if "wrong proof" in names else ()
    checkpoint = Checkpoint(LOG.origin, size, root)
    note = LOG.sign(checkpoint)
    if "unsigned" in names:
        note = Note(note.text, (broken(note.signatures[0]),))
    body = ask(old, proof, format_note(note))
    if "malformed" in names:
        body = b"old  " + body[4:]
    known = None if "unknown" in names else at(held, time_s=last_s)
    return body, known


@pytest.mark.parametrize(("first", "second"), list(combinations(_violations(), 2)))
def test_of_two_broken_rows_the_earlier_one_answers(
    first: tuple[str, int], second: tuple[str, int]
) -> None:
    body, known = _violate(frozenset({first[0], second[0]}))

    assert judge(body, known).status == first[1]


@pytest.mark.parametrize("row", _violations())
def test_each_row_alone_answers_with_its_status(row: tuple[str, int]) -> None:
    body, known = _violate(frozenset({row[0]}))

    assert judge(body, known).status == row[1]


def test_nothing_violated_is_200() -> None:
    body, known = _violate(frozenset())

    assert judge(body, known).status == 200


requests = st.lists(
    st.tuples(
        st.sampled_from([LOG, FORK]),
        st.integers(0, 20),
        st.integers(0, 20),
        st.booleans(),
        st.integers(-3, 30),
    ),
    max_size=12,
)


@given(requests)
def test_no_run_of_requests_yields_two_roots_for_a_size_or_goes_back(
    steps: list[tuple[LogTwin, int, int, bool, int]],
) -> None:
    known = LOG.followed()
    roots: dict[int, bytes] = {}
    now_s = NOW_S
    for twin, old, new, knows_size, later_s in steps:
        now_s += later_s
        start = known.head.size if knows_size and known.head else old
        body = ask(start, twin.proof(start, new), twin.note(new))
        decision = judge(body, known, now_s=now_s)
        assert (decision.status == 200) == (decision.acceptance is not None)
        if decision.acceptance is None:
            continue
        head = make_head(decision.acceptance, KEYS[:1]).head
        assert roots.setdefault(head.size, head.root) == head.root
        if known.head is not None:
            assert head.size >= known.head.size
            assert head.time_s >= known.head.time_s
        known = replace(known, head=head)


@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    assert judge(data, at(8)).status == 400


@given(st.integers(0, 400), st.integers(0, 255))
def test_no_changed_byte_is_cosigned_as_something_else(place: int, value: int) -> None:
    body = bytearray(LOG.request(5, 13))
    body[place % len(body)] = value

    decision = judge(bytes(body), at(5))

    if decision.acceptance is not None:
        assert decision.acceptance.checkpoint == LOG.head(13)


def test_the_note_that_is_no_checkpoint_is_still_a_note() -> None:
    assert parse_note(b"no checkpoint\n\n\xe2\x80\x94 a MTIzNDU=\n").signatures


def test_what_is_signed_is_the_parsed_checkpoint_written_again() -> None:
    decision = judge(LOG.request(0, 8), at(None))
    assert decision.acceptance is not None

    head = make_head(decision.acceptance, KEYS).head

    assert parse_note(head.note).text == format_checkpoint(LOG.head(8))


def test_the_empty_root_is_that_of_sha256_of_nothing() -> None:
    assert LOG.tree.root(0) == EMPTY_ROOT
