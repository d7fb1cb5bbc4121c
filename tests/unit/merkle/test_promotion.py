"""The promotion entry has one spelling and says where a copy went on."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle import canonical
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.genesis import parse_genesis
from tallystick_merkle.hashing import MAX_SIZE, leaf_hash
from tallystick_merkle.promotion import (
    MAX_TIME_MS,
    Promotion,
    format_promotion,
    parse_promotion,
)
from tests.unit.merkle.hostile import HASHES, NAMES, check_parser, hostile
from tests.vectors.known import answers

SAMPLE = Promotion("log.example/a", 1_700_000_000_000, 9, b"r" * 32, b"i" * 16)


def body() -> dict[str, Any]:
    return {
        "format": 1,
        "status": "draft",
        "origin": "log.example/a",
        "size": 9,
        "root": b"r" * 32,
        "id": b"i" * 16,
    }


def entry(value: object) -> bytes:
    return b"\x01" + canonical.encode(value)


def test_a_promotion_entry_is_laid_out_as_described() -> None:
    assert format_promotion(SAMPLE) == entry([5, 1_700_000_000_000, body()])


@pytest.mark.parametrize("case", answers()["promotion"])
def test_a_promotion_entry_is_the_known_one(case: dict[str, Any]) -> None:
    promotion = Promotion(
        case["origin"],
        case["time_ms"],
        case["size"],
        bytes.fromhex(case["root_hex"]),
        bytes.fromhex(case["id_hex"]),
    )

    written = format_promotion(promotion)

    assert written.hex() == case["entry_hex"]
    assert leaf_hash(written).hex() == case["leaf_hash_hex"]
    assert parse_promotion(written) == promotion


@given(
    st.builds(
        Promotion,
        NAMES,
        st.integers(0, MAX_TIME_MS),
        st.integers(1, MAX_SIZE - 1),
        HASHES,
        st.binary(min_size=16, max_size=16),
    )
)
def test_every_promotion_entry_round_trips(promotion: Promotion) -> None:
    assert parse_promotion(format_promotion(promotion)) == promotion


@given(hostile(format_promotion(SAMPLE)))
def test_any_entry_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_promotion, format_promotion)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": True},
        {"format": "1"},
        {"status": "final"},
        {"origin": ""},
        {"origin": "has space"},
        {"origin": b"log"},
        {"size": 0},
        {"size": -1},
        {"size": True},
        {"size": MAX_SIZE},
        {"size": "9"},
        {"root": b"r" * 31},
        {"root": "r" * 32},
        {"id": b""},
        {"id": b"i" * 17},
        {"id": None},
        {"more": 1},
    ],
)
def test_a_field_that_is_not_ours_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_promotion(entry([5, 1, {**body(), **change}]))


@pytest.mark.parametrize("missing", sorted(body()))
def test_a_missing_field_is_refused(missing: str) -> None:
    fields = {name: value for name, value in body().items() if name != missing}

    with pytest.raises(MalformedError, match="expected the fields"):
        parse_promotion(entry([5, 1, fields]))


@pytest.mark.parametrize(
    "value",
    [
        5,
        [],
        [5, 1],
        [5, 1, body(), 1],
        [3, 1, body()],
        [5, -1, body()],
        [5, MAX_TIME_MS + 1, body()],
        [5, True, body()],
        [5, 1, []],
    ],
)
def test_a_leaf_of_another_shape_is_refused(value: object) -> None:
    with pytest.raises(MalformedError, match="promotion"):
        parse_promotion(entry(value))


@pytest.mark.parametrize("version", [b"", b"\x00", b"\x02"])
def test_another_version_is_refused(version: bytes) -> None:
    with pytest.raises(MalformedError, match="version byte"):
        parse_promotion(version + canonical.encode([5, 1, body()]))


@pytest.mark.parametrize(
    "promotion",
    [
        replace(SAMPLE, origin="has space"),
        replace(SAMPLE, time_ms=-1),
        replace(SAMPLE, size=0),
        replace(SAMPLE, root=b"short"),
        replace(SAMPLE, id=b""),
    ],
)
def test_an_entry_nobody_would_read_is_not_written(promotion: Promotion) -> None:
    with pytest.raises(MalformedError):
        format_promotion(promotion)


def test_a_promotion_entry_is_no_genesis_entry() -> None:
    with pytest.raises(MalformedError):
        parse_genesis(format_promotion(SAMPLE))
