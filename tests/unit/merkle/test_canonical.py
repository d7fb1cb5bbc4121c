"""Deterministic CBOR: one spelling for every value."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallystick_merkle.canonical import (
    MAX_BYTES,
    MAX_DEPTH,
    decode,
    encode,
    pack,
    pack_bytes,
    pack_text,
)
from tallystick_merkle.errors import MalformedError
from tests.reference import dcbor
from tests.unit.merkle.hostile import TEXTS, check_parser, hostile

SCALARS = (
    st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=20)
    | TEXTS
    | st.booleans()
    | st.none()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)


def nested(depth: int) -> object:
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-1, "20"),
        (-(2**64), "3bffffffffffffffff"),
        (b"\x01", "4101"),
        ("ü", "62c3bc"),
        ([], "80"),
        ({}, "a0"),
        (False, "f4"),
        (True, "f5"),
        (None, "f6"),
        ({"b": 1, "a": 2, "aa": 0}, "a3616102616201626161" + "00"),
    ],
)
def test_a_value_has_the_encoding_of_rfc_8949(value: object, data: str) -> None:
    assert encode(value).hex() == data
    assert decode(bytes.fromhex(data)) == value


@given(VALUES)
def test_every_value_round_trips(value: object) -> None:
    assert decode(encode(value)) == value


@given(VALUES)
def test_every_value_is_packed_as_the_reference_and_the_library_encode_it(
    value: object,
) -> None:
    assert pack(value) == encode(value) == dcbor.encode(value)


@given(hostile(encode([3, 1, {"a": b"x", "bb": [True, None, -5]}])))
def test_the_reference_reads_what_is_read_here_and_nothing_else(data: bytes) -> None:
    try:
        value = decode(data)
    except MalformedError:
        with pytest.raises((dcbor.NotDeterministicError, OverflowError)):
            dcbor.decode(data)
        return
    assert encode(dcbor.decode(data)) == encode(value) == data


def test_a_length_has_the_shortest_head() -> None:
    for size in (0, 23, 24, 255, 256, 65_535, 65_536):
        assert pack_bytes(bytes(size)) == dcbor.encode(bytes(size))
        assert pack_text("a" * size) == dcbor.encode("a" * size)
    assert pack((1, 2)) == encode([1, 2])


def test_a_longest_encoding_can_be_asked_for() -> None:
    assert decode(encode("abc", most=4), most=4) == "abc"
    with pytest.raises(MalformedError, match="longer than 3"):
        encode("abc", most=3)
    with pytest.raises(MalformedError, match="longer than 3"):
        decode(encode("abc"), most=3)


@given(hostile(encode([3, 1, {"a": b"x", "bb": [True, None, -5]}]), encode("text")))
@example(b"\xa2\x61a\x01\x61a\x02")
@example(b"\x61\xff")
def test_any_bytes_are_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, decode, encode)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "1817",  # 23 in two bytes
        "190001",
        "1a00000001",
        "1b0000000000000001",
        "3800",
        "5801" + "00",  # a length in two bytes
        "7801" + "61",
        "9800",
        "b800",
        "a2616201616102",  # keys not sorted
        "a2" + "626161" + "00" + "6162" + "00",  # the longer key first
        "a2" + "6161" + "00" + "6161" + "00",  # a key twice
        "a10000",  # a key that is no text
        "a1410000",
        "c100",  # a tag
        "c249010000000000000000",  # a bignum
        "d9d9f700",
        "f93c00",  # floats
        "fa3f800000",
        "fb3ff0000000000000",
        "f97e00",
        "f7",  # undefined
        "e0",
        "f0",
        "f820",
        "ff",
        "9fff",  # indefinite lengths
        "bfff",
        "5fff",
        "7fff",
        "1c",
        "1f",
        "61ff",  # not UTF-8
        "63eda080",  # a surrogate
        "0000",  # more than one value
        "81",  # cut short
        "8201",
        "a16161",
        "4201",
        "19",
        "1900",
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "5bffffffffffffffff",
        "7b7fffffffffffffff",
    ],
)
def test_another_spelling_is_refused(data: str) -> None:
    with pytest.raises(MalformedError, match="CBOR"):
        decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        (1,),
        {1: 2},
        {b"a": 2},
        {None: 1},
        {"a": [{"b": 1.5}]},
        bytearray(b"a"),
        {1},
        object(),
        2**64,
        -(2**64) - 1,
        "\ud800",
        {"\ud800": 1},
        ["\udfff"],
    ],
)
def test_a_value_that_has_no_spelling_is_refused(value: object) -> None:
    with pytest.raises(MalformedError, match="CBOR"):
        encode(value)
    if not isinstance(value, tuple):  # packing takes the tuples of our own values
        with pytest.raises(MalformedError, match="CBOR"):
            pack(value)


def test_16_levels_are_the_deepest() -> None:
    assert decode(encode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    assert pack(nested(MAX_DEPTH)) == encode(nested(MAX_DEPTH))
    with pytest.raises(MalformedError, match="over 16 deep"):
        encode(nested(MAX_DEPTH + 1))
    with pytest.raises(MalformedError, match="over 16 deep"):
        pack(nested(MAX_DEPTH + 1))
    with pytest.raises(MalformedError, match="over 16 deep"):
        decode(b"\x81" * (MAX_DEPTH + 1) + b"\x00")
    with pytest.raises(MalformedError, match="over 16 deep"):
        decode(b"\x81" * 60_000)


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)

    with pytest.raises(MalformedError, match="over 16 deep"):
        encode(value)


def test_64_kib_are_the_longest() -> None:
    longest = b"a" * (MAX_BYTES - 3)

    assert decode(encode(longest)) == longest
    with pytest.raises(MalformedError, match="longer than"):
        encode(longest + b"a")
    with pytest.raises(MalformedError, match="longer than"):
        decode(b"\x00" * (MAX_BYTES + 1))
