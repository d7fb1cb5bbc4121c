"""A generation seals rows and its state, and opens its own alone."""

import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_server.errors import IntegrityError, UsageError, WrongKeyError
from tallystick_server.vault.base import VaultKey
from tallystick_server.vault.generation import (
    EMPTY,
    Cipher,
    Generation,
    State,
    format_generation,
    make_first,
    parse_generation,
)
from tests.unit.server.vault.vaults import OTHER_ROOT, ROOT

KEY = VaultKey(b"12345678", b"d" * 32, b"s" * 32)
IV = b"i" * 12

generations = st.builds(
    Generation,
    st.binary(min_size=16, max_size=16),
    st.integers(1, 2**63),
    st.binary(max_size=200),
    st.binary(max_size=200),
)


def first() -> Cipher:
    return make_first(ROOT, secrets.token_bytes)


@given(generation=generations)
def test_a_generation_file_reads_back(generation: Generation) -> None:
    assert parse_generation(format_generation(generation)) == generation


@given(data=st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_what_is_no_generation_file_is_refused_by_one_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_generation(data)


@given(generation=generations, at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_bit_that_flips_in_a_generation_file_is_found(
    generation: Generation, at: int, bit: int
) -> None:
    data = bytearray(format_generation(generation))
    data[at % len(data)] ^= 1 << bit

    with pytest.raises((ValueError, UsageError)):
        parse_generation(bytes(data))


@pytest.mark.parametrize(
    "change",
    [
        {"generation": True}, {"generation": 0}, {"generation": "1"},
        {"generation": 2**64}, {"vault": "00"}, {"vault": 7}, {"data_key": "0 0"},
        {"digest": "00" * 32}, {"more": 1}, {"format": 0}, {"format": None},
    ],
    ids=lambda change: " ".join(f"{k}={v}" for k, v in change.items())[:40],
)  # fmt: skip
def test_a_generation_file_that_says_something_else_is_refused(
    change: dict[str, object],
) -> None:
    body = json.loads(format_generation(first().generation)) | change

    with pytest.raises(ValueError, match=r"."):
        parse_generation(f"{json.dumps(body, indent=1)}\n".encode())


def test_a_list_is_no_generation_file() -> None:
    with pytest.raises(ValueError, match="no generation of a vault"):
        parse_generation(b"[]")


def test_a_newer_format_is_refused_by_its_number() -> None:
    with pytest.raises(UsageError, match="format 2, this version reads 1"):
        parse_generation(b'{"format": 2}')


def test_the_root_key_unwraps_a_generation_and_another_one_does_not() -> None:
    cipher = first()

    again = Cipher.unwrap(cipher.generation, ROOT)

    assert again.handle(b"ann") == cipher.handle(b"ann")
    row = cipher.seal_key(KEY, cipher.handle(b"ann"), IV)
    assert again.open_key(KEY.kid, row) == (cipher.handle(b"ann"), KEY)
    with pytest.raises(WrongKeyError, match="the root key does not fit the vault"):
        Cipher.unwrap(cipher.generation, OTHER_ROOT)


def test_the_keys_of_a_generation_are_bound_to_its_number() -> None:
    own = first().generation
    moved = Generation(own.vault_id, 2, own.data_key, own.directory_key)

    with pytest.raises(WrongKeyError):
        Cipher.unwrap(moved, ROOT)


def test_the_two_keys_of_a_generation_cannot_be_exchanged() -> None:
    own = first().generation
    swapped = Generation(own.vault_id, 1, own.directory_key, own.data_key)

    with pytest.raises(WrongKeyError):
        Cipher.unwrap(swapped, ROOT)


def test_the_next_generation_finds_the_same_names_and_opens_no_old_row() -> None:
    cipher = first()
    following = cipher.follow(ROOT, secrets.token_bytes)

    assert following.generation.number == 2
    assert following.generation.vault_id == cipher.generation.vault_id
    assert following.handle(b"ann") == cipher.handle(b"ann")
    with pytest.raises(IntegrityError):
        following.open_key(KEY.kid, cipher.seal_key(KEY, bytes(16), IV))


def test_two_vaults_know_a_name_by_different_handles() -> None:
    assert first().handle(b"ann") != first().handle(b"ann")


def test_a_row_holds_nothing_of_the_key_in_clear() -> None:
    row = first().seal_key(KEY, bytes(16), IV)

    assert KEY.dek not in row
    assert KEY.secret not in row


@given(at=st.integers(0, 107), bit=st.integers(0, 7))
def test_a_bit_that_flips_in_a_row_is_found(at: int, bit: int) -> None:
    cipher = first()
    row = bytearray(cipher.seal_key(KEY, bytes(16), IV))
    row[at] ^= 1 << bit

    with pytest.raises(IntegrityError, match="key 3132333435363738 of the vault"):
        cipher.open_key(KEY.kid, bytes(row))


def test_a_row_under_another_id_is_found() -> None:
    cipher = first()

    with pytest.raises(IntegrityError):
        cipher.open_key(b"87654321", cipher.seal_key(KEY, bytes(16), IV))


@given(row=st.binary(max_size=120))
def test_what_is_no_row_is_refused(row: bytes) -> None:
    with pytest.raises(IntegrityError):
        first().open_key(KEY.kid, row)


def test_a_state_reads_back_in_its_vault_alone() -> None:
    cipher = first()
    state = State(9, 7, b"12345678", b"c" * 16)

    data = cipher.seal_state(state, IV)

    assert cipher.open_state(data) == state
    with pytest.raises(IntegrityError, match="do not belong together"):
        first().open_state(data)


@given(data=st.binary(max_size=80))
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        first().open_state(data)


def test_a_state_is_never_taken_for_a_row() -> None:
    cipher = first()

    with pytest.raises(IntegrityError):
        cipher.open_key(bytes(8), bytes(16) + cipher.seal_state(EMPTY, IV))


def test_a_generation_of_no_vaults_id_is_refused() -> None:
    data = format_generation(Generation(b"short", 1, b"", b""))

    with pytest.raises(ValueError, match="no id of a vault"):
        parse_generation(data)
