"""Keys are made once, kept from others' eyes, and tied to their store."""

from pathlib import Path

import pytest

from tallystick_merkle.keys import KeyType, format_skey
from tallystick_witness.errors import UsageError, WrongKeyError
from tallystick_witness.keyring import (
    FILES,
    identify,
    make_keys,
    read_keys,
    write_keys,
)
from tallystick_witness.state import Identity
from tests.unit.witness.world import ED_KEY, KEYS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "keys"
    write_keys(place, KEYS)
    return place


def test_keys_are_read_as_they_were_written(folder: Path) -> None:
    assert read_keys(folder, identify(KEYS)) == KEYS


def test_only_the_owner_may_read_them(folder: Path) -> None:
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}

    assert folder.stat().st_mode & 0o777 == 0o700
    assert modes == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_that_others_may_read_is_refused(folder: Path, mode: int) -> None:
    (folder / FILES[KeyType.COSIGNATURE]).chmod(mode)

    with pytest.raises(WrongKeyError, match="chmod 600"):
        read_keys(folder, identify(KEYS))


def test_keys_are_never_overwritten(folder: Path) -> None:
    with pytest.raises(UsageError, match="never overwritten"):
        write_keys(folder, KEYS)


def test_keys_of_another_store_are_refused(folder: Path) -> None:
    other = make_keys("witness.example/w1", list(FILES))

    with pytest.raises(WrongKeyError, match="not those of the store"):
        read_keys(folder, identify(other))


def test_a_missing_key_is_refused(folder: Path) -> None:
    (folder / FILES[KeyType.MLDSA44]).unlink()

    with pytest.raises(WrongKeyError, match="not those of the store"):
        read_keys(folder, identify(KEYS))


def test_no_keys_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongKeyError, match="no key"):
        read_keys(tmp_path, identify(KEYS))


@pytest.mark.parametrize("data", [b"", b"\xff", b"PRIVATE+KEY+nonsense", b"x" * 10_000])
def test_a_file_that_is_no_key_is_refused_without_a_word_of_it(
    folder: Path, data: bytes
) -> None:
    (folder / FILES[KeyType.COSIGNATURE]).write_bytes(data)

    with pytest.raises(WrongKeyError, match="does not hold a signing key") as caught:
        read_keys(folder, identify(KEYS))
    assert caught.value.__cause__ is None


def test_a_key_that_cannot_be_read_is_refused(folder: Path) -> None:
    file = folder / FILES[KeyType.COSIGNATURE]
    file.unlink()
    file.mkdir()

    with pytest.raises(WrongKeyError, match="cannot read"):
        read_keys(folder, identify(KEYS))


def test_fresh_keys_differ() -> None:
    first, second = (make_keys("w", [KeyType.COSIGNATURE]) for _ in range(2))

    assert format_skey(first[0]) != format_skey(second[0])


@pytest.mark.parametrize("name", ["", "with space", "with+plus", "x" * 256])
def test_a_name_no_key_may_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a key name"):
        make_keys(name, [KeyType.COSIGNATURE])


def test_an_identity_names_every_key() -> None:
    identity = identify([ED_KEY])

    assert identity == Identity("witness.example/w1", identity.vkeys)
    assert len(identity.vkeys) == 1
