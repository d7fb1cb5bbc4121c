"""Signed notes: published answers, and every way to spell one wrong."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import (
    InvalidSignatureError,
    KeyMismatchError,
    MalformedError,
    UnverifiedNoteError,
)
from tallystick_merkle.keys import KeyType, VerifierKey, parse_skey, parse_vkey
from tallystick_merkle.note import (
    MAX_BLOB,
    MAX_NOTE,
    Note,
    Signature,
    check_text,
    format_note,
    format_signature,
    known_lines,
    open_note,
    parse_note,
    parse_signature_lines,
    sign_note,
)
from tests.unit.merkle.hostile import NAMES, check_parser, hostile
from tests.unit.merkle.people import FULL_NOTE, SIGNED_NOTE, key, log_key, witness_key

DASH = "— ".encode()
LINE = DASH + b"a " + b64encode(b"keyid sig") + b"\n"

PUBLISHED = [
    (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        (
            "If you think cryptography is the answer to your problem,\n"
            "then you don't know what your problem is.\n"
        ),
        (
            "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2p"
            "ZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        ),
    ),
    (
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "This is an example message.\n",
        (
            "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg"
            "1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
        ),
    ),
]

TEXTS = st.lists(
    st.text(st.characters(codec="utf-8")).map(
        lambda line: "".join(mark for mark in line if mark >= " ")
    ),
    min_size=1,
    max_size=5,
).map(lambda lines: "".join(line + "\n" for line in lines).encode())
SIGNATURES = st.builds(
    Signature,
    NAMES,
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=1, max_size=80),
)
NOTES = st.builds(Note, TEXTS, st.lists(SIGNATURES, min_size=1, max_size=5).map(tuple))


@pytest.mark.parametrize(("vkey", "text", "line"), PUBLISHED)
def test_published_notes_open(vkey: str, text: str, line: str) -> None:
    signer = parse_vkey(vkey)

    found = open_note(parse_note(f"{text}\n{line}".encode()), [signer])

    assert found == (signer,)


def test_a_note_is_signed_as_published() -> None:
    signer = parse_skey(
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    )
    _, text, line = PUBLISHED[0]

    assert format_signature(sign_note(text.encode(), signer)) == line.encode()


@pytest.mark.parametrize("data", [SIGNED_NOTE, FULL_NOTE])
def test_published_notes_round_trip(data: bytes) -> None:
    assert format_note(parse_note(data)) == data


@given(NOTES)
def test_every_note_round_trips(note: Note) -> None:
    assert parse_note(format_note(note)) == note


@given(hostile(SIGNED_NOTE, b"text\n\n" + LINE + LINE, b"a\n\n\nb\n\n" + LINE))
def test_any_note_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_note, format_note)


@given(hostile(LINE, LINE + LINE, b""))
def test_any_signature_lines_are_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(
        data,
        parse_signature_lines,
        lambda lines: b"".join(map(format_signature, lines)),
    )


@pytest.mark.parametrize(
    "text",
    [
        b"\n",
        b"\n\n",
        b"a\n\nb\n",
        b"a\n\n\n",
        "\u2028\n".encode(),
        "a\u0085b\n".encode(),
        b"a\x7fb\n",
        LINE + b"\n" + LINE,
    ],
)
def test_a_text_may_hold_empty_lines_and_what_looks_like_a_signature(
    text: bytes,
) -> None:
    note = parse_note(text + b"\n" + LINE)

    assert note.text == text
    assert len(note.signatures) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n" + LINE,
        LINE,
        b"\n" + LINE,
        b"text\n\n" + LINE[:-1],
        b"text\n\n" + LINE + b"\n",
        b"text\n\n" + LINE + b"\n\n",
        b"text\n\n" + LINE + b"more\n",
        b"text\n\nmore\n" + LINE,
        b"text\n\n" + LINE + b"\r\n",
        b"te\rxt\n\n" + LINE,
        b"te\txt\n\n" + LINE,
        b"te\x00xt\n\n" + LINE,
        b"te\x1fxt\n\n" + LINE,
        b"te\x80xt\n\n" + LINE,
        b"\xed\xa0\x80\n\n" + LINE,
        b"text\r\n\r\n" + LINE,
    ],
)
def test_bytes_that_are_no_note_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_note(data)


GOOD = b64encode(b"keyid sig")


@pytest.mark.parametrize(
    "line",
    [
        b"- a " + GOOD,
        "– a ".encode() + GOOD,
        "—a ".encode() + GOOD,
        "—  a ".encode() + GOOD,
        "—\u00a0a ".encode() + GOOD,
        DASH + GOOD,
        DASH + b"a",
        DASH + b"a ",
        DASH + b" " + GOOD,
        DASH + b"a  " + GOOD,
        DASH + b"a b " + GOOD,
        DASH + b"a+b " + GOOD,
        DASH + "a\u00a0b ".encode() + GOOD,
        DASH + "a\u2028b ".encode() + GOOD,
        DASH + "a\u0085b ".encode() + GOOD,
        DASH + "a\u3000 ".encode() + GOOD,
        DASH + b"a " + GOOD + b" ",
        DASH + b"a " + GOOD + b" more",
        DASH + b"a " + b64encode(b"only"),
        DASH + b"a " + b64encode(b"12345") + b"=",
        DASH + b"a " + b64encode(b"12345")[:-1],
        DASH + b"a MTIzNDV=",
        DASH + b"a MTIzNDX=",
        DASH + b"a " + b64encode(b"a" * (MAX_BLOB + 1)),
        DASH + b"a" * 256 + b" " + GOOD,
        b"",
    ],
)
def test_another_spelling_of_a_signature_line_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_signature_lines(line + b"\n")
    with pytest.raises(MalformedError):
        parse_note(b"text\n\n" + LINE + line + b"\n")


def test_no_lines_at_all_are_no_signatures() -> None:
    assert parse_signature_lines(b"") == ()


def test_100_signatures_are_read_and_101_refused() -> None:
    assert len(parse_note(b"text\n\n" + LINE * 100).signatures) == 100
    with pytest.raises(MalformedError, match="more than 100"):
        parse_note(b"text\n\n" + LINE * 101)


def test_16_post_quantum_signatures_are_read() -> None:
    line = DASH + b"witness.example/w1 " + b64encode(b"x" * 2432) + b"\n"

    assert len(parse_note(b"text\n\n" + line * 16).signatures) == 16
    assert len(parse_note(b"text\n\n" + line * 100).signatures) == 100


def test_a_note_of_absurd_length_is_refused() -> None:
    with pytest.raises(MalformedError, match="at most"):
        parse_note(b"a" * MAX_NOTE + b"\n\n" + LINE)


def test_unknown_lines_are_ignored() -> None:
    text = b"text\n"
    signer, stranger = log_key(), key("stranger", KeyType.ED25519, 9)
    note = Note(
        text,
        (
            sign_note(b"other\n", stranger),
            sign_note(text, signer),
            Signature(signer.name, b"\x00" * 4, b"only the name is known"),
            Signature("stranger", signer.verifier.key_id, b"only the id is known"),
        ),
    )

    assert open_note(note, [signer.verifier]) == (signer.verifier,)


def test_a_note_without_a_known_line_is_refused() -> None:
    note = Note(b"text\n", (sign_note(b"text\n", log_key()),))

    with pytest.raises(UnverifiedNoteError, match="no known key"):
        open_note(note, [key("stranger", KeyType.ED25519, 9).verifier])
    with pytest.raises(UnverifiedNoteError, match="no known key"):
        open_note(note, [])


@pytest.mark.parametrize("first", [0, 1])
def test_a_known_line_that_fails_kills_the_note_beside_a_good_one(first: int) -> None:
    good, bad = log_key(), key("second", KeyType.ED25519, 9)
    lines = [sign_note(b"text\n", good), sign_note(b"other\n", bad)]
    note = Note(b"text\n", (lines[first], lines[1 - first]))

    with pytest.raises(InvalidSignatureError, match="second does not verify"):
        open_note(note, [good.verifier, bad.verifier])


def test_two_lines_of_one_known_key_are_refused() -> None:
    line = sign_note(b"text\n", log_key())

    with pytest.raises(InvalidSignatureError, match="two signature lines"):
        open_note(Note(b"text\n", (line, line)), [log_key().verifier])


def test_two_lines_of_one_stranger_are_ignored() -> None:
    line = sign_note(b"text\n", log_key())
    odd = Signature("stranger", b"idid", b"x")

    note = Note(b"text\n", (odd, line, odd))

    assert open_note(note, [log_key().verifier]) == (log_key().verifier,)


# Two keys of the name "a" whose 32-bit ids are the same: found by trying some 80,000.
TWINS = [
    VerifierKey("a", KeyType.ED25519, number.to_bytes(32, "big"))
    for number in (65_227, 67_083)
]


def test_two_keys_with_one_name_and_id_are_refused() -> None:
    first, second = TWINS

    assert first.key_id == second.key_id
    assert first.public != second.public
    with pytest.raises(KeyMismatchError, match="two keys share"):
        known_lines(Note(b"text\n", ()), [first, second])


def test_one_key_given_twice_is_one_key() -> None:
    line = sign_note(b"text\n", log_key())

    pairs = known_lines(Note(b"text\n", (line,)), [log_key().verifier] * 2)

    assert pairs == [(log_key().verifier, line)]


def test_a_cosigner_s_key_opens_no_plain_note() -> None:
    cosigner = witness_key()
    line = Signature(cosigner.name, cosigner.verifier.key_id, b"x" * 72)

    with pytest.raises(KeyMismatchError, match="signs checkpoints, not notes"):
        open_note(Note(b"text\n", (line,)), [cosigner.verifier])


def test_only_a_plain_key_signs_a_note() -> None:
    with pytest.raises(KeyMismatchError, match="signs checkpoints, not notes"):
        sign_note(b"text\n", witness_key())


@pytest.mark.parametrize("text", [b"", b"text", b"te\rxt\n", b"\xff\n"])
def test_a_text_that_no_note_can_have_is_not_signed(text: bytes) -> None:
    with pytest.raises(MalformedError):
        sign_note(text, log_key())


def test_an_added_line_replaces_the_older_one_of_the_same_key() -> None:
    first, other = Signature("a", b"aaaa", b"1"), Signature("b", b"bbbb", b"2")
    newer = Signature("a", b"aaaa", b"3")

    note = Note(b"text\n", (first, other)).with_signatures([newer])

    assert note.signatures == (newer, other)


def test_a_line_is_by_a_key_only_with_its_name_and_id() -> None:
    signer = log_key().verifier

    assert Signature(signer.name, signer.key_id, b"x").is_by(signer)
    assert not Signature("other", signer.key_id, b"x").is_by(signer)
    assert not Signature(signer.name, b"\x00" * 4, b"x").is_by(signer)


def test_text_in_bounds_passes() -> None:
    check_text("é\n".encode(), what="text", longest=3)
    with pytest.raises(MalformedError, match="3 bytes, at most 2"):
        check_text("é\n".encode(), what="text", longest=2)
