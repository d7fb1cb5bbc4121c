from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tallystick_merkle.keys import KeyType, format_vkey, parse_skey, parse_vkey
from tests.unit.client.cli.desk import Run


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ed25519", KeyType.ED25519),
        ("cosignature", KeyType.COSIGNATURE),
        ("mldsa44", KeyType.MLDSA44),
    ],
)
def test_a_key_is_made_and_its_public_half_shown(
    run: Run, tmp_path: Path, name: str, kind: KeyType
) -> None:
    path = tmp_path / "key"

    said = run("key", "generate", "w.example", "--type", name, "--out", path)

    key = parse_skey(path.read_text().strip())
    assert said.code == 0
    assert parse_vkey(said.out.strip()) == key.verifier
    assert (key.name, key.type) == ("w.example", kind)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run("key", "show", path).out == said.out


@pytest.mark.parametrize(
    "words",
    ["w.example --out {}", "--name w.example --out {}", "{} --name w.example"],
)
def test_name_and_file_may_be_given_in_any_way(
    run: Run, tmp_path: Path, words: str
) -> None:
    path = tmp_path / "k.skey"

    said = run("key", "generate", *words.format(path).split())

    assert said.code == 0
    assert parse_skey(path.read_text().strip()).name == "w.example"
    assert f"the secret is in {path}" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "no name"),
        ("--out {}", "no name"),
        ("w.example", "--out FILE"),
        ("--name w.example", "--out FILE"),
        ("v.example --name w.example --out {}", "two names"),
    ],
)
def test_what_is_missing_or_too_much_is_told(
    run: Run, tmp_path: Path, words: str, told: str
) -> None:
    said = run("key", "generate", *words.format(tmp_path / "k").split())

    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "hint"),
    [("ed25519", "--recovery-vkey"), ("cosignature", "witness w VKEY URL")],
)
def test_a_new_key_comes_with_the_next_step(
    run: Run, tmp_path: Path, kind: str, hint: str
) -> None:
    said = run("key", "generate", "w", "--type", kind, "--out", tmp_path / "k")

    assert hint in said.err
    assert run("key", "generate", "w", "--out", tmp_path / "2", "--quiet").err == ""


def test_a_key_that_is_shown_can_say_what_it_is(run: Run, tmp_path: Path) -> None:
    run("key", "generate", "w.example", "--type", "mldsa44", "--out", tmp_path / "k")

    said = run("key", "show", tmp_path / "k", "--verbose")

    assert "a key of w.example (mldsa44)" in said.err


def test_the_secret_is_never_printed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "key"

    said = run("key", "generate", "w.example", "--out", path, "--json")

    secret = path.read_text().strip()
    assert secret.rsplit("+", 1)[1] not in said.out + said.err
    assert set(said.document) == {"name", "type", "vkey", "file"}


def test_two_keys_differ(run: Run, tmp_path: Path) -> None:
    one = run("key", "generate", "w.example", "--out", tmp_path / "1").out
    two = run("key", "generate", "w.example", "--out", tmp_path / "2").out

    assert one != two


def test_a_key_is_never_replaced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("precious")

    said = run("key", "generate", "w.example", "--out", path)

    assert said.code == 2
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["", "a b", "a+b"])
def test_a_name_that_no_key_can_have_is_refused(
    run: Run, tmp_path: Path, name: str
) -> None:
    said = run("key", "generate", "--out", tmp_path / "key", "--", name)

    assert said.code == 2
    assert not (tmp_path / "key").exists()


def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    said = run("key", "generate", "w.example", "--out", tmp_path / "no" / "key")

    assert said.code == 2
    assert "No such file" in said.err


@pytest.mark.parametrize("damage", [b"", b"x", b"\xff", b"PRIVATE+KEY+w+0+AA=="])
def test_a_damaged_key_file_is_refused_and_not_repeated(
    run: Run, tmp_path: Path, damage: bytes
) -> None:
    path = tmp_path / "key"
    path.write_bytes(damage)

    said = run("key", "show", path)

    assert said.code == 2
    assert "does not hold a secret key" in said.err


def test_a_public_key_is_no_secret_key(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "key"
    run("key", "generate", "w.example", "--out", path)
    key = parse_skey(path.read_text().strip())
    path.write_text(format_vkey(key.verifier))

    said = run("key", "show", path)

    assert said.code == 2
    assert "it is a vkey already" in said.err
