"""Decimals, base64 and hashes have one spelling each."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.hashing import MAX_SIZE
from tallystick_merkle.spelling import (
    format_hash,
    parse_base64,
    parse_decimal,
    parse_hash,
)
from tests.unit.merkle.hostile import HASHES, check_parser, hostile


def decimal(text: bytes) -> int:
    return parse_decimal(text, what="number", where="here")


def base64(text: bytes, longest: int = 100) -> bytes:
    return parse_base64(text, what="blob", where="here", longest=longest)


@given(st.integers(0, MAX_SIZE))
def test_every_size_round_trips(value: int) -> None:
    assert decimal(b"%d" % value) == value


@given(hostile(b"0", b"10", b"%d" % MAX_SIZE))
def test_any_decimal_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, decimal, lambda value: b"%d" % value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        "01",
        "+1",
        "-1",
        "-0",
        " 1",
        "1 ",
        "1\n",
        "1_0",
        "1.0",
        "1e3",
        "0x1",
        "٣",
        "１",
        "²",
        "9" * 20,
        "1" * 5000,
    ],
)
def test_another_spelling_of_a_number_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="canonical decimal"):
        decimal(text.encode())


def test_a_number_over_its_ceiling_is_refused() -> None:
    with pytest.raises(MalformedError, match="is over"):
        decimal(b"%d" % (MAX_SIZE + 1))
    with pytest.raises(MalformedError, match="8 is over 7"):
        parse_decimal(b"8", what="number", where="here", ceiling=7)


def test_an_error_says_what_and_where() -> None:
    with pytest.raises(MalformedError) as caught:
        decimal(b"x")

    assert (caught.value.what, caught.value.where) == ("number", "here")
    assert str(caught.value).startswith("malformed number (here): ")


@given(st.binary(max_size=100))
def test_every_blob_round_trips(value: bytes) -> None:
    assert base64(b64encode(value)) == value


@given(hostile(b64encode(b"a"), b64encode(b"ab"), b64encode(bytes(range(40)))))
def test_any_base64_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, base64, b64encode)


@pytest.mark.parametrize(
    "text",
    [
        b"QQ",  # no padding
        b"QQ=",
        b"QQ===",
        b"QR==",  # padding bits that are not zero
        b"QUJ=",
        b"QQ==\n",
        b"Q Q==",
        b"QQ==QQ==",
        b"=QQ=",
        b"Q",
        b"_-==",  # the other alphabet
        "ＱＱ==".encode(),
        b"\xff\xff\xff\xff",
    ],
)
def test_another_spelling_of_base64_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedError, match="canonical base64"):
        base64(text)


@pytest.mark.parametrize("longest", [0, 1, 2, 3, 4])
def test_base64_of_too_many_bytes_is_refused(longest: int) -> None:
    assert base64(b64encode(b"a" * longest), longest) == b"a" * longest
    with pytest.raises(MalformedError):
        base64(b64encode(b"a" * (longest + 1)), longest)


@given(HASHES)
def test_every_hash_round_trips(value: bytes) -> None:
    assert parse_hash(format_hash(value), what="hash", where="here") == value


@pytest.mark.parametrize("length", [0, 30, 31, 33])
def test_a_hash_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(MalformedError):
        parse_hash(b64encode(b"a" * length), what="hash", where="here")


def test_a_hash_with_padding_bits_is_refused() -> None:
    good = format_hash(b"\x00" * 32)

    with pytest.raises(MalformedError, match="canonical base64"):
        parse_hash(good[:-2] + b"B=", what="hash", where="here")
