"""The generation file is written once, and destroyed with its bytes."""

import secrets
from pathlib import Path

import pytest

from tallystick_server.errors import IntegrityError, StoreError
from tallystick_server.vault.files import (
    destroy_generation,
    read_generation,
    write_generation,
)
from tallystick_server.vault.generation import Generation, make_first
from tests.unit.server.vault.vaults import ROOT


@pytest.fixture
def generation() -> Generation:
    return make_first(ROOT, secrets.token_bytes).generation


def test_it_is_written_once(tmp_path: Path, generation: Generation) -> None:
    write_generation(tmp_path, generation)

    assert read_generation(tmp_path) == generation
    with pytest.raises(StoreError, match="cannot write"):
        write_generation(tmp_path, generation)


def test_a_missing_a_cut_and_an_unreadable_one_are_told(
    tmp_path: Path, generation: Generation
) -> None:
    with pytest.raises(IntegrityError, match="is missing"):
        read_generation(tmp_path)
    write_generation(tmp_path, generation)
    data = (tmp_path / "generation").read_bytes()
    (tmp_path / "generation").write_bytes(data[:-5])
    with pytest.raises(IntegrityError, match="is damaged"):
        read_generation(tmp_path)
    (tmp_path / "generation").unlink()
    (tmp_path / "generation").mkdir()
    with pytest.raises(StoreError, match="cannot read"):
        read_generation(tmp_path)


def test_the_bytes_of_a_destroyed_one_are_overwritten_where_they_lay(
    tmp_path: Path, generation: Generation
) -> None:
    (tmp_path / "g1").mkdir()
    write_generation(tmp_path / "g1", generation)
    (tmp_path / "same").hardlink_to(tmp_path / "g1" / "generation")
    size = (tmp_path / "same").stat().st_size

    destroy_generation(tmp_path / "g1")

    assert (tmp_path / "same").read_bytes() == bytes(size)
    assert not (tmp_path / "g1").exists()


def test_what_was_half_destroyed_is_destroyed(tmp_path: Path) -> None:
    (tmp_path / "g1" / "vault.lmdb").mkdir(parents=True)

    destroy_generation(tmp_path / "g1")

    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="cannot destroy"):
        destroy_generation(tmp_path / "g1")
