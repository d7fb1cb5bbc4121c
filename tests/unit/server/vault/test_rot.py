"""Bits that flip in the vault are found, or change nothing that anybody is given."""

import random
from pathlib import Path

import pytest

from tallystick_server.errors import IntegrityError, ServerError, WrongKeyError
from tests.unit.server.vault.vaults import keys_at, make

FLIPS = 60


def flip(data: bytes, chance: random.Random) -> bytes:
    """Flip one bit."""
    held = bytearray(data)
    held[chance.randrange(len(held))] ^= 1 << chance.randrange(8)
    return bytes(held)


@pytest.mark.slow
def test_a_bit_that_flips_in_the_rows_never_changes_a_key(tmp_path: Path) -> None:
    made = make(tmp_path / "vault", keys=300)
    file = tmp_path / "vault" / "g1" / "vault.lmdb" / "data.mdb"
    sound, chance, found = file.read_bytes(), random.Random(5), 0

    for _ in range(FLIPS):
        file.write_bytes(flip(sound, chance))
        try:
            assert keys_at(tmp_path / "vault") == made  # it was in an unused byte
        except IntegrityError:
            found += 1

    assert FLIPS // 5 < found < FLIPS


def test_a_bit_that_flips_in_the_generation_file_is_found(tmp_path: Path) -> None:
    make(tmp_path / "vault", keys=3)
    file = tmp_path / "vault" / "g1" / "generation"
    sound, chance = file.read_bytes(), random.Random(6)

    for _ in range(FLIPS):
        file.write_bytes(flip(sound, chance))
        with pytest.raises(ServerError) as caught:
            keys_at(tmp_path / "vault")
        assert not isinstance(caught.value, WrongKeyError)  # nobody doubts the root key
