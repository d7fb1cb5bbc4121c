"""The commands of the vault: made by init, shown, copied, rotated, brought back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tallystick_server.vault.base import VaultKey
from tallystick_server.vault.opening import open_vault
from tallystick_server.vault.owner import OwnerLock
from tallystick_server.vault.root import FileRoot
from tests.unit.server.cli.running import answer, call, init

NAMES = [b"ann.example", b"bob.example"]


def use(data: Path) -> dict[bytes, VaultKey]:
    """Make the keys of two people, or find them."""
    vault = open_vault(data / "vault", FileRoot(data / "keys" / "vault.root"))
    keys = vault.ensure(NAMES)
    vault.close()
    return keys


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a log of events, and the keys of two people."""
    init(tmp_path / "data", "--kind", "events")
    use(tmp_path / "data")
    return tmp_path / "data"


def test_the_first_log_of_events_makes_the_vault_and_says_where_the_key_is(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"

    made = init(data, "--kind", "events")
    other = answer(
        "init",
        "--data",
        data,
        "--log",
        "b",
        "--origin",
        "b.example",
        "--kind",
        "events",
    )

    assert made["vault_root_file"] == str(data / "keys" / "vault.root")
    assert other["vault_root_file"] is None
    assert (data / "vault").is_dir()


def test_init_tells_people_to_keep_a_copy_of_the_root_key(tmp_path: Path) -> None:
    words = ("--log", "main", "--origin", "log.example/main", "--kind", "events")

    said = call("init", "--data", tmp_path / "data", *words).output

    assert "Copy the vault's root key to a safe place" in said
    assert (tmp_path / "data" / "keys" / "vault.root").read_text().strip() not in said


def test_a_raw_log_makes_no_vault(tmp_path: Path) -> None:
    made = init(tmp_path / "data")

    assert made["vault_root_file"] is None
    assert not (tmp_path / "data" / "vault").exists()


def test_a_log_of_events_that_lost_its_vault_lets_no_new_one_be_made(
    data: Path,
) -> None:
    shutil.rmtree(data / "vault")
    words = ("--log", "b", "--origin", "b.example", "--kind", "events")

    result = call("init", "--data", data, *words)

    assert result.exit_code == 2
    assert "the log main needs the vault that is missing" in result.output
    assert not (data / "logs" / "b").exists()


def test_status_shows_what_there_is_and_no_key(data: Path) -> None:
    keys = use(data)

    said = call("vault", "status", "--data", data, "--deep").stdout
    shown = answer("vault", "status", "--data", data)

    assert "keys        2 (2 ever made)" in said
    assert "every key opens" in said
    assert shown["logs"] == [{"log": "main", "needs": 0}]
    assert (shown["generation"], shown["keys"], shown["count"]) == (1, 2, 2)
    assert shown["problems"] == []
    root = (data / "keys" / "vault.root").read_text().strip()
    for secret in [root, *(key.dek.hex() for key in keys.values())]:
        assert secret not in said + json.dumps(shown)


def test_status_ends_with_1_where_a_key_does_not_open(data: Path) -> None:
    rows = data / "vault" / "g1" / "vault.lmdb" / "data.mdb"
    key = use(data)[NAMES[0]]
    held = bytearray(rows.read_bytes())
    for at in range(len(held)):
        if held.startswith(key.kid, at):
            held[at + 60 : at + 64] = bytes(4)
    rows.write_bytes(bytes(held))

    result = call("vault", "status", "--data", data, "--deep", "--json")

    assert result.exit_code == 1
    assert "does not open" in result.stdout or "holds" in result.stdout


@pytest.mark.parametrize("command", ["status", "rotate", "backup", "restore"])
def test_without_the_root_key_nothing_is_done(
    data: Path, tmp_path: Path, command: str
) -> None:
    answer("vault", "backup", "--data", data, "--to", tmp_path / "copy")
    (data / "keys" / "vault.root").unlink()
    more: dict[str, list[object]] = {
        "rotate": ["--no-backup"],
        "backup": ["--to", tmp_path / "other"],
        "restore": ["--from", tmp_path / "copy"],
    }

    result = call("vault", command, "--data", data, *more.get(command, []))

    assert result.exit_code == 2
    assert "without it no event can be read: bring it back" in result.output
    assert not (tmp_path / "other").exists()


def test_a_backup_comes_back(data: Path, tmp_path: Path) -> None:
    keys = use(data)
    made = answer("vault", "backup", "--data", data, "--to", tmp_path / "copy")
    shutil.rmtree(data / "vault")

    back = answer("vault", "restore", "--data", data, "--from", tmp_path / "copy")

    assert made["backup"] == str(tmp_path / "copy")
    assert {name: made[name] for name in back} == back
    assert use(data) == keys


def test_a_vault_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    answer("vault", "backup", "--data", data, "--to", tmp_path / "copy")

    result = call("vault", "restore", "--data", data, "--from", tmp_path / "copy")

    assert result.exit_code == 2
    assert "a vault is never overwritten" in result.output


def test_a_rotation_keeps_the_keys_and_takes_a_backup(
    data: Path, tmp_path: Path
) -> None:
    keys = use(data)

    made = answer("vault", "rotate", "--data", data, "--backup", tmp_path / "copy")

    assert made["backup"] == str(tmp_path / "copy")
    assert (made["generation"], made["keys"]) == (2, 2)
    assert use(data) == keys
    assert (tmp_path / "copy" / "generation").is_file()


def test_a_rotation_without_a_backup_must_be_asked_for(
    data: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for words in ([], ["--no-backup", "--backup", copy]):
        result = call("vault", "rotate", "--data", data, *words)
        assert result.exit_code == 2
        assert "give either --backup DIR or --no-backup" in result.output

    made = answer("vault", "rotate", "--data", data, "--no-backup")

    assert made["backup"] is None
    assert not copy.exists()


def test_while_the_server_owns_the_vault_it_is_not_rotated(data: Path) -> None:
    lock = OwnerLock(data / "vault" / "owner.lock")

    result = call("vault", "rotate", "--data", data, "--no-backup")

    assert result.exit_code == 2
    assert "one process owns a vault: stop the server first" in result.output
    lock.close()


def test_without_a_vault_it_is_said_how_one_comes_to_be(tmp_path: Path) -> None:
    init(tmp_path / "data")
    root = tmp_path / "data" / "keys" / "vault.root"
    root.write_bytes(b"1f" * 32)
    root.chmod(0o600)

    result = call("vault", "status", "--data", tmp_path / "data")

    assert result.exit_code == 2
    assert "the first log of events makes one" in result.output
