from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from tallystick_client.cli.console import Shell
from tallystick_client.cli.lazy import hand_over, load, names
from tallystick_client.cli.main import main
from tallystick_client.errors import MissingExtraError
from tests.unit.client.cli.desk import Run

GROUP = "tallystick.commands"


@pytest.mark.parametrize(
    ("given", "handed"),
    [
        (["fsck", "--data", "d"], ["fsck", "--data", "d", "--json"]),
        (["fsck", "--json"], ["fsck", "--json"]),
        (["fsck", "--help"], ["fsck", "--help"]),
        ([], []),
    ],
)
def test_json_is_handed_over(given: list[str], handed: list[str]) -> None:
    assert hand_over(Shell(is_json=True), "server", given) == handed
    assert hand_over(Shell(), "server", given) == given


def test_json_is_handed_over_to_a_command_that_needs_no_words() -> None:
    assert hand_over(Shell(is_json=True), "selftest", []) == ["--json"]


@pytest.mark.parametrize("option", ["--state", "--config"])
def test_an_option_that_would_have_no_effect_is_refused(run: Run, option: str) -> None:
    said = run(option, "x", "server", "config", "check")

    assert (said.code, said.out) == (2, "")
    assert f"{option} before 'server'" in said.err


def test_the_other_houses_answer_in_json_wherever_it_is_asked_for(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--json", "server", "fsck", "--data", str(tmp_path)])

    out, err = capfd.readouterr()
    assert ended.value.code == 2
    assert json.loads(out)["error"]["kind"] == "NotInitialisedError"
    assert err.startswith("tallystick server: no log at ")


def test_the_other_houses_are_known_by_name() -> None:
    assert names() == ("selftest", "server", "witness")


def test_a_missing_library_says_what_to_install() -> None:
    entry = EntryPoint("server", "library_that_is_not_there.cli:app", GROUP)

    with pytest.raises(MissingExtraError) as caught:
        load(entry)

    assert "tallystick server needs: pip install 'tallystick[server]'" in str(
        caught.value
    )


def test_a_missing_library_of_the_selftest_names_the_servers_extra() -> None:
    entry = EntryPoint("selftest", "library_that_is_not_there.cli:app", GROUP)

    with pytest.raises(MissingExtraError) as caught:
        load(entry)

    assert "tallystick selftest needs: pip install 'tallystick[server]'" in str(
        caught.value
    )


def test_what_is_no_group_of_commands_is_refused() -> None:
    with pytest.raises(MissingExtraError, match="not a group of commands"):
        load(EntryPoint("server", "tallystick_merkle.hashing:HASH_SIZE", GROUP))


def test_a_group_of_commands_is_loaded() -> None:
    entry = EntryPoint("key", "tallystick_client.cli.keys:app", GROUP)

    assert isinstance(load(entry), typer.Typer)
