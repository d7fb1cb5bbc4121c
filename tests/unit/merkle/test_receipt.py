"""Receipts: the tlog-proof grammar and the two verdicts."""

from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import (
    InvalidSignatureError,
    MalformedError,
    OriginError,
    PolicyNotMetError,
    ProofError,
)
from tallystick_merkle.hashing import EMPTY_ROOT, MAX_SIZE, leaf_hash
from tallystick_merkle.policy import parse_policy
from tallystick_merkle.receipt import (
    HEADER,
    MAX_EXTRA,
    MAX_RECEIPT,
    Receipt,
    Status,
    check_empty_root,
    check_receipt,
    format_receipt,
    parse_receipt,
)
from tallystick_merkle.spelling import format_hash
from tests.unit.merkle.hostile import HASHES, check_parser, hostile
from tests.unit.merkle.people import (
    HEAD8,
    KEYS,
    ORIGIN,
    SIGNED_NOTE,
    note_of,
    second_witness,
    two_of_two,
    witness_key,
)
from tests.vectors.known import answers

PUBLISHED: bytes = answers()["tlog_proof"].encode()
LEAF = leaf_hash(bytes.fromhex(answers()["tlog_proof_leaf_hex"]))
HASH = format_hash(b"h" * 32)

RECEIPTS = st.builds(
    Receipt,
    st.integers(0, MAX_SIZE),
    st.lists(HASHES, max_size=63).map(tuple),
    st.binary(max_size=100),
    st.binary(max_size=100),
)


def receipt_at(note: bytes) -> Receipt:
    """The published receipt under another checkpoint of the same tree."""
    return replace(parse_receipt(PUBLISHED), checkpoint=note)


def test_the_published_receipt_round_trips() -> None:
    receipt = parse_receipt(PUBLISHED)

    assert receipt.index == 5
    assert format_receipt(receipt) == PUBLISHED


@pytest.mark.parametrize("field", ["vkey_04", "vkey_06"])
def test_the_published_receipt_is_witnessed(field: str) -> None:
    policy = parse_policy(
        (
            f"log {KEYS['log']['vkey_01']}\n"
            f"witness w {KEYS['witness'][field]}\nquorum w\n"
        ).encode()
    )

    verdict = check_receipt(
        parse_receipt(PUBLISHED), leaf=LEAF, policy=policy, origin=ORIGIN
    )

    assert (verdict.status, verdict.index) == (Status.WITNESSED, 5)
    assert verdict.judged.opened.checkpoint == HEAD8
    verdict.require_witnessed()


@given(RECEIPTS)
def test_every_receipt_round_trips(receipt: Receipt) -> None:
    assert parse_receipt(format_receipt(receipt)) == receipt


@given(
    hostile(
        HEADER + b"\nindex 5\n" + HASH + b"\n\n" + SIGNED_NOTE,
        HEADER + b"\nextra QQ==\nindex 0\n\nnote",
    )
)
def test_any_receipt_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_receipt, format_receipt)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        HEADER,
        HEADER + b"\n\nnote",
        HEADER + b"\nindex 5\n",
        b"index 5\n\nnote",  # the old format had no header
        HEADER + b" \nindex 5\n\nnote",
        HEADER.replace(b"v1", b"v2") + b"\nindex 5\n\nnote",
        HEADER + b"\r\nindex 5\r\n\r\nnote",
        HEADER + b"\nindex 05\n\nnote",
        HEADER + b"\nindex +5\n\nnote",
        HEADER + b"\nindex  5\n\nnote",
        HEADER + b"\nindex 5 \n\nnote",
        HEADER + b"\nindex\n\nnote",
        HEADER + b"\nindex \n\nnote",
        HEADER + "\nindex ٥\n\nnote".encode(),
        HEADER + b"\nindex %d\n\nnote" % (MAX_SIZE + 1),
        HEADER + b"\nindex 18446744073709551615\n\nnote",
        HEADER + b"\nindex 5\nindex 6\n\nnote",
        HEADER + b"\nindex 5\nextra QQ==\n\nnote",
        HEADER + b"\nextra QQ==\nextra QQ==\nindex 5\n\nnote",
        HEADER + b"\nextra QQ==\n\nnote",
        HEADER + b"\nextra \nindex 5\n\nnote",
        HEADER + b"\nextra\nindex 5\n\nnote",
        HEADER + b"\nextra QR==\nindex 5\n\nnote",
        HEADER + b"\nextra QQ\nindex 5\n\nnote",
        HEADER + b"\nindex 5\n" + HASH[:-2] + b"H=\n\nnote",
        HEADER + b"\nindex 5\n" + HASH[:-1] + b"\n\nnote",
        HEADER + b"\nindex 5\n" + b"A" * 42 + b"==\n\nnote",
        HEADER + b"\nindex 5\n " + HASH + b"\n\nnote",
        HEADER + b"\nindex 5\n" + (HASH + b"\n") * 64 + b"\nnote",
    ],
)
def test_another_spelling_of_a_receipt_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_receipt(data)


