from __future__ import annotations

import json

import pytest

from tallystick_client.cli.main import hoist
from tests.unit.client.cli.desk import Run


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("verify a b --json", "--json verify a b"),
        ("verify a --state x b -v", "--state x -v verify a b"),
        ("audit --state=x", "--state=x audit"),
        ("append -- --json", "append -- --json"),
        ("server init --json", "server init --json"),
        ("--json server init --state x", "--json server init --state x"),
        ("append server --json", "--json append server"),
        ("audit --state", "--state audit"),
        ("", ""),
    ],
)
def test_global_options_are_moved_to_the_front(given: str, expected: str) -> None:
    assert hoist(given.split(), ("server", "witness")) == expected.split()


def test_the_version_is_told(run: Run) -> None:
    assert run("version").out.startswith("tallystick ")
    assert set(run("version", "--json").document) == {"version"}


def test_help_lists_every_command(run: Run) -> None:
    said = run("--help")

    assert said.code == 0
    for command in ("append", "verify", "receipts", "prove", "audit", "key", "policy"):
        assert f" {command} " in said.out
    for command in ("demo", "version", "server", "witness"):
        assert f" {command} " in said.out


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    said = run()

    assert said.code == 2
    assert "Usage: tallystick" in said.out
    assert said.err == ""


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    said = run("frobnicate")

    assert said.code == 2
    assert "No such command 'frobnicate'" in said.err


def test_wrong_usage_is_one_line_that_names_the_help(run: Run) -> None:
    said = run("audit", "--nope")

    assert said.code == 2
    assert said.err == (
        "tallystick: No such option: --nope. Try 'tallystick audit --help'.\n"
    )


def test_a_missing_argument_names_the_help(run: Run) -> None:
    said = run("verify")

    assert said.code == 2
    assert "Try 'tallystick verify --help'" in said.err


def test_a_usage_error_is_an_object_too(run: Run) -> None:
    said = run("verify", "--json")

    assert json.loads(said.out)["error"]["exit_code"] == 2


def test_the_completion_script_can_be_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TALLYSTICK_COMPLETE", "source_bash")

    with pytest.raises(SystemExit) as ended:
        run()

    assert ended.value.code == 0
