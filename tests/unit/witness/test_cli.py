"""The commands: what they print, and how they end."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tallystick_merkle.keys import KeyType, format_vkey
from tallystick_witness.cli import app
from tallystick_witness.clock import SetClock
from tallystick_witness.config import load_settings
from tallystick_witness.wiring import open_witness
from tests.unit.witness.world import NOW_S, LogTwin, ask

LOG = LogTwin()
FORK = LogTwin(salt=b"fork")
VKEY = format_vkey(LOG.vkey)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run_json(*arguments: object) -> dict[str, object]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    run_json("init", "--data", place, "--name", "w.example/1", "--type", "both")
    return place


def cosign(data: Path, *bodies: bytes) -> None:
    settings = load_settings(file=None, environment={}, flags={"data": data})
    with open_witness(settings, SetClock(NOW_S * 1000)) as witness:
        for body in bodies:
            witness.add_checkpoint(body)


@pytest.mark.parametrize(
    ("choice", "count"), [("ed25519", 1), ("mldsa44", 1), ("both", 2)]
)
def test_init_prints_its_vkeys(tmp_path: Path, choice: str, count: int) -> None:
    made = run_json(
        "init", "--data", tmp_path / "d", "--name", "w.example/1", "--type", choice
    )

    assert made["name"] == "w.example/1"
    assert isinstance(made["vkeys"], list)
    assert len(made["vkeys"]) == count


def test_init_for_people_prints_vkeys_and_the_next_step(tmp_path: Path) -> None:
    result = run("init", "--data", tmp_path / "d", "--name", "w.example/1")

    assert result.exit_code == 0
    assert result.stdout.startswith("w.example/1+")
    assert "add-log" in result.stderr


def test_init_twice_is_refused(data: Path) -> None:
    result = run("init", "--data", data, "--name", "w.example/1")

    assert result.exit_code == 2
    assert result.stderr.startswith("tallystick witness: ")
    assert result.stderr.count("\n") == 1


def test_an_error_is_an_object_for_programs(tmp_path: Path) -> None:
    result = run("list", "--data", tmp_path / "none", "--json")

    error = json.loads(result.stdout)["error"]
    assert (error["exit_code"], error["kind"]) == (2, "NotInitialisedError")
    assert result.stderr == f"tallystick witness: {error['message']}\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["frobnicate"], "No such command 'frobnicate'. Try 'x --help'."),
        (["list", "--nope"], "No such option: --nope. Try 'x list --help'."),
        (["list"], "Missing option '--data'. Try 'x list --help'."),
    ],
)
def test_wrong_words_are_one_line_that_names_the_help(
    words: list[str], line: str
) -> None:
    plain = CliRunner().invoke(app, words, prog_name="x")
    program = CliRunner().invoke(app, [*words, "--json"], prog_name="x")

    assert (plain.exit_code, plain.stdout) == (2, "")
    assert plain.stderr == f"tallystick witness: {line}\n"
    assert json.loads(program.stdout)["error"]["exit_code"] == 2


def test_without_a_command_the_help_is_shown() -> None:
    result = run()

    assert result.exit_code == 2
    assert "Usage: " in result.stdout
    assert result.stderr == ""


def test_a_log_is_added_listed_removed_and_reopened(data: Path) -> None:
    added = run_json("add-log", "--data", data, "--vkey", VKEY)
    cosign(data, LOG.request(0, 8))
    listed = run_json("list", "--data", data)
    removed = run_json("remove-log", "--data", data, "--origin", LOG.origin)
    again = run("add-log", "--data", data, "--vkey", VKEY)
    reopened = run_json("add-log", "--data", data, "--vkey", VKEY, "--reopen")

    assert (added["origin"], added["state"], added["size"]) == (
        LOG.origin,
        "active",
        None,
    )
    assert isinstance(listed["logs"], list)
    (log,) = listed["logs"]
    assert set(log) == {
        *("origin", "vkey", "state", "since", "size", "root", "cosigned_at")
    }
    assert (log["vkey"], log["size"]) == (VKEY, 8)
    assert (removed["state"], removed["size"]) == ("removed", 8)
    assert again.exit_code == 2
    assert "--reopen" in again.stderr
    assert (reopened["state"], reopened["size"]) == ("active", 8)


def test_the_list_for_people_has_a_line_for_each_key_and_log(data: Path) -> None:
    run("add-log", "--data", data, "--vkey", VKEY)
    before = run("list", "--data", data).stdout
    cosign(data, LOG.request(0, 8))
    after = run("list", "--data", data).stdout

    assert before.count("\nactive ") == 1
    assert "never cosigned" in before
    assert after.count("witness w.example/1+") == 2
    assert "size 8 root" in after


def test_evidence_is_shown(data: Path) -> None:
    run("add-log", "--data", data, "--vkey", VKEY)
    cosign(data, LOG.request(0, 8), ask(8, (), FORK.note(8)))

    found = run_json("evidence", "--data", data)
    text = run("evidence", "--data", data).stdout

    assert isinstance(found["evidence"], list)
    (one,) = found["evidence"]
    assert (one["origin"], one["kind"], one["size"]) == (LOG.origin, "split-view", 8)
    assert one["checkpoint"] == FORK.note(8).decode()
    assert one["held"].startswith(LOG.note(8).decode())
    assert FORK.note(8).decode() in text


@pytest.mark.parametrize(
    "vkey",
    [
        "nonsense",
        format_vkey(LogTwin(kind=KeyType.COSIGNATURE).vkey),
    ],
)
def test_a_key_that_is_no_logs_is_refused(data: Path, vkey: str) -> None:
    result = run("add-log", "--data", data, "--vkey", vkey)

    assert result.exit_code == 2


def test_an_origin_that_is_not_the_keys_name_is_refused(data: Path) -> None:
    result = run("add-log", "--data", data, "--vkey", VKEY, "--origin", "other")

    assert result.exit_code == 2


def test_errors_never_carry_control_characters(data: Path) -> None:
    result = run("remove-log", "--data", data, "--origin", "x\x1b[2J\ny")

    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["evidence"],
        ["add-log", "--vkey", VKEY],
        ["remove-log", "--origin", LOG.origin],
    ],
)
def test_nothing_but_init_makes_a_witness(tmp_path: Path, command: list[str]) -> None:
    result = run(*command, "--data", tmp_path / "none")

    assert result.exit_code == 2
    assert "not initialised" in result.stderr
    assert list(tmp_path.iterdir()) == []
