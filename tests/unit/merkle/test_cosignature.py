"""What each type of key signs, byte for byte, and opening what they signed."""

from dataclasses import replace

import pytest

from tallystick_merkle.checkpoint import Checkpoint, format_checkpoint
from tallystick_merkle.cosignature import (
    MAX_TIME_S,
    Verified,
    cosign,
    open_checkpoint,
    open_log_checkpoint,
    sign_checkpoint,
    subtree_message,
    verify_line,
)
from tallystick_merkle.errors import (
    InvalidSignatureError,
    KeyMismatchError,
    MalformedError,
    OriginError,
    UnverifiedNoteError,
)
from tallystick_merkle.keys import KeyType, SigningKey, parse_vkey
from tallystick_merkle.note import (
    Signature,
    format_note,
    format_signature,
    parse_note,
    parse_signature_lines,
)
from tests.unit.merkle.people import (
    FULL_NOTE,
    HEAD8,
    KEYS,
    NOTES,
    ORIGIN,
    SIGNED_NOTE,
    TIME_S,
    WITNESS,
    key,
    log_key,
    note_of,
    witness_key,
)
from tests.vectors.known import answers

ALL_KEYS = [
    parse_vkey(KEYS[who][field])
    for who, field in (
        ("log", "vkey_01"),
        ("log", "vkey_06"),
        ("witness", "vkey_04"),
        ("witness", "vkey_06"),
    )
]
COSIGNERS = (KeyType.COSIGNATURE, KeyType.MLDSA44)


def line_of(signer: SigningKey, message: bytes, time_s: int) -> Signature:
    """A cosignature line put together by hand."""
    blob = time_s.to_bytes(8, "big") + signer.sign(message)
    return Signature(signer.name, signer.verifier.key_id, blob)


def test_a_log_signs_the_published_note() -> None:
    assert format_note(sign_checkpoint(HEAD8, log_key())) == SIGNED_NOTE


def test_a_witness_writes_the_published_line() -> None:
    line = cosign(HEAD8, witness_key(), time_s=TIME_S)

    assert format_signature(line) == NOTES["cosignature_v1_line"].encode()


def test_a_0x04_key_signs_the_published_message() -> None:
    message = NOTES["cosignature_v1_message"].encode()

    verify_line(HEAD8, witness_key().verifier, line_of(witness_key(), message, TIME_S))


@pytest.mark.parametrize(
    ("name", "field"),
    [(WITNESS, "mldsa_cosigned_message_hex"), (ORIGIN, "mldsa_log_message_hex")],
)
def test_a_0x06_key_signs_the_published_message(name: str, field: str) -> None:
    assert subtree_message(HEAD8, name, time_s=TIME_S).hex() == NOTES[field]


def test_a_subtree_has_its_published_message() -> None:
    case = answers()["subtree_cosig"]
    head = Checkpoint(ORIGIN, case["end"], bytes.fromhex(case["hash"]))

    message = subtree_message(head, WITNESS, time_s=0, start=case["start"])

    assert message.hex() == case["message_hex"]
    (line,) = parse_signature_lines(case["line_v1_with_zero_timestamp"].encode())
    witness_key(KeyType.MLDSA44).verifier.verify(message, line.blob[8:])


def test_the_published_note_opens_with_its_four_keys() -> None:
    opened = open_checkpoint(FULL_NOTE, ALL_KEYS)

    assert opened.checkpoint == HEAD8
    assert opened.raw == FULL_NOTE
    assert opened.verified == tuple(
        Verified(found, None if found.type is KeyType.ED25519 else TIME_S)
        for found in ALL_KEYS
    )


@pytest.mark.parametrize("found", ALL_KEYS)
def test_one_known_key_is_enough_to_open(found: object) -> None:
    opened = open_checkpoint(FULL_NOTE, [key for key in ALL_KEYS if key == found])

    assert [line.key for line in opened.verified] == [found]


def test_who_signed_can_be_asked() -> None:
    opened = open_checkpoint(SIGNED_NOTE, ALL_KEYS)

    assert opened.signed_by(ALL_KEYS[0])
    assert not opened.signed_by(ALL_KEYS[2])


