"""A base install, without any extra, is a verifier with its command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.client.cli.desk import Desk

pytestmark = [pytest.mark.system, pytest.mark.slow]

# Run in a fresh interpreter: the libraries of the extras are not there, and every
# socket is refused.
BASE = """
import importlib.abc, socket, sys

EXTRAS = {"aiohttp", "lmdb", "pydantic_settings", "urllib3", "uvloop", "yarl"}

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"reached for the network: {event}")

sys.meta_path.insert(0, Missing())
sys.addaudithook(refuse)
from tallystick_client.cli.main import main
code = main(sys.argv[1:])
assert not EXTRAS & {name.partition(".")[0] for name in sys.modules}
assert not any(name.endswith("_transport") for name in sys.modules)
sys.exit(code)
"""


def run(tmp_path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [str(argument) for argument in arguments]
    return subprocess.run(
        [sys.executable, "-c", BASE, *words],
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_receipt_is_verified(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.put()

    good = run(tmp_path, "verify", desk.receipt, desk.entry, "--policy", desk.policy)
    desk.put(entry=b"never logged")
    bad = run(tmp_path, "verify", desk.receipt, desk.entry, "--policy", desk.policy)

    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    assert (bad.returncode, bad.stdout) == (1, "")


def test_keys_are_made_and_shown(tmp_path: Path) -> None:
    made = run(tmp_path, "key", "generate", "w.example", "--out", tmp_path / "key")
    shown = run(tmp_path, "key", "show", tmp_path / "key")

    assert made.returncode == shown.returncode == 0
    assert made.stdout == shown.stdout


def test_a_policy_is_checked(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.put()

    assert run(tmp_path, "policy", "check", desk.policy).returncode == 0


def test_the_version_and_the_help_are_shown(tmp_path: Path) -> None:
    assert run(tmp_path, "version").stdout.startswith("tallystick ")
    assert "verify" in run(tmp_path, "--help").stdout


@pytest.mark.parametrize(
    ("command", "extra"),
    [("server", "server"), ("witness", "witness")],
)
def test_a_missing_extra_of_another_house_is_one_line(
    tmp_path: Path, command: str, extra: str
) -> None:
    said = run(tmp_path, command, "init", "--data", tmp_path / "data", "--name", "w.x")

    assert said.returncode == 2
    assert f"tallystick[{extra}]" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_missing_extra_of_the_selftest_is_one_line(tmp_path: Path) -> None:
    said = run(tmp_path, "selftest", "--data", tmp_path)

    assert said.returncode == 2
    assert "pip install 'tallystick[server]'" in said.stderr
    assert said.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("audit",), ("prove", "1"), ("append", "FILE")])
def test_a_missing_client_extra_is_one_line(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    desk = Desk(tmp_path)
    desk.put()
    words = [str(desk.entry) if word == "FILE" else word for word in command]

    said = run(
        tmp_path,
        *(*words, "--policy", desk.policy),
        *("--server", "http://127.0.0.1:9", "--log", "x"),
    )

    assert said.returncode == 2
    assert "needs: pip install 'tallystick[client]'" in said.stderr
    assert said.stderr.count("\n") == 1
