"""One vault and several processes: killed, watched, kept out, without its root key."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tallystick_server.vault.lmdb import LmdbVault
from tallystick_server.vault.opening import open_vault
from tests.system.stack import run, run_json
from tests.system.vault_program import root_of, told_of

pytestmark = [pytest.mark.system, pytest.mark.slow]

TREE = Path(__file__).resolve().parents[2]

KILLS = 8
LINES = 300


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a log of events, and its vault."""
    init(tmp_path / "data", "audit")
    return tmp_path / "data"


def init(data: Path, log: str, *, check: bool = True) -> str:
    words = ["server", "init", "--data", str(data), "--log", log, "--kind", "events"]
    return run(*words, "--origin", f"{log}.example/log", check=check).stderr


def vault(data: Path, command: str, *words: object, check: bool = True) -> str:
    """Run a command of the vault; give its error, "" without one."""
    more = [str(word) for word in words]
    return run(
        "server", "vault", command, "--data", str(data), *more, check=check
    ).stderr


@contextmanager
def owner(data: Path, *, threads: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program; it is killed when the block ends."""
    words = [str(data), "1000000", str(threads)]
    command = [sys.executable, "-m", "tests.system.vault_program", *words]
    process = subprocess.Popen(command, cwd=TREE, stdout=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()


def lines_of(process: subprocess.Popen[bytes], most: int) -> set[str]:
    """Wait for lines; when it was killed, give the whole ones that are left."""
    assert process.stdout is not None
    lines = [process.stdout.readline().decode() for _ in range(most)]
    return {line.rstrip("\n") for line in lines if line.endswith("\n")}


def missing(data: Path, told: set[str]) -> set[str]:
    """Open the vault and every row of it; give what was told of and is not there."""
    opened = open_vault(data / "vault", root_of(data))
    try:
        opened.check_rows(lambda _done, _all: None)
        names = [line.split(" ")[0].encode() for line in told]
        found = opened.find(names)
        return told - {told_of(name, key) for name, key in found.items()}
    finally:
        opened.close()


def test_every_key_that_was_given_outlives_kill_9(data: Path) -> None:
    chance = random.Random(4)
    told: set[str] = set()
    for _ in range(KILLS):
        with owner(data, threads=3) as process:
            told |= lines_of(process, chance.randint(1, LINES))
            process.kill()
            told |= lines_of(process, 100_000)

        assert missing(data, told) == set()

    names = {line.split(" ")[0] for line in told}
    assert len(names) == len(told) > KILLS  # no name was ever given two keys


def test_beside_its_owner_a_vault_is_shown_and_copied_and_not_rotated(
    data: Path, tmp_path: Path
) -> None:
    with owner(data, threads=1) as process:
        told = lines_of(process, 50)

        shown = run_json("server", "vault", "status", "--deep", "--data", str(data))
        vault(data, "backup", "--to", tmp_path / "copy")
        refused = vault(data, "rotate", "--no-backup", check=False)

        assert process.poll() is None
    assert shown["problems"] == []
    assert shown["keys"] > 0
    assert "one process owns a vault: stop the server first" in refused
    shutil.rmtree(data / "vault")
    vault(data, "restore", "--from", tmp_path / "copy")
    assert missing(data, told) == set()


def test_what_a_reader_that_was_killed_holds_is_freed_by_the_next_write(
    data: Path,
) -> None:
    owned = vault_of(data)
    for _ in range(3):
        reader = subprocess.Popen(
            [sys.executable, "-m", "tests.system.vault_program", str(data), "0", "0"],
            cwd=TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        with reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"reading\n"
            reader.kill()
    assert owned._env.readers().count("\n") > 1

    owned.ensure([b"somebody new"])

    assert owned._env.reader_check() == 0
    owned.close()


def vault_of(data: Path) -> LmdbVault:
    return open_vault(data / "vault", root_of(data))


def test_the_drill_of_a_lost_root_key(data: Path, tmp_path: Path) -> None:
    with owner(data, threads=1) as process:
        told = lines_of(process, 50)
    root = data / "keys" / "vault.root"
    kept = root.read_bytes()
    root.unlink()

    for words in (["status"], ["backup", "--to", tmp_path / "copy"]):
        assert "without it no event can be read" in vault(data, *words, check=False)
    assert "without it no event can be read" in start(data)
    root.write_bytes(kept[::-1].strip() + b"\n")
    root.chmod(0o600)
    assert "the root key does not fit the vault" in start(data)
    root.write_bytes(kept)

    assert missing(data, told) == set()


def start(data: Path) -> str:
    """Start a server that must refuse; give what it says."""
    listen = ["--listen", "127.0.0.1:0"]
    done = run("server", "serve", "--data", str(data), *listen, check=False)
    assert done.returncode == 2
    return done.stderr


def test_a_new_log_of_events_uses_the_vault_that_is_there(data: Path) -> None:
    before = run_json("server", "vault", "status", "--data", str(data))

    assert init(data, "second") == ""

    after = run_json("server", "vault", "status", "--data", str(data))
    assert after["vault"] == before["vault"]
    assert [log["log"] for log in after["logs"]] == ["audit", "second"]
