from __future__ import annotations

from pathlib import Path

import pytest

from tallystick_merkle.keys import format_vkey
from tallystick_merkle.policy import parse_policy
from tallystick_server.config.load import load
from tallystick_server.errors import UsageError
from tallystick_server.selftest.children import own_environment
from tallystick_server.selftest.place import (
    LOG,
    PREFIX,
    Place,
    make_scratch,
    used_bytes,
)
from tests.unit.merkle.people import log_key, witness_key


def test_the_scratch_is_a_new_folder_of_its_own(tmp_path: Path) -> None:
    first, second = make_scratch(tmp_path), make_scratch(tmp_path)

    assert first != second
    assert first.parent == tmp_path.resolve()
    assert first.name.startswith(PREFIX)
    assert first.stat().st_mode & 0o077 == 0


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for name in ("file", "missing"):
        with pytest.raises(UsageError, match="is not a directory"):
            make_scratch(tmp_path / name)


def test_older_data_come_and_go_and_nothing_is_lost(tmp_path: Path) -> None:
    place = Place(tmp_path / "log")
    place.data.mkdir()
    (place.data / "entries").write_text("old", "utf-8")
    place.keep_older()
    (place.data / "entries").write_text("new", "utf-8")

    place.set_back()
    assert (place.data / "entries").read_text("utf-8") == "old"
    (place.data / "entries").write_text("forked", "utf-8")
    place.bring_back()

    assert (place.data / "entries").read_text("utf-8") == "new"
    assert (place.older / "entries").read_text("utf-8") == "old"


def test_what_files_take_is_counted(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x" * 100_000)

    assert 100_000 <= used_bytes(tmp_path) < 1_000_000


def test_no_variable_leads_a_child_to_a_real_log() -> None:
    given = {"TALLYSTICK_SERVER__DATA": "x", "tallystick_x": "y", "PATH": "z"}

    assert own_environment(given) == {"PATH": "z"}


@pytest.mark.parametrize("has_anchor", [True, False])
@pytest.mark.parametrize("has_witness", [True, False])
def test_policy_and_configuration_are_those_of_the_next_start(
    tmp_path: Path, has_anchor: bool, has_witness: bool
) -> None:
    place = Place(tmp_path / "log of mine\u00e9")
    witness = format_vkey(witness_key().verifier) if has_witness else None

    place.configure(
        vkey=format_vkey(log_key().verifier),
        witness_vkey=witness,
        url="http://127.0.0.1:9",
        has_anchor=has_anchor,
    )

    policy = parse_policy(place.policy.read_bytes())
    settings = load(file=place.config, environment={}).log(LOG)
    assert policy.asks_for_witnesses is has_witness
    assert settings.policy == place.policy
    assert settings.anchor == (place.anchor if has_anchor else None)
