"""The genesis entry has one spelling and says what the log is."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle import canonical
from tallystick_merkle.errors import MalformedError
from tallystick_merkle.genesis import (
    MAX_TIME_MS,
    Genesis,
    event_settings,
    format_genesis,
    key_commitment,
    parse_genesis,
    tenant_of,
)
from tests.unit.merkle.hostile import HASHES, NAMES, TEXTS, check_parser, hostile
from tests.unit.merkle.people import KEYS, log_key

SAMPLE = Genesis(
    "raw", "log.example/a", 1_700_000_000_000, b"n" * 32, b"r" * 32, (("a", 1),)
)
TENANT = bytes(range(16))
OF_EVENTS = Genesis(
    "events",
    "log.example/a",
    1_700_000_000_000,
    b"n" * 32,
    b"r" * 32,
    event_settings(TENANT),
)
SETTINGS = st.dictionaries(
    TEXTS,
    st.integers(-(2**64), 2**64 - 1) | TEXTS,
    max_size=4,
).map(lambda settings: tuple(sorted(settings.items())))


def body() -> dict[str, Any]:
    return {
        "format": 1,
        "status": "draft",
        "kind": "raw",
        "origin": "log.example/a",
        "next_key": b"n" * 32,
        "recovery_key": b"r" * 32,
        "settings": {"a": 1},
    }


def entry(value: object) -> bytes:
    return b"\x01" + canonical.encode(value)


def test_a_genesis_entry_is_laid_out_as_described() -> None:
    assert format_genesis(SAMPLE) == entry([3, 1_700_000_000_000, body()])


@given(
    st.builds(
        Genesis,
        st.just("raw"),
        NAMES,
        st.integers(0, MAX_TIME_MS),
        HASHES,
        HASHES,
        SETTINGS,
    )
)
def test_every_genesis_entry_round_trips(genesis: Genesis) -> None:
    assert parse_genesis(format_genesis(genesis)) == genesis


@given(
    st.builds(
        Genesis,
        st.just("events"),
        NAMES,
        st.integers(0, MAX_TIME_MS),
        HASHES,
        HASHES,
        st.binary(min_size=16, max_size=16).map(event_settings),
    )
)
def test_every_genesis_entry_of_events_round_trips(genesis: Genesis) -> None:
    assert parse_genesis(format_genesis(genesis)) == genesis


def test_a_log_of_events_says_whose_it_is_and_what_it_does_not_prove() -> None:
    assert format_genesis(OF_EVENTS) == entry(
        [
            3,
            1_700_000_000_000,
            {
                **body(),
                "kind": "events",
                "settings": {
                    "tenant": "000102030405060708090a0b0c0d0e0f",
                    "completeness": "none",
                    "event_format": "ev1-draft",
                },
            },
        ]
    )
    assert tenant_of(OF_EVENTS) == TENANT.hex()


def test_a_log_of_raw_entries_has_no_tenant() -> None:
    with pytest.raises(KeyError):
        tenant_of(SAMPLE)


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": None},
        {"tenant": ""},
        {"tenant": 7},
        {"tenant": "00" * 15},
        {"tenant": "00" * 17},
        {"tenant": "AB" * 16},
        {"tenant": "00" * 16 + "\n"},
        {"tenant": "customer-and-co-in-twenty-letters"},
        {"completeness": None},
        {"completeness": "full"},
        {"completeness": 0},
        {"event_format": None},
        {"event_format": "ev1"},
        {"more": 1},
    ],
)
def test_a_log_of_events_has_its_settings_and_no_others(
    change: dict[str, Any],
) -> None:
    changed = {**dict(event_settings(TENANT)), **change}
    settings = {name: value for name, value in changed.items() if value is not None}
    fields = {**body(), "kind": "events", "settings": settings}

    with pytest.raises(MalformedError, match="settings"):
        parse_genesis(entry([3, 1, fields]))


@given(hostile(format_genesis(OF_EVENTS)))
def test_any_entry_of_events_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_genesis, format_genesis)


@given(hostile(format_genesis(SAMPLE)))
def test_any_entry_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(data, parse_genesis, format_genesis)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": True},
        {"format": "1"},
        {"status": "final"},
        {"status": None},
        {"kind": "events"},
        {"kind": "event"},
        {"kind": 1},
        {"kind": []},
        {"origin": ""},
        {"origin": "has space"},
        {"origin": "has+plus"},
        {"origin": "o" * 256},
        {"origin": b"log"},
        {"next_key": b"n" * 31},
        {"next_key": "n" * 32},
        {"recovery_key": b""},
        {"recovery_key": None},
        {"settings": []},
        {"settings": {"a": True}},
        {"settings": {"a": None}},
        {"settings": {"a": b"b"}},
        {"settings": {"a": {}}},
        {"more": 1},
    ],
)
def test_a_field_that_is_not_ours_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_genesis(entry([3, 1, {**body(), **change}]))


@pytest.mark.parametrize("missing", sorted(body()))
def test_a_missing_field_is_refused(missing: str) -> None:
    fields = {name: value for name, value in body().items() if name != missing}

    with pytest.raises(MalformedError, match="expected the fields"):
        parse_genesis(entry([3, 1, fields]))


@pytest.mark.parametrize(
    "value",
    [
        3,
        [],
        {},
        [3, 1],
        [3, 1, body(), 1],
        [2, 1, body()],
        ["3", 1, body()],
        [3, -1, body()],
        [3, MAX_TIME_MS + 1, body()],
        [3, True, body()],
        [3, "1", body()],
        [3, 1, []],
        [3, 1, None],
    ],
)
def test_a_leaf_of_another_shape_is_refused(value: object) -> None:
    with pytest.raises(MalformedError, match="genesis"):
        parse_genesis(entry(value))


@pytest.mark.parametrize("version", [b"", b"\x00", b"\x02"])
def test_another_version_is_refused(version: bytes) -> None:
    with pytest.raises(MalformedError, match="version byte"):
        parse_genesis(version + canonical.encode([3, 1, body()]))


@pytest.mark.parametrize(
    "genesis",
    [
        replace(SAMPLE, kind="events"),
        replace(SAMPLE, origin="has space"),
        replace(SAMPLE, time_ms=-1),
        replace(SAMPLE, next_key=b"short"),
        replace(SAMPLE, recovery_key=b""),
    ],
)
def test_an_entry_nobody_would_read_is_not_written(genesis: Genesis) -> None:
    with pytest.raises(MalformedError):
        format_genesis(genesis)


def test_a_key_is_committed_to_by_its_vkey_string() -> None:
    assert key_commitment(log_key().verifier) == (
        sha256(KEYS["log"]["vkey_01"].encode()).digest()
    )