@pytest.mark.parametrize("kind", COSIGNERS)
def test_a_cosignature_carries_its_time(kind: KeyType) -> None:
    line = cosign(HEAD8, witness_key(kind), time_s=MAX_TIME_S)

    found = verify_line(HEAD8, witness_key(kind).verifier, line)

    assert found == Verified(witness_key(kind).verifier, MAX_TIME_S)
    assert line.blob[:8] == b"\x7f" + b"\xff" * 7


@pytest.mark.parametrize("kind", COSIGNERS)
@pytest.mark.parametrize("time_s", [-1, 0, MAX_TIME_S + 1, 2**64])
def test_no_absurd_time_is_signed(kind: KeyType, time_s: int) -> None:
    with pytest.raises(MalformedError, match="no POSIX time"):
        cosign(HEAD8, witness_key(kind), time_s=time_s)


@pytest.mark.parametrize("kind", COSIGNERS)
def test_a_cosignature_at_an_absurd_time_is_refused(kind: KeyType) -> None:
    late = MAX_TIME_S + 1
    messages = {
        KeyType.COSIGNATURE: f"cosignature/v1\ntime {late}\n".encode()
        + format_checkpoint(HEAD8),
        KeyType.MLDSA44: subtree_message(HEAD8, WITNESS, time_s=late),
    }

    with pytest.raises(InvalidSignatureError, match="absurd time"):
        verify_line(
            HEAD8,
            witness_key(kind).verifier,
            line_of(witness_key(kind), messages[kind], late),
        )


@pytest.mark.parametrize("kind", COSIGNERS)
def test_a_cosignature_at_another_time_than_it_says_is_refused(kind: KeyType) -> None:
    line = cosign(HEAD8, witness_key(kind), time_s=TIME_S)
    later = replace(line, blob=(TIME_S + 1).to_bytes(8, "big") + line.blob[8:])

    with pytest.raises(InvalidSignatureError, match="does not verify"):
        verify_line(HEAD8, witness_key(kind).verifier, later)


def test_a_little_endian_time_is_refused() -> None:
    line = cosign(HEAD8, witness_key(), time_s=TIME_S)
    little = replace(line, blob=TIME_S.to_bytes(8, "little") + line.blob[8:])

    with pytest.raises(InvalidSignatureError):
        verify_line(HEAD8, witness_key().verifier, little)


@pytest.mark.parametrize("kind", COSIGNERS)
@pytest.mark.parametrize("length", [1, 7, 8, 9, 71])
def test_a_cosignature_that_is_too_short_is_refused(kind: KeyType, length: int) -> None:
    line = cosign(HEAD8, witness_key(kind), time_s=TIME_S)

    with pytest.raises(InvalidSignatureError):
        verify_line(
            HEAD8, witness_key(kind).verifier, replace(line, blob=line.blob[:length])
        )


@pytest.mark.parametrize("kind", COSIGNERS)
def test_a_cosignature_of_another_checkpoint_is_refused(kind: KeyType) -> None:
    line = cosign(HEAD8, witness_key(kind), time_s=TIME_S)

    for other in (
        replace(HEAD8, size=9),
        replace(HEAD8, root=b"r" * 32),
        replace(HEAD8, origin="example.com/other"),
        replace(HEAD8, extension=("more",)),
    ):
        with pytest.raises(InvalidSignatureError):
            verify_line(other, witness_key(kind).verifier, line)


def test_a_line_of_another_key_is_refused() -> None:
    line = cosign(HEAD8, witness_key(), time_s=TIME_S)

    with pytest.raises(InvalidSignatureError, match="not one of"):
        verify_line(HEAD8, log_key().verifier, line)


def test_0x04_covers_extension_lines_and_0x06_does_not() -> None:
    extended = replace(HEAD8, extension=("more",))
    line = cosign(extended, witness_key(), time_s=TIME_S)

    verify_line(extended, witness_key().verifier, line)
    with pytest.raises(KeyMismatchError, match="extension lines"):
        cosign(extended, witness_key(KeyType.MLDSA44), time_s=TIME_S)


@pytest.mark.parametrize(
    ("head", "time_s"),
    [
        (replace(HEAD8, extension=("more",)), TIME_S),
        (replace(HEAD8, origin="o" * 256), TIME_S),
        (HEAD8, 0),
    ],
)
def test_a_0x06_line_over_what_it_cannot_cover_kills_the_note(
    head: Checkpoint, time_s: int
) -> None:
    cosigner = witness_key(KeyType.MLDSA44)
    line = line_of(cosigner, b"whatever", time_s)
    note = format_checkpoint(head) + b"\n" + format_signature(line)

    with pytest.raises(InvalidSignatureError, match="covers nothing"):
        open_checkpoint(note, [cosigner.verifier])