def test_63_path_lines_are_read() -> None:
    data = HEADER + b"\nindex 5\n" + (HASH + b"\n") * 63 + b"\nnote"

    assert len(parse_receipt(data).path) == 63


def test_extra_data_is_capped() -> None:
    most = Receipt(0, (), b"note", b"e" * MAX_EXTRA)
    head = HEADER + b"\nextra " + b64encode(b"e" * (MAX_EXTRA + 1))

    assert parse_receipt(format_receipt(most)) == most
    with pytest.raises(MalformedError, match="extra"):
        parse_receipt(head + b"\nindex 0\n\nnote")


def test_a_receipt_of_absurd_length_is_refused() -> None:
    with pytest.raises(MalformedError, match="longer than"):
        parse_receipt(b"a" * (MAX_RECEIPT + 1))


def test_extra_data_changes_no_verdict() -> None:
    receipt = replace(
        receipt_at(note_of(HEAD8, by=[witness_key(), second_witness()])), extra=b"x"
    )

    assert (
        check_receipt(receipt, leaf=LEAF, policy=two_of_two()).status
        is Status.WITNESSED
    )


def test_a_receipt_below_its_quorum_is_promised() -> None:
    receipt = receipt_at(note_of(HEAD8, by=[witness_key()]))

    verdict = check_receipt(receipt, leaf=LEAF, policy=two_of_two())

    assert verdict.status is Status.PROMISED
    with pytest.raises(PolicyNotMetError, match="does not meet"):
        verdict.require_witnessed()


def test_under_a_quorum_of_none_a_receipt_is_only_promised() -> None:
    vkey_04 = KEYS["witness"]["vkey_04"]
    policy = parse_policy(
        f"log {KEYS['log']['vkey_01']}\nwitness w {vkey_04}\nquorum none\n".encode()
    )
    receipt = receipt_at(note_of(HEAD8, by=[witness_key()]))

    verdict = check_receipt(receipt, leaf=LEAF, policy=policy)

    assert verdict.status is Status.PROMISED
    with pytest.raises(PolicyNotMetError, match="asks no witness"):
        verdict.require_witnessed()


def test_another_leaf_is_refused() -> None:
    with pytest.raises(ProofError, match="leaf 5 is not in the tree of size 8"):
        check_receipt(
            receipt_at(note_of(HEAD8)), leaf=leaf_hash(b"other"), policy=two_of_two()
        )


@pytest.mark.parametrize("index", [4, 6, 8, MAX_SIZE])
def test_another_index_is_refused(index: int) -> None:
    receipt = replace(receipt_at(note_of(HEAD8)), index=index)

    with pytest.raises(ProofError):
        check_receipt(receipt, leaf=LEAF, policy=two_of_two())


def test_another_origin_is_refused() -> None:
    with pytest.raises(OriginError):
        check_receipt(
            receipt_at(note_of(HEAD8)),
            leaf=LEAF,
            policy=two_of_two(),
            origin="example.com/other",
        )


def test_a_listed_witness_s_false_line_refuses_the_receipt() -> None:
    line = NOTE_OF_9.split(b"\n")[-2] + b"\n"

    with pytest.raises(InvalidSignatureError):
        check_receipt(receipt_at(SIGNED_NOTE + line), leaf=LEAF, policy=two_of_two())


NOTE_OF_9 = note_of(replace(HEAD8, size=9), by=[witness_key()])


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"note",
        b"\n" + SIGNED_NOTE,
        SIGNED_NOTE + b"\n",
        SIGNED_NOTE + b"\n" + SIGNED_NOTE.split(b"\n\n")[1],
        SIGNED_NOTE.replace(b"\n\n", b"\n\n\n"),
    ],
)
def test_a_receipt_around_no_checkpoint_is_refused(note: bytes) -> None:
    with pytest.raises(MalformedError):
        check_receipt(receipt_at(note), leaf=LEAF, policy=two_of_two())


def test_a_tree_of_nothing_has_the_root_of_nothing() -> None:
    check_empty_root(0, EMPTY_ROOT)
    check_empty_root(1, b"r" * 32)
    with pytest.raises(ProofError, match="size 0"):
        check_empty_root(0, b"r" * 32)
