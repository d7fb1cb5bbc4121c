"""The bodies that a log and a witness exchange."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import MAX_SIZE
from tallystick_merkle.note import parse_note
from tallystick_merkle.spelling import format_hash
from tallystick_merkle.witnessing import (
    MAX_REQUEST,
    AddCheckpoint,
    format_add_checkpoint,
    format_size,
    origin_hash,
    parse_add_checkpoint,
    parse_cosignatures,
    parse_size,
)
from tests.unit.merkle.hostile import HASHES, check_parser, hostile
from tests.unit.merkle.people import FULL_NOTE, NOTES, SIGNED_NOTE
from tests.vectors.known import answers

HASH = format_hash(b"h" * 32)
BODY = b"old 5\n" + HASH + b"\n" + HASH + b"\n\n" + SIGNED_NOTE

REQUESTS = st.builds(
    AddCheckpoint,
    st.integers(0, MAX_SIZE),
    st.lists(HASHES, max_size=63).map(tuple),
    st.binary(max_size=100),
)


@given(REQUESTS)
def test_every_request_round_trips(request: AddCheckpoint) -> None:
    assert parse_add_checkpoint(format_add_checkpoint(request)) == request


@given(hostile(BODY, b"old 0\n\n" + SIGNED_NOTE))
def test_any_request_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_add_checkpoint, format_add_checkpoint)


def test_a_request_is_cut_at_its_first_blank_line() -> None:
    request = parse_add_checkpoint(b"old 0\n\na\n\nb\n")

    assert request == AddCheckpoint(0, (), b"a\n\nb\n")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"old 5",
        b"old 5\n",
        b"old 5\n" + HASH + b"\n",
        b"Old 5\n\nnote",
        b"old  5\n\nnote",
        b"old 5 \n\nnote",
        b"old 05\n\nnote",
        b"old +5\n\nnote",
        b"old -5\n\nnote",
        b"old \n\nnote",
        b"old\n\nnote",
        "old ٥\n\nnote".encode(),
        b"old %d\n\nnote" % (MAX_SIZE + 1),
        b"old 5\r\n\r\nnote",
        b" old 5\n\nnote",
        b"old 5\n" + HASH[:-1] + b"\n\nnote",
        b"old 5\n" + HASH + b" \n\nnote",
        b"old 5\n" + HASH[:-2] + b"H=\n\nnote",
        b"old 5\n" + b"A" * 42 + b"==\n\nnote",
    ],
)
def test_another_spelling_of_a_request_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_add_checkpoint(body)


def test_63_proof_lines_are_read_and_64_refused() -> None:
    lines = b"old 5\n" + (HASH + b"\n") * 63

    assert len(parse_add_checkpoint(lines + b"\nnote").proof) == 63
    with pytest.raises(MalformedError, match="over 63 hashes"):
        parse_add_checkpoint(lines + HASH + b"\n\nnote")


def test_a_request_with_16_post_quantum_signatures_is_read() -> None:
    line = NOTES["full_note_4_sigs"].splitlines(keepends=True)[-1].encode()
    note = SIGNED_NOTE + line * 16

    request = parse_add_checkpoint(b"old 0\n\n" + note)

    assert len(parse_note(request.checkpoint).signatures) == 17


def test_a_request_of_absurd_length_is_refused() -> None:
    body = b"old 0\n\n"
    parse_add_checkpoint(body + b"a" * (MAX_REQUEST - len(body)))

    with pytest.raises(MalformedError, match="longer than"):
        parse_add_checkpoint(body + b"a" * (MAX_REQUEST - len(body) + 1))


@given(st.integers(0, MAX_SIZE))
def test_every_size_round_trips(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(hostile(b"0\n", b"1234\n"))
def test_any_size_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_size, format_size)


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"5", b"05\n", b"+5\n", b"5\n\n", b"5\r\n", b" 5\n", b"x\n"]
)
def test_another_spelling_of_a_size_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError, match="witness size"):
        parse_size(body)


def test_an_answer_of_several_lines_is_read_in_order() -> None:
    lines = b"".join(FULL_NOTE.split(b"\n\n")[1].splitlines(keepends=True)[2:])

    found = parse_cosignatures(lines)

    assert [(line.key_id.hex(), line.name) for line in found] == [
        ("aa4a09d1", "witness.example/w1"),
        ("61740e16", "witness.example/w1"),
    ]


@pytest.mark.parametrize("body", [b"", b"\n", b"ok\n", b"-- a b\n"])
def test_an_answer_without_a_signature_line_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_cosignatures(body)


@pytest.mark.parametrize(("origin", "digest"), answers()["origin_hash"].items())
def test_an_origin_s_hash_is_as_published(origin: str, digest: str) -> None:
    assert origin_hash(origin) == digest