def test_a_proper_subtree_has_no_time_and_a_checkpoint_has_one() -> None:
    with pytest.raises(KeyMismatchError, match="a time exactly when"):
        subtree_message(HEAD8, WITNESS, time_s=TIME_S, start=4)
    with pytest.raises(KeyMismatchError, match="a time exactly when"):
        subtree_message(HEAD8, WITNESS, time_s=0)


def test_a_plain_key_does_not_cosign() -> None:
    with pytest.raises(KeyMismatchError, match="does not cosign"):
        cosign(HEAD8, log_key(), time_s=TIME_S)


@pytest.mark.parametrize("kind", COSIGNERS)
def test_a_cosigner_s_key_does_not_sign_as_a_log(kind: KeyType) -> None:
    with pytest.raises(KeyMismatchError, match="signs checkpoints, not notes"):
        sign_checkpoint(HEAD8, key(ORIGIN, kind, 1))


def test_a_log_signs_for_its_own_origin_only() -> None:
    with pytest.raises(OriginError) as caught:
        sign_checkpoint(replace(HEAD8, origin="example.com/other"), log_key())

    assert (caught.value.expected, caught.value.found) == ("example.com/other", ORIGIN)


def test_a_log_signs_no_extension_lines() -> None:
    with pytest.raises(KeyMismatchError, match="no extension lines"):
        sign_checkpoint(replace(HEAD8, extension=("more",)), log_key())


@pytest.mark.parametrize(
    "head",
    [
        replace(HEAD8, size=-1),
        replace(HEAD8, size=2**62 + 1),
        replace(HEAD8, root=b"r" * 31),
        replace(HEAD8, root=b""),
    ],
)
def test_a_checkpoint_nobody_would_read_is_not_signed(head: Checkpoint) -> None:
    with pytest.raises(MalformedError):
        sign_checkpoint(head, log_key())
    with pytest.raises(MalformedError):
        cosign(head, witness_key(), time_s=TIME_S)


def test_a_checkpoint_that_no_known_key_signed_is_refused() -> None:
    with pytest.raises(UnverifiedNoteError, match="no known key signed"):
        open_checkpoint(SIGNED_NOTE, ALL_KEYS[2:])
    with pytest.raises(UnverifiedNoteError, match="no known key signed"):
        open_checkpoint(SIGNED_NOTE, [])


@pytest.mark.parametrize("place", range(4))
def test_one_known_line_that_fails_refuses_three_good_ones(place: int) -> None:
    note = parse_note(FULL_NOTE)
    lines = list(note.signatures)
    blob = lines[place].blob
    lines[place] = replace(lines[place], blob=blob[:-1] + bytes([blob[-1] ^ 1]))

    with pytest.raises(InvalidSignatureError):
        open_checkpoint(format_note(replace(note, signatures=tuple(lines))), ALL_KEYS)


def test_two_cosignatures_of_one_key_are_ambiguous() -> None:
    lines = [cosign(HEAD8, witness_key(), time_s=at) for at in (TIME_S, TIME_S + 1)]
    note = format_note(
        replace(sign_checkpoint(HEAD8, log_key()), signatures=tuple(lines))
    )

    with pytest.raises(InvalidSignatureError, match="two signature lines"):
        open_checkpoint(note, [witness_key().verifier])


def test_a_signed_note_that_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(MalformedError, match="checkpoint"):
        open_checkpoint(b"text\n\n" + SIGNED_NOTE.split(b"\n\n")[1], ALL_KEYS)


def test_a_log_s_checkpoint_opens_under_its_origin() -> None:
    opened = open_log_checkpoint(
        note_of(HEAD8, by=[witness_key()]), origin=ORIGIN, log_keys=ALL_KEYS[:1]
    )

    assert opened.checkpoint == HEAD8


def test_a_checkpoint_of_another_origin_is_refused() -> None:
    with pytest.raises(OriginError) as caught:
        open_log_checkpoint(SIGNED_NOTE, origin="other", log_keys=ALL_KEYS[:1])

    assert (caught.value.expected, caught.value.found) == ("other", ORIGIN)
